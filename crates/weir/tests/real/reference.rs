//! Weir beside Envoy: the same plugins, the same requests, the same answers of the upstream; both
//! ends must see the same, in the same order.

pub(crate) mod envoy;
mod faults;
mod requests;
mod scripts;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::all::harness::Gateway;
use crate::exchange::{Sights, Told};
use envoy::Envoy;

const PREBUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/prebuilt");

/// One listener of both: no filter, or one.
struct Chain {
    name: &'static str,
    /// Name of a prebuilt module, and its configuration.
    filter: Option<(&'static str, Value)>,
    cases: Vec<Case>,
}

/// What goes in at both ends. Lines end in `\n` here and in CR LF on the wire.
#[derive(Clone)]
struct Case {
    request: String,
    reply: String,
}

fn case(request: &str, reply: &str) -> Case {
    let [request, reply] = [request, reply].map(|text| text.replace('\n', "\r\n"));
    Case { request, reply }
}

const OK: &str = "HTTP/1.1 200 OK\ncontent-type: text/plain\ncontent-length: 5\n\nhello";

#[test]
fn without_filters() {
    agrees(&[requests::plain()]);
}

/// So that a difference that goes away, or a new one of the same request, is noticed.
#[test]
fn differences_are_as_documented() {
    let told = Told::start();
    let chains = [Chain {
        cases: Vec::new(),
        ..requests::plain()
    }];
    let envoy = Envoy::start(&chains, told.address());
    let weir = Gateway::start(&site(&chains, &told));
    for (request, ours, theirs) in requests::DIFFER {
        let case = case(request, OK);
        let [is_ours, is_theirs] = [weir.address(), envoy.address_of("plain")]
            .map(|gateway| told.ask(gateway, case.request.as_bytes(), case.reply.as_bytes()));
        let statuses = [is_ours, is_theirs].map(|sights| sights.client[0].clone());
        assert_eq!(statuses, [*ours, *theirs], "Weir and Envoy: {request:?}");
    }
    weir.end();
}

#[test]
fn with_the_prebuilt_filters() {
    agrees(&scripts::chains());
}

/// Asks both; fails with all differences.
#[track_caller]
fn agrees(chains: &[Chain]) {
    let told = Told::start();
    let envoy = Envoy::start(chains, told.address());
    let weir = Gateway::start(&site(chains, &told));
    let mut differences = String::new();
    for chain in chains {
        let (ours, theirs) = (address_of(&weir, chain.name), envoy.address_of(chain.name));
        for case in &chain.cases {
            let [ours, theirs] = [ours, theirs]
                .map(|gateway| told.ask(gateway, case.request.as_bytes(), case.reply.as_bytes()));
            let [ours, theirs] = [ours, theirs].map(|sights| comparable(&sights, chain, case));
            differences += &difference(chain.name, case, &ours, &theirs);
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
    weir.end();
}

/// From the log line that tells it.
fn address_of(weir: &Gateway, listener: &str) -> SocketAddr {
    let line = weir.logged(&format!("listener={listener} "));
    let address = line
        .rsplit_once("address=")
        .and_then(|(_, address)| address.trim().parse().ok());
    address.unwrap_or_else(|| panic!("no address in {line:?}"))
}

/// Without what differs on purpose (`docs/differences.md`) and means nothing.
fn comparable(sights: &Sights, chain: &Chain, case: &Case) -> Sights {
    let client = &sights.client;
    let is_refusal = sights.upstream.is_empty() && chain.filter.is_none();
    let client = match &client[..] {
        // Texts are the status's own words, or none.
        [status, ..] if is_refusal && status.starts_with(['4', '5']) => vec![status.clone()],
        all => all.to_vec(),
    };
    let is_head = case.request.starts_with("HEAD ");
    let means_something = |text: &String| {
        let is_trailer = text.starts_with("trailer ") && !case.request.contains("te: trailers");
        let is_framing_of_head = is_head && text.starts_with("transfer-encoding:");
        // Envoy closes when a filter answers before the end of the request.
        let is_closing = chain.filter.is_some() && text == "connection: close";
        !is_trailer && !is_framing_of_head && !is_closing
    };
    let kept = |texts: &[String]| {
        let texts: Vec<_> = texts
            .iter()
            .filter(|text| means_something(text))
            .cloned()
            .collect();
        repeated_together(texts)
    };
    Sights {
        upstream: sights.upstream.iter().map(|texts| kept(texts)).collect(),
        client: kept(&client),
    }
}

/// Headers of one name stand together in Weir, at the place of the first one.
fn repeated_together(mut texts: Vec<String>) -> Vec<String> {
    let end = texts
        .iter()
        .position(String::is_empty)
        .unwrap_or(texts.len());
    let name = |text: &str| text.split_once(':').map(|(name, _)| name.to_owned());
    let names: Vec<_> = texts[..end].iter().map(|text| name(text)).collect();
    let first = |text: &String| names.iter().position(|known| *known == name(text));
    texts[..end].sort_by_key(first);
    texts
}

fn difference(chain: &str, case: &Case, ours: &Sights, theirs: &Sights) -> String {
    let mut text = String::new();
    let mut compare = |side: &str, ours: Value, theirs: Value| {
        if ours != theirs {
            let (ours, theirs) = (ours.to_string(), theirs.to_string());
            text.push_str(
                &[
                    "  ",
                    side,
                    "\n    weir  ",
                    &ours,
                    "\n    envoy ",
                    &theirs,
                    "\n",
                ]
                .concat(),
            );
        }
    };
    compare("upstream", json!(ours.upstream), json!(theirs.upstream));
    compare("client", json!(ours.client), json!(theirs.client));
    if text.is_empty() {
        return text;
    }
    let (request, reply) = (&case.request, &case.reply);
    format!("{chain}: {request:?}, answered {reply:?}\n{text}")
}

/// The configuration of Weir that is closest to Envoy's defaults.
fn site(chains: &[Chain], told: &Told) -> String {
    let listener = |chain: &Chain| {
        let filters: Vec<_> = chain.filter.iter().map(|_| chain.name).collect();
        json!({
            "address": "127.0.0.1:0", "name": chain.name,
            "forwarded_for": "keep", "request_id": false,
            "routes": [{ "name": "route", "filters": filters, "forward": "up" }],
        })
    };
    let listeners: Vec<_> = chains.iter().map(listener).collect();
    let (mut modules, mut filters) = (json!({}), json!({}));
    for chain in chains {
        if let Some((module, configuration)) = &chain.filter {
            modules[format!("{module}_")] = json!({ "file": format!("{PREBUILT}/{module}.wasm") });
            filters[chain.name] =
                json!({ "module": format!("{module}_"), "configuration": configuration });
        }
    }
    let clusters =
        json!({ "up": { "endpoints": [told.address().to_string()], "ejection": "off" } });
    format!(
        "workers: 1\nlisteners: {}\nclusters: {clusters}\nmodules: {modules}\nfilters: {filters}\n",
        json!(listeners)
    )
}
