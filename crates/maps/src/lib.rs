//! The map engine: values that guests share across VMs and workers.
//!
//! [`memory`] is the engine of WASI-Map in memory; [`store`] is what any back end must do. The
//! shared data and queues of Proxy-Wasm ([`space`], [`queue`]) are entries of maps. Invariants: no lock is held while foreign code runs;
//! every map, table and queue has a limit and refuses beyond it, and what is refused has changed
//! nothing; a space lives exactly as long as a handle to it.

pub mod error;
pub mod rights;

pub mod clock;
pub mod key;
pub mod options;
pub mod region;
pub mod value;

pub mod store;

pub mod budget;
pub mod gate;
pub mod memory;
pub mod watch;

pub mod call;
pub mod engine;
pub mod graph;
pub mod handles;
pub mod map;
pub mod meter;
pub mod near;
pub mod numbers;
pub mod pinned;
pub mod scan;
pub mod stored;
pub mod tickets;

pub mod queue;
pub mod space;
mod sync;
mod tally;

pub use call::{Called, LaterReply, MapCall, MapOp, MapReply};
pub use clock::{Clock, ManualClock, SystemClock};
pub use engine::{Engine, Grants};
pub use error::{Errno, MapError};
pub use handles::{Ends, Handles, Identity};
pub use map::Map;
pub use memory::{MemoryStore, MemoryTable, NoEdges};
pub use meter::{Allowance, Meter, Prices, Rate};
pub use near::{NearCache, NearOptions};
pub use numbers::Numbers;
pub use options::{Eviction, MapOptions};
pub use pinned::PinnedStore;
pub use queue::{DequeueError, EnqueueError, QueueListener, RegisterError};
pub use rights::Rights;
pub use scan::Cursor;
pub use space::{Quota, SetError, Space, Spaces};
pub use store::{Answer, Store, Terms};
pub use stored::BackEnd;
pub use value::{MapId, Value};
pub use watch::{Change, Event, Watch};
