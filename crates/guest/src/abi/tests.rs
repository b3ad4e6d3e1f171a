//! Tests of the tables against the counts of the reference, and of what is read from them.

use super::*;

fn check_detection(exports: &[&str], expected: Option<AbiVersion>) {
    assert_eq!(
        AbiVersion::detect(exports.iter().copied()),
        expected,
        "{exports:?}"
    );
}

#[test]
fn the_first_known_marker_decides() {
    check_detection(&[], None);
    check_detection(&["proxy_abi_version_0_3_0"], None);
    check_detection(
        &["malloc", "proxy_abi_version_0_1_0"],
        Some(AbiVersion::V0_1_0),
    );
    check_detection(
        &[
            "proxy_abi_version_9_9_9",
            "proxy_abi_version_0_2_1",
            "proxy_abi_version_0_2_0",
        ],
        Some(AbiVersion::V0_2_1),
    );
    check_detection(&["proxy_abi_version_0_2_100"], Some(AbiVersion::V0_2_100));
}

fn check_dialect(marker: AbiVersion, imports: &[(&str, &str)], expected: Dialect) {
    assert_eq!(
        dialect(Some(marker), imports.iter().copied()).0,
        expected,
        "{imports:?}"
    );
}

#[test]
fn higress_is_recognised_by_marker_or_import() {
    check_dialect(AbiVersion::V0_2_100, &[], Dialect::Higress);
    check_dialect(
        AbiVersion::V0_2_1,
        &[("env", "proxy_redis_call")],
        Dialect::Higress,
    );
    check_dialect(
        AbiVersion::V0_2_1,
        &[("other", "proxy_redis_call")],
        Dialect::Envoy,
    );
    check_dialect(AbiVersion::V0_2_1, &[("env", "proxy_log")], Dialect::Envoy);
}

#[test]
fn names_are_unique_and_counts_are_those_of_the_reference() {
    for (index, function) in HOST_FUNCTIONS.iter().enumerate() {
        let same = |other: &&HostFunction| {
            (other.namespace, other.name) == (function.namespace, function.name)
        };
        assert_eq!(
            HOST_FUNCTIONS.iter().position(|other| same(&other)),
            Some(index)
        );
    }
    let count = |keep: fn(&HostFunction) -> bool| {
        HOST_FUNCTIONS
            .iter()
            .filter(|function| keep(function))
            .count()
    };
    let is_proxy = |f: &HostFunction| f.name.starts_with("proxy_");
    assert_eq!(count(|f| f.name.starts_with("proxy_")), 36 + 4 + 3 + 5);
    assert_eq!(count(|f| f.origin == Origin::Higress), 5);
    assert!(
        HOST_FUNCTIONS
            .iter()
            .filter(|f| is_proxy(f))
            .all(|f| f.results.len() == 1)
    );
}

#[test]
fn both_wasi_modules_resolve_to_the_same_functions() {
    for module in WASI_MODULES {
        assert_eq!(find(module, "fd_write").map(|f| f.params.len()), Some(4));
    }
    assert_eq!(find("env", "fd_write"), None);
    assert_eq!(find("wasi_unstable", "proxy_log"), None);
}

#[test]
fn versions_limit_what_exists() {
    let has = |name, version| find("env", name).is_some_and(|f| f.versions.contains(version));
    assert!(has("proxy_get_configuration", AbiVersion::V0_1_0));
    assert!(!has("proxy_get_configuration", AbiVersion::V0_2_0));
    assert!(!has("proxy_get_log_level", AbiVersion::V0_2_0));
    assert!(has("proxy_get_log_level", AbiVersion::V0_2_100));
}

/// What the linker of maps offers and the table does not have could not be withheld.
#[test]
fn the_table_of_maps_has_what_the_linker_offers() {
    use wasmtime::{Engine, Linker, Store};
    use weir_maps_wasmtime::{MapAnswer, MapCall, MapHost, MapReply, link_map};

    struct Nobody;
    impl MapHost for Nobody {
        fn map_call(&mut self, _: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
            Ok(MapReply::Done.into())
        }
    }
    let engine = Engine::default();
    let mut linker = Linker::<Nobody>::new(&engine);
    link_map(&mut linker).expect("no name is there twice");
    let offered: Vec<_> = linker
        .iter(Store::new(&engine, Nobody))
        .map(|(module, name, _)| (module.to_owned(), name.to_owned()))
        .collect();
    assert_eq!(offered.len(), MAP_FUNCTIONS.len());
    for (module, name) in offered {
        assert!(find(&module, &name).is_some(), "{module}.{name}");
    }
}
