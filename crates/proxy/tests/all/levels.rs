//! Statement 56: the level from which on plugins log, changed while they run.

use weir_proxy::plugin::PluginLevel;

use crate::guest::guest;
use crate::stage::{GET, Stage, is_oracle};

#[test]
fn s056_the_level_is_followed_at_once_by_all_workers() {
    if is_oracle() {
        // Envoy's level is set on its admin address.
        return;
    }
    let script = r#"(request_headers (log_level) (!log_at 3 "a warning"))"#;
    let gateway = Stage::new()
        .filter(guest(script))
        .filter(guest(script))
        .workers(2)
        .start();
    let one = gateway.name(0).to_owned();
    let level = |filter: Option<&str>, level: Option<PluginLevel>| {
        let levels = gateway.plugin_log();
        match (filter, level) {
            (Some(filter), level) => assert!(levels.set(filter, level)),
            (None, Some(level)) => levels.set_all(level),
            (None, None) => {}
        }
        let before = [gateway.logs(0).len(), gateway.logs(1).len()];
        for _ in 0..4 {
            assert_eq!(gateway.ask(GET).status, 200);
        }
        let mut lines = [0, 1].map(|filter| gateway.logs(filter)[before[filter]..].to_vec());
        lines.iter_mut().for_each(Vec::dedup);
        lines
    };
    let plain = ["log_level 0 2", "a warning"];
    let all = |lines: &[&str]| {
        lines
            .repeat(4)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(level(None, None), [all(&plain), all(&plain)]);
    let debug = ["log_level 0 1", "a warning"];
    let own = level(Some(&one), Some(PluginLevel::Debug));
    assert_eq!(own, [all(&debug), all(&plain)]);
    // What the filter has of its own stays.
    let others = level(None, Some(PluginLevel::Warn));
    assert_eq!(others, [all(&debug), vec!["a warning".to_owned()]]);
    assert_eq!(
        level(None, Some(PluginLevel::Off)),
        [all(&debug), Vec::new()]
    );
    assert_eq!(level(Some(&one), None), [const { Vec::<String>::new() }; 2]);
}
