//! The map engine: values that guests share across VMs and workers.
//!
//! [`memory`] is the engine of WASI-Map in memory; [`store`] is what any back end must do. The
//! shared data and queues of Proxy-Wasm ([`space`], [`table`], [`queue`]) are kept in a table of
//! their own until they become maps too. Invariants: no lock is held while foreign code runs;
//! every map, table and queue has a limit and refuses beyond it, and what is refused has changed
//! nothing; a space lives exactly as long as a handle to it.

pub mod error;
pub mod rights;

pub mod clock;
pub mod key;
pub mod options;
pub mod value;

pub mod store;

pub mod budget;
pub mod gate;
pub mod memory;
pub mod watch;

pub mod engine;
pub mod graph;
pub mod handles;
pub mod map;
pub mod scan;
pub mod tickets;

pub mod queue;
pub mod space;
mod sync;
pub mod table;

pub use clock::{Clock, ManualClock, SystemClock};
pub use engine::{Engine, Grants};
pub use error::{Errno, MapError};
pub use handles::{Ends, Handles, Identity};
pub use map::Map;
pub use memory::{MemoryStore, MemoryTable, NoEdges};
pub use options::{Eviction, MapOptions};
pub use queue::{DequeueError, EnqueueError, QueueListener, RegisterError};
pub use rights::Rights;
pub use scan::Cursor;
pub use space::{Quota, Space, Spaces};
pub use store::{Answer, Store, Terms};
pub use table::{SetError, Table, Versions};
pub use value::{MapId, Value};
pub use watch::{Change, Event, Watch};
