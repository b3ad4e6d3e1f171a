//! What tests of guests need: a scripted world, a recorder, a player, and short ways to run a
//! module.
//!
//! Read in this order: [`script`] answers calls from memory, [`tape`] records any world and plays
//! the recording back, [`run`] compiles and starts modules. Nothing here is fast or complete: it is
//! for tests only.

pub use weir_capsule::asked;

pub mod run;
pub mod script;
pub mod tape;

pub use run::{program, replay, start};
pub use script::Script;
pub use tape::{Line, Player, Recorder, Tape};
