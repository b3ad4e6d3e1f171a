//! The component interface in `wit/` is one that a host can be made of.

mod made {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "imports",
    });
}

use made::wasi_map::map::types::Rights;

/// The numbers of the core ABI are the places of the flags.
#[test]
fn rights_are_in_the_same_order() {
    let all = [
        (Rights::READ, weir_maps::Rights::READ),
        (Rights::WRITE, weir_maps::Rights::WRITE),
        (Rights::DELETE, weir_maps::Rights::DELETE),
        (Rights::LIST, weir_maps::Rights::LIST),
        (Rights::WATCH, weir_maps::Rights::WATCH),
        (Rights::CREATE, weir_maps::Rights::CREATE),
        (Rights::SHARE, weir_maps::Rights::SHARE),
        (Rights::MAP_READ, weir_maps::Rights::MAP_READ),
        (Rights::MAP_WRITE, weir_maps::Rights::MAP_WRITE),
        (Rights::CLEAR, weir_maps::Rights::CLEAR),
    ];
    for (place, (flag, right)) in all.into_iter().enumerate() {
        assert_eq!(right.bits(), 1 << place);
        assert_eq!(flag, Rights::all() & flag);
        assert_eq!(flag.as_array(), [u32::try_from(right.bits()).unwrap()]);
    }
}
