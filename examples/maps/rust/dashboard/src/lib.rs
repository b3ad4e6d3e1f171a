//! A function that shows what the filter `limiter` counts: a component beside a Proxy-Wasm filter,
//! over one map.
//!
//! `GET` answers a line for each counter of the map `counters`, and how often it was asked itself,
//! which it counts in the map `visits` by `wasi:keyvalue`. `POST` passes the counters on: it lends the
//! map, to be read, to the use that the query names, writes the ticket to standard output, and asks for
//! nothing back. The loan is over when the request is.

use std::fmt::Write as _;

use wasip2::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

#[expect(clippy::same_length_and_capacity, reason = "generated code has it")]
mod maps {
    wit_bindgen::generate!({
        world: "weir:dashboard/maps",
        path: ["../../../../wit", "wit"],
        generate_all,
    });

    pub(crate) use wasi::keyvalue0_2_0_draft as keyvalue;
    pub(crate) use wasi_map::map::{maps::Map, types};
}

use maps::keyvalue::{atomics, store};
use maps::types::{Content, Rights};
use maps::{Map, types};

/// Bytes of a page of a scan.
const PAGE: u32 = 64 << 10;

struct Dashboard;

wasip2::http::proxy::export!(Dashboard);

impl wasip2::exports::http::incoming_handler::Guest for Dashboard {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let page = match request.method() {
            Method::Post => pass_on(query),
            _ => counters().and_then(|page| Ok(page + &visits()?)),
        };
        match page {
            Ok(page) => respond(answer, 200, &page),
            Err(why) => respond(answer, 503, &why),
        }
    }
}

/// Why there is no page, for people.
fn refused(error: types::Error) -> String {
    format!("counters: {error}\n")
}

fn counters() -> Result<String, String> {
    let map = Map::open("counters", Rights::READ | Rights::LIST).map_err(refused)?;
    let scanner = map.scan(b"").map_err(refused)?;
    let mut page = String::new();
    loop {
        let items = scanner.next(PAGE).map_err(refused)?;
        if items.is_empty() {
            return Ok(page);
        }
        for item in items {
            let Content::Bytes(count) = item.content else {
                continue;
            };
            // The path, and the window that was counted in.
            let key = String::from_utf8_lossy(&item.key);
            let path = key.rsplit_once('#').map_or(&*key, |(path, _)| path);
            let count = count.try_into().map_or(0, i64::from_le_bytes);
            writeln!(page, "{path} {count}").map_err(|error| error.to_string())?;
        }
    }
}

fn visits() -> Result<String, String> {
    let bucket = store::open("visits").map_err(|error| format!("visits: {error}\n"))?;
    let visits = atomics::increment(&bucket, "dashboard", 1);
    let visits = visits.map_err(|error| format!("visits: {error}\n"))?;
    Ok(format!("visits {visits}\n"))
}

fn pass_on(to: &str) -> Result<String, String> {
    let rights = Rights::READ | Rights::LIST;
    let map = Map::open("counters", rights | Rights::SHARE).map_err(refused)?;
    let (low, high) = map.lend(rights, to).map_err(refused)?;
    println!("lent: {low} {high}");
    Ok(format!("lent to {to}\n"))
}

fn respond(answer: ResponseOutparam, status: u16, page: &str) {
    let fields = Fields::new();
    let plain = fields.append("content-type", b"text/plain");
    let response = OutgoingResponse::new(fields);
    if plain.is_err() || response.set_status_code(status).is_err() {
        return;
    }
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(answer, Ok(response));
    // Whoever has asked may be gone.
    if let Ok(out) = body.write() {
        for piece in page.as_bytes().chunks(4096) {
            if out.blocking_write_and_flush(piece).is_err() {
                return;
            }
        }
    }
    let _ = OutgoingBody::finish(body, None);
}
