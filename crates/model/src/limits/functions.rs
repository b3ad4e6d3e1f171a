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

/// Files of certificates that are trusted: one for each authority of an organisation is plenty.
pub const TRUST_FILES_MAX: usize = 64;

/// The most instances that may be configured to run at once: the engine has no more places.
pub const ALL_INSTANCES_MAX: u64 = 4000;

/// The most calls that may be configured to wait: each holds a connection and a few kilobytes.
pub const QUEUE_MAX: u64 = 1_000_000;

/// The most bytes of a body that may be configured to be held whole: it has to fit the guest's
/// memory beside everything else.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

/// The most outgoing requests in flight of one call that may be configured.
pub const FETCHES_MAX: u64 = 1024;

/// The most calls in one another that may be configured: each has a stack and an instance.
pub const DEPTH_MAX: u64 = 64;

/// Entries of one list of granted hosts, which is looked through for each outgoing request.
pub const HOSTS_MAX: usize = 1024;

/// `content-type` of what an exported function answers. Bytes that nobody takes for a page.
pub const EXPORT_CONTENT_TYPE: &str = "application/octet-stream";

/// Connecting to a server that a function sends a request to, its name's look-up included.
pub const FETCH_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// From there to the head of the response. A call has ended by then, unless its own limit is longer.
pub const FETCH_FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(15);

/// Between two chunks of the body of a response.
pub const FETCH_BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(15);

/// A pooled connection to such a server is closed when it has not been used for so long.
pub const FETCH_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections of one worker to one such server.
pub const FETCH_CONNECTIONS_MAX: usize = 256;

/// Such servers that one worker keeps connections to. What is beyond gives its place up.
pub const FETCH_POOLS_MAX: usize = 256;

/// How old the addresses of a name may be that such a request goes to: bursts ask once.
pub const FETCH_NAME_AGE: Duration = Duration::from_secs(5);

/// Names whose addresses are remembered. Guests with a grant for all names below one may make up
/// as many as they like.
pub const NAMES_MAX: usize = 1024;

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

/// Instances, of all functions together, whose places keep memory when they have ended. More run at
/// once only in bursts, and what those have used is given back. Bounds what an idle gateway holds: so
/// many stacks, and twice as many times the following two, because functions have places of their own
/// as long as there are so many free ones.
pub const KEPT_INSTANCES: u32 = 64;

/// Bytes that an instance has written and that are cleared instead of given back to the system when it
/// ends: a handler that writes less finds its pages there, and causes no page faults.
pub const KEPT_MEMORY_BYTES: usize = 128 << 10;

/// Bytes of its tables, for the same reason.
pub const KEPT_TABLE_BYTES: usize = 8 << 10;

/// Things that a guest holds open at a time: streams, bodies, fields, pollables. The host keeps up to
/// 64 KiB for some of them: all together about twice as much as a guest has memory.
pub const RESOURCES: usize = 4000;

/// Bytes of one write to a response's body. One write waits while another is on its way.
pub const WRITE_BYTES: usize = 64 << 10;

/// Bytes of the head of a response that a guest writes, and of a head that it sends: as much as servers
/// take, and then some.
pub const HEAD_BYTES: usize = 64 << 10;

/// Random bytes of one call.
pub const RANDOM_BYTES: usize = 64 << 10;

/// Random bytes of one call of WASI, which makes them one by one: in a few milliseconds, while nobody
/// else of the worker runs.
pub const WASI_RANDOM_BYTES: u64 = 1 << 20;

/// Bytes of JSON that become the arguments of an exported function: as values of the host they are up
/// to forty times as large. Plain text and bytes are no JSON.
pub const JSON_BYTES: usize = 1 << 20;

/// Fields of records that become arguments of an exported function. JSON may leave options out: some
/// bytes of it would become as many values as its type has fields, each as large as a hundred bytes.
pub const JSON_VALUES: usize = 500_000;

/// Bytes that the host may take to copy what a component hands over at once: the results of a call,
/// as values of the host.
pub const HANDED_BYTES: usize = 64 << 20;
