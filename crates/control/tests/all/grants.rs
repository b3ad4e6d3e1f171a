//! What `grants:` and `sees:` mean.

use std::time::Duration;

use weir_model::{
    FileAccess, GrantMode, Grants, MapBudget, MapEviction, MapQuota, MapRight, MapStore, Pattern,
    Randomness, Sees, SharedMap, Showing, Site, Variable,
};

use crate::valid::{WHOLE, loaded};

fn whole() -> Site {
    loaded(WHOLE).site
}

fn exact(name: &str) -> Pattern {
    Pattern::Exact(name.to_owned())
}

fn prefix(name: &str) -> Pattern {
    Pattern::Prefix(name.to_owned())
}

#[test]
fn every_key_of_grants_arrives() {
    let site = whole();
    let grants = &site.filters["limiter"].grants;
    assert_eq!(grants.mode, GrantMode::DryRun);
    assert_eq!(grants.clusters.as_deref(), Some(&["backend".into()][..]));
    assert_eq!(grants.vm_ids, Some(vec!["other".to_owned()]));
    assert_eq!(grants.foreign_functions, Some(vec!["sign".to_owned()]));
    let [folder] = &grants.files[..] else {
        panic!("one folder")
    };
    assert!(folder.host.is_absolute());
    assert_eq!(
        (&*folder.guest, folder.access),
        ("/data", FileAccess::Write)
    );
    let rights = |name: &str| grants.maps.maps[name].iter().collect::<Vec<_>>();
    assert_eq!(
        rights("counters"),
        [MapRight::Read, MapRight::Write, MapRight::List]
    );
    assert_eq!(rights("sessions"), MapRight::ALL);
    assert_eq!(grants.maps.default.as_deref(), Some("counters"));
    let quota = MapQuota {
        entries: 100,
        bytes: 1 << 20,
    };
    assert_eq!(grants.maps.quota, quota);
    let room = MapQuota {
        entries: 1000,
        bytes: 64 << 10,
    };
    assert_eq!(grants.maps.rooms, [("counters".into(), room)].into());
    let budget = MapBudget {
        units: 100,
        read: 6,
        write: 7,
        entry: 8,
        kilobyte: 9,
    };
    assert_eq!(grants.maps.budget, Some(budget));
    assert_eq!(grants.clock_resolution, Some(Duration::from_millis(1)));
    assert_eq!(grants.randomness, Randomness::Denied);
    let protected = [exact("authorization"), prefix("x-internal-")];
    assert_eq!(grants.protected_headers, protected);
    assert_eq!(grants.write_headers, [exact("x-internal-mine")]);
}

#[test]
fn every_key_of_a_map_arrives() {
    let site = whole();
    assert_eq!(site.maps["counters"], SharedMap::default());
    let sessions = SharedMap {
        store: MapStore::Memory,
        entries_max: 5000,
        bytes_max: 16 << 20,
        value_bytes_max: 4096,
        ttl: Some(Duration::from_mins(30)),
        eviction: MapEviction::Lru,
        slots: 1,
        cache: None,
        declaration: None,
    };
    assert_eq!(site.maps["sessions"], sessions);
    let declaration = site.maps["users"].declaration.as_ref();
    assert!(declaration.is_some_and(|file| file.ends_with("users.map")));
}

#[test]
fn every_key_of_sees_arrives() {
    let site = whole();
    let sees = site.filters["limiter"].sees.as_ref().unwrap();
    let text = |text: &str| Showing::Text(text.to_owned());
    let ends = |first, last| Showing::Ends { first, last };
    let of_request = [
        (exact("cookie"), ends(0, 4)),
        (exact("x-key"), Showing::Hash),
        (exact("x-note"), text("(hidden)")),
        (exact("x-public"), Showing::Show),
        (exact("x-token"), text("***")),
        (prefix(""), Showing::Hide),
    ];
    assert_eq!(sees.request_headers, of_request);
    assert_eq!(sees.response_headers, [(exact("set-cookie"), ends(2, 0))]);
    let query = [
        (exact("token"), Showing::Hide),
        (exact("key"), Showing::Hash),
    ];
    assert_eq!(sees.query, query);
    let properties = [
        (exact("source.address"), Showing::Hash),
        (prefix("node.metadata."), Showing::Hide),
    ];
    assert_eq!(sees.properties, properties);
    assert!(sees.hidden_bodies.request && !sees.hidden_bodies.response);
    assert_eq!(
        sees.hash_key,
        Some(Variable::OfGateway("HASH_KEY".to_owned()))
    );
}

#[test]
fn without_the_keys_everything_is_as_in_envoy() {
    let site = whole();
    let auth = &site.filters["auth"];
    assert_eq!(auth.grants, Grants::default());
    assert_eq!(auth.sees, None);
    let all = Grants::default();
    assert_eq!((all.clusters, all.vm_ids), (None, None));
    assert_eq!(all.foreign_functions, None);
    assert_eq!(all.randomness, Randomness::Granted);
    assert!(all.maps.maps.is_empty() && all.maps.default.is_none());
    assert!(all.files.is_empty() && all.protected_headers.is_empty());
}

#[test]
fn an_empty_section_changes_nothing() {
    let text = WHOLE.replace(
        "  auth:\n    module: limiter\n",
        "  auth:\n    module: limiter\n    grants: {}\n    sees: {}\n",
    );
    let site = loaded(&text).site;
    assert_eq!(site.filters["auth"].grants, Grants::default());
    assert_eq!(site.filters["auth"].sees, Some(Sees::default()));
}
