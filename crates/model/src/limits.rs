//! Every limit and every default, each with its unit and its reason.

pub mod bindgen;
pub mod capsule;
pub mod debug;
pub mod dev;
pub mod disk;
pub mod functions;
pub mod guest;
pub mod maps;
pub mod redis;

use std::time::Duration;

pub use guest::{
    Exceeded, GUEST_CALL_TIME, GUEST_MEMORY_BYTES, GUEST_TIME_MAX, GuestLimits, Limit,
};

/// Bytes of a module file.
pub const MODULE_BYTES_MAX: u64 = 256 << 20;
/// Bytes of functions up to which a module is compiled for speed at once: this takes a processor
/// about a fifth of a second at most, and spares its VMs a replacement soon after the start.
pub const QUICK_CODE_BYTES: usize = 192 << 10;
/// Modules that are compiled for speed at the same time while others serve, each by one thread.
pub const BACKGROUND_COMPILERS_MAX: usize = 2;
/// Files of compiled code on disk, all together: some twenty big plugins.
pub const CODE_CACHE_BYTES: u64 = 1 << 30;
/// The least that may be configured: room for the code of one big plugin.
pub const CODE_CACHE_BYTES_MIN: u64 = 16 << 20;
/// The most that may be configured.
pub const CODE_CACHE_BYTES_MAX: u64 = 1 << 40;
/// Files in the cache of compiled code, so that looking through it stays cheap.
pub const CODE_CACHE_FILES_MAX: usize = 4096;
/// Bytes of one file of compiled code: the largest module, made ten times as long.
pub const CODE_FILE_BYTES_MAX: u64 = 10 * MODULE_BYTES_MAX;
/// Stack of a guest. Deep recursion traps the guest, never the host.
pub const GUEST_STACK_BYTES: usize = 1 << 20;
/// Calls on a guest's stack that a failure names: enough to see who called whom.
pub const TRACE_FRAMES_MAX: usize = 20;
/// Characters of a name or path in them: generic functions have names without end.
pub const TRACE_NAME_CHARS_MAX: usize = 256;
/// Bytes of a function's name beyond which it is told as it is: demangling costs time that grows
/// with it, and names are the plugin's.
pub const TRACE_MANGLED_BYTES_MAX: usize = 1024;
/// Bytes of a module's `.debug_line` (DWARF) up to which failures are told with source lines: it may
/// grow 30 times as large when it is read.
pub const DEBUG_LINE_BYTES_MAX: usize = 4 << 20;
/// Bytes of any other section of its DWARF, for the same reason.
pub const DEBUG_SECTION_BYTES_MAX: usize = 16 << 20;
/// New failures that wait for their source lines; those beyond are told without.
pub const LINES_WAITING_MAX: usize = 64;
/// Images of a plugin that drew random numbers while it started: requests pick one by chance.
pub const SEEDED_IMAGES: u32 = 4;
/// The most that may be configured: each is a state of the VM in memory.
pub const SEEDED_IMAGES_MAX: u32 = 64;
/// One of them is made anew this often.
pub const RESEED_INTERVAL: Duration = Duration::from_mins(1);
/// Copies of one VM that wait for their next stream, on one worker: what a burst leaves behind.
pub const IDLE_COPIES_MAX: usize = 256;
/// Distinct failures of one filter that are logged in full and counted by themselves; a plugin that
/// fails in more ways than that is broken in all of them.
pub const DISTINCT_FAILURES_MAX: usize = 64;
/// Repeated failures of one filter are told this often, in one line.
pub const FAILURE_SUMMARY_INTERVAL: Duration = Duration::from_secs(10);
/// A VM that was started on trial and sees no request holds the others up for no longer than this.
pub const BREAKER_PROBE_TIME: Duration = Duration::from_secs(1);
/// A failed VM that no request replaces is replaced by itself after this, or later if the breaker
/// says so: its timers and queues are to go on.
pub const RESTART_DELAY: Duration = Duration::from_secs(1);
/// A plugin that has failed often, and serves requests in between, is started again after so many
/// times what its last start took: starts take at most a fifth of a processor for each worker.
pub const START_SPACING: u32 = 4;
/// A start that is not due for longer is not waited for.
pub const START_SPACING_WAIT_MAX: Duration = Duration::from_millis(2500);
/// VMs in the place of failed ones that one worker starts at the same time, each on a thread of its
/// own: so they take no more processors than the workers do.
pub const STARTS_ASIDE_MAX: usize = 1;
/// How long what needs a VM waits for it to start, on the wall: large plugins take one to two seconds
/// on a busy machine. Then it meets the plugin's failure policy.
pub const START_WAIT_MAX: Duration = Duration::from_secs(5);
/// Requests, log lines and notices of queues that wait for one VM: each holds a client's connection or
/// a request's headers.
pub const START_WAITERS_MAX: usize = 1024;
/// Events that wait for one VM whose guest waits for another machine: parts of requests, notices of
/// queues, each with what it is about. Beyond it a request meets the plugin's failure policy, and a
/// notice is dropped. Ends of requests that the guest knows are not refused.
pub const WAITING_EVENTS_MAX: usize = 1024;
/// Patterns of requests that one filter remembers for its quarantine. The oldest is forgotten.
pub const QUARANTINE_PATTERNS_MAX: usize = 256;
/// Stack of a worker thread: a guest's stack, and room for the host's calls on top of it.
pub const WORKER_STACK_BYTES: usize = 8 << 20;

