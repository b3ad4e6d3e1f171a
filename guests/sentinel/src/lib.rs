//! Nothing but tests: `tests/same.rs`.
