//! Limits of functions.

use std::time::Duration;

/// Bytes of linear memory of an instance. As for filters: languages with a runtime of their own need
/// some tens of megabytes.
pub const MEMORY_BYTES: u64 = 128 << 20;

/// Running time of a call. A handler that computes for a second is the exception.
pub const TIME: Duration = Duration::from_secs(1);

/// Wall time of a call. Longer than what it waits for usually takes.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of a request's body that is handed over whole.
pub const REQUEST_BYTES: u64 = 16 << 20;

/// Bytes of a body that a function answers or fetches whole.
pub const RESPONSE_BYTES: u64 = 16 << 20;

/// Instances of a function that run at once. Bounds memory: this many times that of one.
pub const INSTANCES: u32 = 1000;

/// Calls that wait for an instance.
pub const QUEUE: u32 = 10_000;

/// How long a call waits for an instance. A client that has waited longer has mostly gone.
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// Outgoing requests in flight of one call.
pub const FETCHES: u32 = 16;

/// Calls of functions by functions, one in the other. Deeper is a mistake, mostly a circle.
pub const DEPTH: u32 = 8;

/// Instances of all functions that run at once, over all workers. Bounds address space: each may
/// have reserved four gigabytes.
pub const ALL_INSTANCES: u32 = 4000;
