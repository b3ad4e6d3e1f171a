//! Whatever guests ask of maps: see `maps/play.rs`. `crates/maps-wasmtime/tests/all/fuzzed.rs` plays
//! the same without a fuzzer.
#![no_main]

#[path = "maps/guest.rs"]
mod guest;
#[path = "maps/input.rs"]
mod input;
#[path = "maps/play.rs"]
mod play;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    play::play(bytes);
});
