//! The example of a function with maps (`examples/maps/rust/dashboard`) in the gateway: a component
//! and a Proxy-Wasm filter see the same map.

use crate::harness::Gateway;

const SITE: &str = "workers: 2
listeners:
  - address: 127.0.0.1:0
    routes:
      - match: { path: /dashboard }
        function: dashboard
      - filters: [limiter]
        respond: { status: 200, body: \"hello\" }
modules:
  limiter: { file: FOLDER/limiter/limiter.wasm }
  dashboard: { file: FOLDER/dashboard/dashboard.wasm }
filters:
  limiter:
    module: limiter
    configuration: { requests: 3, seconds: 1000000000, map: counters }
    grants: { maps: { counters: [read, write] } }
functions:
  dashboard: { module: dashboard, grants: { maps: GRANTS } }
maps:
  counters: {}
  visits: {}
";

fn gateway(grants: &str) -> Gateway {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/maps/rust");
    Gateway::start(&SITE.replace("FOLDER", folder).replace("GRANTS", grants))
}

#[test]
fn a_function_shows_what_a_filter_counts() {
    let gateway = gateway("{ counters: [read, list], visits: [write] }");
    let statuses = ["/a", "/b", "/a", "/a", "/a"].map(|path| gateway.get(path, "").status());
    assert_eq!(statuses, [200, 200, 200, 200, 429]);
    let page = gateway.get("/dashboard", "");
    assert_eq!(page.status(), 200, "{page:?}");
    let text = page.text();
    assert!(
        text.starts_with("/a ") && text.contains("\n/b 1\nvisits 1\n"),
        "{text}"
    );
    assert!(gateway.get("/dashboard", "").text().contains("visits 2"));
    gateway.end();
}

#[test]
fn a_function_reaches_no_map_that_it_was_not_granted() {
    let gateway = gateway("{ visits: [write] }");
    let page = gateway.get("/dashboard", "");
    assert_eq!(page.status(), 503);
    assert!(page.text().contains("NoEntry"), "{}", page.text());
    gateway.end();
}
