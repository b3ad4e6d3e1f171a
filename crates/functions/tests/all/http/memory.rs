//! What instances leave behind: little, however many there were.

use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use weir_functions::{Loaded, Runtime};
use weir_model::FunctionKind;
use weir_model::limits::functions as of;

use crate::world::{World, function, get, on_worker, prebuilt};

#[test]
fn a_burst_leaves_no_more_memory_than_a_few_calls() {
    let runtime = Runtime::new().unwrap();
    let handler = prebuilt("handler");
    let loaded = Loaded::new(&runtime, &function(FunctionKind::Auto), &handler).unwrap();
    let call = || async {
        let (world, _) = World::new();
        let response = loaded.call(get("/sleep?50"), world).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    };
    for _ in 0..2 {
        let answers = on_worker(join_all((0..400).map(|_| call())));
        assert!(answers.iter().all(|answer| answer == "awake"));
        let left = runtime.resident_bytes().unwrap();
        let most = of::KEPT_INSTANCES as usize * (of::KEPT_MEMORY_BYTES + of::KEPT_TABLE_BYTES);
        assert!(
            (1..most).contains(&left),
            "{left} bytes are left, of {most}"
        );
    }
}
