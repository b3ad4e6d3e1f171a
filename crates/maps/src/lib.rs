//! The map engine: values that guests share across VMs and workers.
//!
//! What is here now is what Proxy-Wasm needs: shared data with compare-and-swap, and shared queues,
//! both grouped into one [`Space`] per VM id. The [`table`] underneath is the memory back end that
//! WASI-Map grows from: sharded, bounded, with a 64-bit version on every entry. Invariants: no lock
//! is held while foreign code runs; every table and queue has a limit and refuses beyond it; a
//! space lives exactly as long as a handle to it.

pub mod queue;
pub mod space;
pub mod table;

pub use queue::{DequeueError, EnqueueError, QueueListener, RegisterError};
pub use space::{Quota, Space, Spaces};
pub use table::{SetError, Table, Versions};
