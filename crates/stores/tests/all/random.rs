//! Random operations against a plain map, as the suite's `random.rs` says, with restarts between.

use weir_maps::MapOptions;
use weir_stores::disk::Durability;

use std::time::Duration;

use crate::behaviour::Durable;
use crate::suite::random::Run;
use crate::suite::wait;

fn agrees(durable: &Durable, seed: u64, (restarts, steps): (usize, usize)) {
    let name = format!("map {seed}");
    let map = durable.named(&name, MapOptions::default());
    let mut run = Run::new(map, seed);
    for _ in 0..restarts {
        run.steps(steps, |time| durable.clock.advance(time));
        run.compare();
        run = run.again(|map| {
            wait(map.close()).unwrap();
            durable.named(&name, MapOptions::default())
        });
        run.compare();
    }
    while wait(run.map.tend(1000)).unwrap() > 0 {}
    run.compare_room();
}

#[test]
fn random_operations_agree_with_a_plain_map() {
    for seed in 0..2 {
        agrees(
            &Durable::with(Durability::Synced, 2000 * seed),
            seed,
            (4, 250),
        );
    }
    for seed in 0..5 {
        let relaxed = Durability::Relaxed(Duration::from_millis(1 + seed));
        agrees(&Durable::with(relaxed, 1000 * seed), seed, (5, 2000));
    }
}
