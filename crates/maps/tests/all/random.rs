//! Random operations against the memory engine, as `suite/random.rs` says.

use weir_maps::{MapOptions, Store as _};

use crate::memory::Memory;
use crate::suite::random::Run;
use crate::suite::{Backend, Plain, wait};

#[test]
fn random_operations_agree_with_a_plain_map() {
    let (seeds, steps) = if cfg!(miri) { (1, 200) } else { (20, 5000) };
    for seed in 0..seeds {
        let memory = Memory::default();
        let shards = 1 << (seed % 6);
        let options = MapOptions {
            shards,
            ..MapOptions::default()
        };
        let mut run = Run::new(memory.open(options), seed);
        run.steps(steps, |time| memory.pass(time));
        while run.map.tend(1000) > 0 {}
        run.compare_room();
        wait(run.map.clear()).unwrap();
        assert_eq!(run.map.used(), (0, 0));
    }
}
