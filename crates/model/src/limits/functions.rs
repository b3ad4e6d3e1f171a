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

/// Bytes of stack of a guest. As for filters: interpreters in guests nest deeply.
pub const STACK_BYTES: usize = 1 << 20;

/// Time after which a guest that computes lets others of its worker run.
pub const SLICE: Duration = Duration::from_millis(4);

/// Memories of one component. Real ones have one or two.
pub const COMPONENT_MEMORIES: u32 = 8;

/// Tables of one component. Languages with shared libraries have one for each.
pub const COMPONENT_TABLES: u32 = 64;

/// Elements of one table. Runtimes of scripting languages have some tens of thousands of functions.
pub const TABLE_ELEMENTS: usize = 200_000;

/// Bytes that the engine keeps about one core instance or component: they grow with its functions.
pub const INSTANCE_BYTES: usize = 4 << 20;

/// Bytes of an instance's memory that are cleared instead of given back to the system when it ends:
/// a handler that writes less never enters the kernel for its memory.
pub const KEPT_MEMORY_BYTES: usize = 128 << 10;

/// Bytes of its tables, for the same reason.
pub const KEPT_TABLE_BYTES: usize = 8 << 10;

/// Things that a guest holds open at a time: streams, bodies, fields, pollables.
pub const RESOURCES: usize = 10_000;

/// Bytes of one write to a response's body. One write waits while another is on its way.
pub const WRITE_BYTES: usize = 64 << 10;

/// Bytes of JSON that become the arguments of an exported function: as values of the host they are up
/// to forty times as large. Plain text and bytes are no JSON.
pub const JSON_BYTES: usize = 1 << 20;

/// Bytes that the host may take to copy what a component hands over at once: the results of a call,
/// as values of the host.
pub const HANDED_BYTES: usize = 64 << 20;

/// Bytes of the head of a response that a guest writes, and of a head that it sends: as much as servers
/// take, and then some.
pub const HEAD_BYTES: usize = 64 << 10;

/// Random bytes of one call.
pub const RANDOM_BYTES: usize = 64 << 10;
