//! What `functions:` and a route's `function:` mean.

use std::time::Duration;

use weir_model::{
    Action, Export, FileAccess, FunctionKind, FunctionLimits, HostGrant, HostRule, MapRight,
    Randomness, Variable,
};

use crate::valid::{WHOLE, loaded};

fn granted(host: HostRule, port: Option<u16>, is_private: bool) -> HostGrant {
    HostGrant {
        host,
        port,
        is_private,
    }
}

#[test]
fn every_key_of_a_function_arrives() {
    let site = loaded(WHOLE).site;
    assert_eq!(site.function_instances, 200);
    assert!(!site.trust.system);
    assert!(site.trust.files[0].ends_with("authority.pem"));
    let route = &site.listeners[0].routes[3];
    assert_eq!(route.action, Action::Function("thumbnail".into()));
    let function = &site.functions["thumbnail"];
    assert_eq!(&*function.name, "thumbnail");
    assert_eq!(&*function.module, "limiter");
    let export = Export {
        name: "acme:images/scale#thumbnail".into(),
        content_type: "image/png".into(),
    };
    assert_eq!(function.kind, FunctionKind::Export(export));
    let text = |text: &str| Variable::Text(text.into());
    let from = |name: &str| Variable::OfGateway(name.into());
    let pair = |name: &str, value| (name.to_owned(), value);
    assert_eq!(
        function.environment,
        [
            pair("MODE", text("fast")),
            pair("ZONE", from("GATEWAY_ZONE"))
        ]
    );
    assert_eq!(function.arguments, ["--quality", "80"]);
    assert_eq!(
        function.settings,
        [pair("size", text("64")), pair("key", from("IMAGE_KEY"))]
    );
    let limits = FunctionLimits {
        memory_bytes: 32 << 20,
        time: Duration::from_millis(100),
        timeout: Duration::from_secs(2),
        request_bytes: 1 << 20,
        response_bytes: 2 << 20,
        instances: 100,
        queue: 500,
        queue_timeout: Duration::from_millis(250),
        fetches: 4,
        depth: 2,
    };
    assert_eq!(function.limits, limits);
}

#[test]
fn every_key_of_a_functions_grants_arrives() {
    let site = loaded(WHOLE).site;
    let grants = &site.functions["thumbnail"].grants;
    let hosts = [
        granted(HostRule::Name("images.example".into()), Some(8080), false),
        granted(HostRule::Below("cdn.example".into()), None, false),
        granted(HostRule::Name("store.internal".into()), None, true),
        granted(HostRule::Address("::1".parse().unwrap()), Some(81), false),
    ];
    assert_eq!(grants.http, hosts);
    assert_eq!(grants.functions, ["shrink".into()]);
    let rights: Vec<_> = grants.maps.maps["pictures"].iter().collect();
    assert_eq!(rights, [MapRight::Read, MapRight::MapRead]);
    assert_eq!(grants.maps.default.as_deref(), Some("pictures"));
    assert_eq!(grants.maps.quota.entries, 10);
    assert_eq!(grants.files[0].guest, "/fonts");
    assert_eq!(grants.files[0].access, FileAccess::Read);
    assert_eq!(grants.random, Randomness::Denied);
}

#[test]
fn what_is_left_out_is_not_granted() {
    let site = loaded(WHOLE).site;
    let function = &site.functions["shrink"];
    assert_eq!(function.kind, FunctionKind::Command);
    assert!(function.grants.http.is_empty());
    assert!(function.grants.functions.is_empty());
    assert!(function.grants.maps.maps.is_empty());
    assert!(function.grants.files.is_empty());
    assert_eq!(function.limits, FunctionLimits::default());
}