/// Bytes of a module's data segments that become its start image, in pages: as much as one VM may
/// have by default. What is beyond stays in the module and is copied at every start.
pub const START_IMAGE_BYTES_MAX: usize = 256 << 20;
/// Bytes of a file that a guest maps at once: they are read while the worker waits, some 0.5 ms for
/// each MiB.
pub const GUEST_FILE_MAPPED_BYTES_MAX: usize = 64 << 20;
/// Address ranges (4 GiB each, without memory) that are kept for the next VMs of a process.
pub const GUEST_RESERVATIONS_KEPT: usize = 64;
/// Bytes that one request may have written to and that its VM keeps for the next request instead of
/// giving them back: a Go plugin writes to some hundred KiB, page faults cost more than copying.
pub const RESET_KEPT_BYTES_MAX: usize = 16 << 20;
/// Bytes of memory from which on a VM notes whether its events took page faults (0.3 µs an event), so
/// that a reset need not look through all pages (some 10 µs for a Go plugin's).
pub const FAULTS_NOTED_BYTES_MIN: u64 = 1 << 20;

/// A pairs buffer handed over by a guest (as Envoy).
pub const PAIRS_BYTES_MAX: usize = 1 << 20;
/// Pairs in such a buffer (as Envoy).
pub const PAIRS_MAX: usize = 1024;
/// Bytes that a header map may hold once a guest has written to it, beside what came from the wire:
/// as much as one pairs buffer, and many times what servers take.
pub const HEADER_MAP_BYTES_MAX: usize = PAIRS_BYTES_MAX;
/// Headers in such a map (as in a pairs buffer).
pub const HEADER_MAP_ENTRIES_MAX: usize = PAIRS_MAX;
/// Bytes that a body may have in which a guest replaces or adds bytes, unless the filters may hold
/// more: what `uncompress` may give at once.
pub const EDITED_BODY_BYTES_MAX: usize = FOREIGN_BYTES_MAX;
/// Bytes of the body of an answer that a guest composes (as what it may inject ahead of a client).
pub const ANSWER_BODY_BYTES_MAX: usize = INJECTED_BYTES_MAX;
/// Bytes of the details of such an answer, which the access log shows; the rest is cut.
pub const ANSWER_DETAILS_BYTES_MAX: usize = 4 << 10;
/// Bytes of one `random_get` (as Envoy).
pub const RANDOM_BYTES_MAX: u32 = 64 << 10;
/// Parts of one write of a guest to its output: what systems allow a `writev`.
pub const WRITE_PARTS_MAX: u32 = 1024;
/// Bytes of one log line of a guest; the rest is cut.
pub const GUEST_LOG_BYTES_MAX: usize = 16 << 10;
/// Files and folders that one VM may have open: plugins read tables, they keep no archives.
pub const GUEST_FILES_OPEN_MAX: usize = 64;
/// Bytes that one file may grow to by a guest's writes.
pub const GUEST_FILE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of one read or write of a guest; longer ones are cut, which callers expect of files. The
/// worker waits for the disk meanwhile.
pub const GUEST_FILE_STEP_BYTES_MAX: usize = 1 << 20;
/// Entries of a folder that a guest may list; the rest is left out.
pub const GUEST_FOLDER_ENTRIES_MAX: usize = 4096;
/// Folders that one filter may be granted.
pub const GUEST_FOLDERS_MAX: usize = 16;
/// Different things that are remembered of what one filter touched or was refused: names of headers,
/// properties, clusters. Guests choose such names.
pub const TOUCHED_ENTRIES_MAX: usize = 1024;
/// Bytes of such a name; the rest is cut.
pub const TOUCHED_NAME_BYTES_MAX: usize = 256;
/// Bytes of a name that a plugin asks with: of a header (what the codec takes), a cluster, a queue, a
/// function. It is refused before anything is made of it.
pub const GUEST_NAME_BYTES_MAX: usize = 64 << 10;
/// Bytes of the path of a property, which is split into its parts. Real ones have some dozens.
pub const PROPERTY_PATH_BYTES_MAX: usize = 4 << 10;
/// Body of a callout's response (as Envoy's async client).
pub const CALLOUT_BODY_BYTES_MAX: usize = 32 << 20;
/// Body of a callout's request, as of its response.
pub const CALLOUT_REQUEST_BYTES_MAX: usize = CALLOUT_BODY_BYTES_MAX;
/// Redis connections of one worker: clusters times databases times logins. Plugins name databases
/// freely.
pub const REDIS_CLIENTS_MAX: usize = 64;
/// Commands without a reply on one Redis connection; a further one fails at once.
pub const REDIS_COMMANDS_MAX: usize = 4096;
/// Bytes of commands that wait to be written to one Redis.
pub const REDIS_QUEUE_BYTES_MAX: usize = 16 << 20;
/// One reply of a Redis (as the body of a callout).
pub const REDIS_REPLY_BYTES_MAX: usize = 32 << 20;
/// A line of a Redis reply that never ends; real error texts have a few hundred bytes.
pub const REDIS_LINE_BYTES_MAX: usize = 64 << 10;
/// For one Redis command, if the plugin sets no time (as Higress).
pub const REDIS_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes that a filter may put into a response ahead of a slow client.
pub const INJECTED_BYTES_MAX: usize = 16 << 20;
/// Bytes of one gRPC message, either way (as for a callout's body; Envoy has no limit).
pub const GRPC_MESSAGE_BYTES_MAX: usize = 32 << 20;
/// Bytes that a guest may have given to one gRPC stream and that its server has not taken yet.
pub const GRPC_UNSENT_BYTES_MAX: usize = 32 << 20;
/// Bytes that a foreign function takes or gives: `compress` and `uncompress` of one large body.
pub const FOREIGN_BYTES_MAX: usize = 32 << 20;
/// Bytes of a key for `sign` and `verify_signature`, in the form in which it is given: a private RSA
/// key of 8192 bits needs 6.4 KiB as PEM. Twice the bits take eight times as long to sign.
pub const FOREIGN_KEY_BYTES_MAX: usize = 8 << 10;
/// Bytes of source text of one CEL expression: conditions are lines, not programs.
pub const EXPRESSION_BYTES_MAX: usize = 16 << 10;
/// Brackets inside brackets of one CEL expression, so that parsing needs less than half a megabyte
/// of stack even in a debug build. Long chains of operators and conditions are no nesting.
pub const EXPRESSION_NESTING_MAX: usize = 32;
/// Depth of one CEL expression when evaluated: sums and members in a row count, too.
pub const EXPRESSION_DEPTH_MAX: usize = 64;
/// What evaluating one CEL expression may cost: one for each of its parts each time that it is looked
/// at, 64 for an attribute, one for a byte or element that is joined. Ordinary conditions need some
/// hundreds; this much takes less than [`GUEST_CALL_TIME`].
pub const EXPRESSION_WORK_MAX: usize = 1 << 18;
/// Live CEL expressions of one root context.
pub const EXPRESSIONS_MAX: usize = 4096;
/// Metrics that the plugins of one process may define together.
pub const GUEST_METRICS_MAX: usize = 10_000;
/// Bytes of properties that filters may set on one stream.
pub const STREAM_PROPERTIES_BYTES_MAX: usize = 1 << 20;

