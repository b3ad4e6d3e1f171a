//! Tests of the guest room, with modules written as text for one statement each.
//!
//! Numbers in test names are those of the conformance checklist in the ABI reference, section 9.

mod apart;
mod capabilities;
mod code;
mod common;
mod door;
mod failing;
mod images;
mod limits;
mod loading;
mod memory;
mod pairs;
mod random;
mod recording;
mod regions;
mod snapshots;
mod starting;
mod system;
mod waiting;
