//! Limits of maps that are kept in Redis.

use std::time::Duration;

/// Operations of one back end that wait for a connection or an answer. Beyond that they are refused.
pub const IN_FLIGHT_MAX: usize = 16_384;
/// How long an operation may take, unless the back end says otherwise: longer than a stalled disk or
/// a lost packet, shorter than a client's patience.
/// Half of the time that a request may have by default: a filter can still say what it does without.
pub const DEADLINE: Duration = Duration::from_millis(500);
/// Opening a connection, with login and scripts.
pub const CONNECT_TIME: Duration = Duration::from_secs(2);
/// The first pause between two tries to connect; it doubles from there, and half of it is chance.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(20);
/// The longest one.
pub const RECONNECT_MAX: Duration = Duration::from_secs(2);
/// The pause before an operation is tried again that a server refused without doing anything (it
/// is loading, a cluster is without a primary); half of it is chance.
pub const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Two looks at the layout of a cluster are this far apart.
pub const TOPOLOGY_PAUSE: Duration = Duration::from_millis(100);
/// How soon a worker notices that a back end is configured no more, and closes its connections.
pub const LEAVING_PAUSE: Duration = Duration::from_secs(1);
/// Commands that wait for one connection's writer.
pub const WRITE_QUEUE: usize = 1024;
/// Bytes that are gathered before they are written to a connection.
pub const WRITE_BYTES: usize = 64 << 10;
/// Bytes of one page of a scan, whatever the caller has room for: an answer is one piece.
pub const PAGE_BYTES_MAX: usize = 4 << 20;
/// Slots of a cluster that one map can be spread over: a scan asks all of them.
pub const SLOTS_MAX: u16 = 256;
/// How long the scripts publish changes after a gateway said that it watches.
pub const WATCH_LEASE: Duration = Duration::from_secs(30);
/// How often a gateway says so. Several may be lost before the lease ends.
pub const WATCH_RENEWAL: Duration = Duration::from_secs(5);
/// How often entries whose time is up are removed. Until then they take up room.
pub const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// Entries that are removed by one of these sweeps at once.
pub const SWEPT_AT_ONCE: usize = 200;
/// Addresses of one back end: those of sentinels, or some nodes of a cluster.
pub const ADDRESSES_MAX: usize = 64;
/// Numbers of databases that may be configured; servers have 16 unless they are told otherwise.
pub const DATABASE_MAX: u64 = 65_535;
/// The longest deadline of an operation that may be configured, in milliseconds.
pub const CONFIGURED_DEADLINE_MS_MAX: u64 = 60_000;

/// Between two times that the log is told of the same trouble with a server.
pub const TOLD_AGAIN: Duration = Duration::from_mins(1);
/// The same if it is another trouble than the last time.
pub const TOLD_ANEW: Duration = Duration::from_secs(1);