/// Body bytes that a filter may make the gateway hold, per direction of one exchange (as Envoy's
/// `per_connection_buffer_limit_bytes`).
pub const BODY_BUFFER_BYTES: usize = 1 << 20;
/// The most that may be configured.
pub const BODY_BUFFER_BYTES_MAX: usize = 1 << 30;
/// Bytes of a request head, line and headers; above it the answer is 431 (as Envoy: 60 KiB).
pub const REQUEST_HEAD_BYTES: usize = 60 << 10;
/// Headers in one request (as Envoy).
pub const HEADERS_MAX: usize = 100;
/// Bytes of one line between the chunks of a body: size with extensions, or a trailer (as the codec
/// has it for both together).
pub const CHUNK_LINE_BYTES: usize = 16 << 10;
/// Bytes in flight towards a slow peer before its sender is paused.
pub const STREAM_WINDOW_BYTES: usize = 64 << 10;

/// From the last byte of the request to the end of the response (as Envoy's route timeout).
pub const ROUTE_TIMEOUT: Duration = Duration::from_secs(15);
/// Without a byte in either direction on an exchange (as Envoy's stream idle timeout).
pub const STREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(5);
/// A client connection without a request (as Envoy: one hour).
pub const CONNECTION_IDLE_TIMEOUT: Duration = Duration::from_hours(1);
/// From the first byte of a request head to its end: slow-loris protection.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// TCP connect to an endpoint (as Envoy's default).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle upstream connection is kept this long.
pub const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// From SIGTERM until connections still open are closed.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// From the end of a worker's last connection until plugins that asked for time are ended anyway.
pub const ROOT_END_TIME: Duration = Duration::from_secs(1);
/// How often DNS names of endpoints are resolved again (as Envoy).
pub const DNS_REFRESH: Duration = Duration::from_secs(5);
/// Connections of one listener, all workers together.
pub const CONNECTIONS_MAX: usize = 65_536;
/// Bytes of a response head of an upstream (as Envoy).
pub const RESPONSE_HEAD_BYTES: usize = 60 << 10;
/// The most that is read from an upstream at once. A response of 64 KiB and its head come in one
/// read and leave in one write; the codec grows its buffer to this only where traffic fills it.
pub const UPSTREAM_READ_BYTES: usize = 256 << 10;
/// Connections to one cluster, per worker.
pub const UPSTREAM_CONNECTIONS_MAX: usize = 4096;
/// Requests at once on one HTTP/2 connection to an endpoint; fewer if it says so.
pub const H2_STREAMS_MAX: usize = 100;
/// Bytes of one HTTP/2 response that may be on their way before their reader takes any.
pub const H2_STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// The same for one HTTP/2 connection: responses that nobody reads never hold up the others.
pub const H2_CONNECTION_WINDOW_BYTES: u32 = 100 * H2_STREAM_WINDOW_BYTES;
/// Bytes of one HTTP/2 request that wait for their turn on the connection.
pub const H2_SEND_BUFFER_BYTES: usize = 256 << 10;
/// Silence after which the system asks whether the other end of an HTTP/2 connection is still there:
/// many requests would wait for one that is gone.
pub const H2_KEEP_ALIVE_AFTER: Duration = Duration::from_secs(30);
/// Requests that wait for a connection to one cluster, per worker.
pub const UPSTREAM_PENDING_MAX: usize = 4096;
/// Endpoints that may be tried for one TCP connection.
pub const CONNECT_ATTEMPTS_MAX: u32 = 100;
/// Bytes that are read from a TCP connection at once, and the step in which more is read for
/// filters that wait (as Envoy's).
pub const TCP_READ_STEP_BYTES: usize = 16 << 10;
/// Bytes of one direction of a TCP connection that are read before its filters are shown them.
pub const TCP_ROUND_BYTES: usize = 256 << 10;
/// Filters that continue a TCP connection inside one another's callbacks; above it they go round in
/// circles, and the connection is closed.
pub const TCP_CONTINUES_MAX: u32 = 32;
/// Retries of one request.
pub const RETRIES_MAX: u32 = 10;
/// A request body up to this size is kept so that the request can be sent again.
pub const REPLAY_BODY_BYTES: usize = 64 << 10;

