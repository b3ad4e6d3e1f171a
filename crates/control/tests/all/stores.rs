//! Stores of maps, as they arrive.

use std::path::Path;
use std::time::Duration;

use weir_model::{
    FileStore, MapRate, MapStore, NearMap, RedisServersKind, Secret, Site, Store, Variable, limits,
};

use crate::valid::{WHOLE, loaded};

fn whole() -> Site {
    loaded(WHOLE).site
}

fn named(site: &Site, map: &str) -> Store {
    let MapStore::Named(name) = &site.maps[map].store else {
        panic!("{map} is in memory");
    };
    site.stores[name].clone()
}

#[test]
fn every_key_of_files_arrives() {
    let site = whole();
    let Store::Durable(disk) = named(&site, "users") else {
        panic!("another kind");
    };
    assert_eq!(
        (disk.lag, disk.memory_bytes),
        (None, limits::disk::MEMORY_BYTES)
    );
    assert!(disk.folder.ends_with("state"));
    // A relative path starts at the folder of the configuration file.
    let beside = disk.folder.parent().map(Path::to_owned).unwrap_or_default();
    let files = |folder: &str, lag, memory_bytes| FileStore {
        folder: beside.join(folder),
        lag: Some(lag),
        memory_bytes,
    };
    let relaxed = files("state", Duration::from_millis(20), 1 << 20);
    assert_eq!(named(&site, "log"), Store::Durable(relaxed));
    let cache = files("cache", Duration::from_secs(5), 1 << 30);
    assert_eq!(named(&site, "pictures"), Store::SsdBacked(cache));
    assert!(!site.maps["users"].store.answers_at_once());
    assert!(site.maps["sessions"].store.answers_at_once());
}

#[test]
fn every_key_of_a_pinned_map_and_of_a_near_cache_arrives() {
    let site = whole();
    let switches = &site.maps["switches"];
    let MapStore::Pinned(file) = &switches.store else {
        panic!("{:?}", switches.store);
    };
    assert!(file.path.ends_with("run/switches.pin"));
    assert!(switches.store.answers_at_once());
    let room = (
        switches.entries_max,
        file.key_bytes,
        switches.value_bytes_max,
    );
    assert_eq!(room, (1000, 32, 128));
    let cache = NearMap {
        ttl: Duration::from_millis(500),
        entries_max: 100,
        bytes_max: 1 << 20,
    };
    assert_eq!(site.maps["quotas"].cache, Some(cache));
    let rate = MapRate {
        units: 1000,
        burst: 2000,
        read: 2,
        write: 3,
        entry: 4,
        kilobyte: 5,
    };
    assert_eq!(site.filters["limiter"].grants.maps.rate, Some(rate));
}

#[test]
fn every_key_of_redis_arrives() {
    let site = whole();
    let redis = |map: &str| match named(&site, map) {
        Store::Redis(servers) => servers,
        other => panic!("{other:?}"),
    };
    let shared = redis("quotas");
    assert_eq!(shared.kind, RedisServersKind::Cluster);
    let addresses: Vec<_> = shared.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["redis-1.internal:6379", "[::1]:6379"]);
    assert_eq!(shared.login.username.as_deref(), Some("weir"));
    let from = Secret(Variable::OfGateway("REDIS_PASSWORD".into()));
    assert_eq!(shared.login.password, Some(from));
    assert_eq!(shared.prefix, "shop:maps");
    assert_eq!(shared.deadline, Duration::from_millis(250));
    assert_eq!(site.maps["quotas"].slots, 16);
    let tls = shared.tls.unwrap();
    let (certificate, key) = tls.identity.unwrap();
    assert!(tls.ca.ends_with("ca.pem") && tls.ca.is_absolute() == certificate.is_absolute());
    assert!(certificate.ends_with("weir.pem") && key.ends_with("weir.key"));
    assert_eq!(tls.name.as_deref(), Some("redis.internal"));

    let watched = redis("flags");
    let primary = "main".to_owned();
    assert_eq!(watched.kind, RedisServersKind::Sentinel { primary });
    assert_eq!(watched.database, 3);
    let login = &watched.sentinel_login;
    assert_eq!(login.username.as_deref(), Some("watcher"));
    let hush = Secret(Variable::Text("hush".into()));
    assert_eq!(login.password, Some(hush));
    assert_eq!(watched.login.password, None);

    let plain = redis("limits");
    assert_eq!(plain.kind, RedisServersKind::Single);
    assert_eq!((plain.database, &*plain.prefix), (0, "weir"));
    assert_eq!(plain.deadline, limits::redis::DEADLINE);
}
