//! The core ABI as guests see it. `table` holds every function with its arguments, `bad_input` plays
//! every mistake that can be made with each of them; `component` does the same with components.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alloc;
mod bad_input;
mod component;
mod draft;
mod example;
mod fuzzed;
mod house;
mod table;
mod waiting;
mod wit;
mod works;