/// Bytes of a configuration file: thousands of routes are well below it.
pub const CONFIG_BYTES_MAX: usize = 8 << 20;
/// Nesting of a configuration file; the deepest section needs eight levels, the rest is for the
/// configuration of filters.
pub const CONFIG_DEPTH_MAX: usize = 64;
/// Values of a configuration file, aliases counted as what they stand for.
pub const CONFIG_NODES_MAX: usize = 1_000_000;
/// Problems of one file that are listed; further ones are counted.
pub const CONFIG_PROBLEMS_MAX: usize = 200;
/// Characters of a name of a cluster, module, filter, listener or route.
pub const NAME_CHARS_MAX: usize = 255;
/// Worker threads that may be configured.
pub const WORKERS_MAX: usize = 1024;

/// Connections that the kernel holds for a worker that has not accepted them yet, per listener.
pub const LISTEN_BACKLOG: u32 = 4096;
/// A client connection that waits this long for its next request gives its buffers back.
pub const CONNECTION_PARK_AFTER: Duration = Duration::from_secs(5);
/// How long a closing connection swallows what the client still sends, so that the client reads
/// the answer before it sees a reset (RFC 9112 §9.6; as Envoy's `delayed_close_timeout`).
pub const LINGER_TIME: Duration = Duration::from_secs(1);
/// Bytes swallowed by a closing connection at most.
pub const LINGER_BYTES: usize = 256 << 10;
/// Longest pause of a listener whose accepts fail (no free descriptor).
pub const ACCEPT_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Threads for blocking work (files, DNS) of one worker.
pub const BLOCKING_THREADS_MAX: usize = 4;
/// Bytes of access log that a worker gathers before they go to the writer.
pub const LOG_CHUNK_BYTES: usize = 8 << 10;
/// An access log line waits this long for company at most.
pub const LOG_FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// Chunks of access log between all workers and the writer; when it is full, lines are dropped
/// and counted.
pub const LOG_QUEUE_CHUNKS: usize = 256;
/// How long a drain waits for the reader of the access log.
pub const LOG_CLOSE_TIME: Duration = Duration::from_secs(2);

