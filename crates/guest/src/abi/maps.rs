//! The functions of WASI-Map: `docs/wasi-map.md`, and those of its first draft.

use super::ValueType::{self, I32, I64};
use super::{HostFunction, Namespace, Origin, Topic, Versions, ints};

/// Every function of WASI-Map that the host knows.
pub const MAP_FUNCTIONS: &[HostFunction] = &[
    map("open", "wasi_map_open", &[I32, I32, I64, I32]),
    map("create", "wasi_map_create", ints(2)),
    map("close", "wasi_map_close", ints(1)),
    map("dup", "wasi_map_dup", &[I32, I64, I32]),
    map("lend", "wasi_map_lend", &[I32, I64, I32, I32, I32]),
    map("transfer", "wasi_map_transfer", ints(4)),
    map("accept", "wasi_map_accept", ints(2)),
    map("rights", "wasi_map_rights", ints(2)),
    map("stat", "wasi_map_stat", ints(2)),
    map("id", "wasi_map_id", ints(2)),
    map("get", "wasi_map_get", ints(7)),
    map("get_alloc", "wasi_map_get_alloc", ints(6)),
    map("set", "wasi_map_set", ints(5)),
    map("set_with", "wasi_map_set_with", ints(7)),
    map("delete", "wasi_map_delete", ints(3)),
    map("exists", "wasi_map_exists", ints(4)),
    map(
        "compare_and_swap",
        "wasi_map_compare_and_swap",
        &[I32, I32, I32, I64, I32, I32, I32],
    ),
    map(
        "increment",
        "wasi_map_increment",
        &[I32, I32, I32, I64, I32],
    ),
    map("scan", "wasi_map_scan", ints(7)),
    map("batch", "wasi_map_batch", ints(4)),
    map("clear", "wasi_map_clear", ints(1)),
    map("watch", "wasi_map_watch", ints(4)),
    map("next", "wasi_map_next", &[I32, I64, I32, I32, I32]),
    map("unwatch", "wasi_map_unwatch", ints(1)),
    map("put_map", "wasi_map_put_map", ints(4)),
    map("get_map", "wasi_map_get_map", ints(4)),
    map(
        "region_create",
        "wasi_map_region_create",
        &[I32, I32, I32, I64],
    ),
    map(
        "region_map",
        "wasi_map_region_map",
        &[I32, I32, I32, I64, I32, I32, I32],
    ),
    map("region_unmap", "wasi_map_region_unmap", ints(2)),
    either(draft("wasi_map_open", ints(0)), ints(2)),
    draft("wasi_map_set", ints(5)),
    draft("wasi_map_get", ints(5)),
    draft("wasi_map_delete", ints(3)),
    draft("wasi_map_exists", ints(3)),
];

const fn map(
    name: &'static str,
    capability: &'static str,
    params: &'static [ValueType],
) -> HostFunction {
    HostFunction {
        namespace: Namespace::Maps,
        name,
        capability,
        params,
        other_params: None,
        results: ints(1),
        topic: Topic::Maps,
        versions: Versions::ALL,
        origin: Origin::Weir,
    }
}

const fn draft(name: &'static str, params: &'static [ValueType]) -> HostFunction {
    let mut function = map(name, name, params);
    function.namespace = Namespace::DraftMaps;
    function
}

const fn either(mut function: HostFunction, other: &'static [ValueType]) -> HostFunction {
    function.other_params = Some(other);
    function
}
