//! The fuzz target `maps` without a fuzzer: inputs made of chance alone, for a second, or as long as
//! `WEIR_FUZZ_SECONDS` says. `WEIR_FUZZ_SEED` begins elsewhere.

#[path = "../../../../fuzz/fuzz_targets/maps/guest.rs"]
mod guest;
#[path = "../../../../fuzz/fuzz_targets/maps/input.rs"]
mod input;
#[path = "../../../../fuzz/fuzz_targets/maps/play.rs"]
mod play;

use std::io::Write as _;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |text| text.parse().unwrap())
}

/// Steele, Lea and Flood's generator.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let words = next() % 400;
    (0..words).flat_map(|_| next().to_le_bytes()).collect()
}

#[test]
fn any_calls_of_two_guests() {
    let (seed, seconds) = (number("WEIR_FUZZ_SEED", 1), number("WEIR_FUZZ_SECONDS", 1));
    let begun = Instant::now();
    let (mut inputs, mut calls, mut done) = (0, 0, 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let seed = seed.wrapping_add(inputs);
        let played = catch_unwind(|| play::play(&bytes(seed)));
        let played = played.unwrap_or_else(|_| panic!("WEIR_FUZZ_SEED={seed} does it"));
        calls += played.calls;
        done += played.done;
        inputs += 1;
    }
    let told = format!("{inputs} inputs in {seconds} s: {calls} calls, {done} of them done\n");
    std::io::stderr().write_all(told.as_bytes()).unwrap();
    // Or the inputs are no calls that guests make.
    assert!(done > calls / 20, "{told}");
}