/// Connections to the admin address at once; a further one waits.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Longest exchange on the admin address, from accept to the end of the answer.
pub const ADMIN_EXCHANGE_TIME: Duration = Duration::from_secs(10);

/// Watches of maps that go on on the admin address: the rest of its connections is for others.
pub const ADMIN_WATCHES_MAX: usize = 32;
/// Bytes of a value that is written on the admin address.
pub const ADMIN_VALUE_BYTES_MAX: usize = 16 << 20;
/// Entries of one page of a map on the admin address, and the bytes of keys and values in it.
pub const ADMIN_PAGE_ENTRIES_MAX: usize = 1000;
/// See [`ADMIN_PAGE_ENTRIES_MAX`].
pub const ADMIN_PAGE_BYTES_MAX: usize = 4 << 20;

/// Bytes of one message between the gateway and a plugin's process: twice the largest body that a
/// plugin gets or gives at once.
pub const APART_FRAME_BYTES_MAX: usize = 64 << 20;
/// Bytes of a text about a failure that a plugin's process may tell.
pub const APART_TEXT_BYTES_MAX: usize = 64 << 10;
/// What a plugin's process may write to besides the memory of its guests: the engine's own
/// structures, stacks, and a message in each direction.
pub const APART_HOST_BYTES: u64 = 256 << 20;
/// How much longer than twice the limit of a call a plugin's process may be silent. It ends its
/// guests itself and in time; only one that was taken over, or got no processor, is silent longer.
pub const APART_GRACE: Duration = Duration::from_secs(1);
/// How often a request begins again at a filter whose process is gone. More often than that it may be
/// what ends them.
pub const REQUEST_RESTARTS_MAX: u8 = 3;
/// From the start of a plugin's process until it stands behind its walls, with its code loaded.
pub const APART_READY_TIME: Duration = Duration::from_secs(10);
/// The user and group of a plugin's process, if the gateway runs as root: the number that systems
/// give to nobody.
pub const APART_USER: u32 = 65_534;
/// Descriptors of a plugin's process with snapshots: an image for each memory of a few snapshots.
pub const APART_FILES_MAX: u64 = 256;
