//! Back ends of maps that keep their entries outside of the process's memory.
//!
//! Each is a module with a feature of its own, implements [`weir_maps::Store`], and passes the suite
//! in `crates/maps/tests/all/suite.rs`.

#[cfg(feature = "disk")]
pub mod disk;
#[cfg(feature = "durable")]
pub mod durable;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "ssd")]
pub mod ssd;
