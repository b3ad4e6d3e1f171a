//! Limits of capsules: recordings of what a guest was asked and told.

use std::time::Duration;

/// Bytes that are recorded of one VM, unless its filter says otherwise, before a new image of it takes
/// the place of what was recorded: hundreds of ordinary exchanges, and less than the memory of a
/// small plugin.
pub const LOG_BYTES: usize = 1 << 20;
/// The least that may be configured: one exchange with a small body.
pub const LOG_BYTES_MIN: u64 = 16 << 10;
/// The most that may be configured.
pub const LOG_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a recording of the start of a VM that are kept with every capsule. Plugins read their
/// configuration once.
pub const START_BYTES_MAX: usize = 16 << 20;
/// Bytes of one record in a file: an event, or a call with its reply. As much as is ever recorded.
pub const RECORD_BYTES_MAX: usize = 64 << 20;
/// Bytes of one block of a file, as they are and as they are stored.
pub const BLOCK_BYTES_MAX: usize = 1 << 20;
/// Bytes of what a file says of its origin: configurations of plugins, above all.
pub const HEAD_BYTES_MAX: usize = 16 << 20;
/// Things of one kind that a file's head may list: root contexts, withheld functions.
pub const HEAD_ITEMS_MAX: usize = 64 << 10;
/// Bytes of an image in a file: twice the memory that one VM may have by default.
pub const IMAGE_BYTES_MAX: u64 = 512 << 20;
/// Memories and globals of an image in a file.
pub const IMAGE_PARTS_MAX: usize = 64 << 10;
/// Bytes of a text about a failure in a file; the rest is cut.
pub const TEXT_BYTES_MAX: usize = 16 << 10;
/// Values that are masked in one file, the longest first. Beyond it nothing is written.
pub const MASKED_VALUES_MAX: usize = 4096;
/// The shortest value that is masked where it stands by chance, too. A shorter one occurs everywhere.
pub const MASKED_BYTES_MIN: usize = 4;

/// Bytes of all capsules in their folder, unless the configuration says otherwise; the oldest go
/// first.
pub const FOLDER_BYTES: u64 = 256 << 20;
/// The most that may be configured.
pub const FOLDER_BYTES_MAX: u64 = 1 << 40;
/// Capsules in their folder, unless the configuration says otherwise.
pub const FOLDER_FILES: u64 = 1000;
/// The most that may be configured: looking through the folder is to stay cheap.
pub const FOLDER_FILES_MAX: u64 = 100_000;
/// Capsules that wait to be written, all workers together. A further one is dropped and counted.
pub const WAITING_MAX: usize = 64;
/// Bytes of them.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// A captured exchange of a VM that others use gets a new image if this much was recorded since the
/// last one.
pub const CAPTURE_LOG_BYTES: usize = 64 << 10;
/// The least time in which a guest is to return when it is replayed: machines differ, and deadlines
/// are for the gateway.
pub const REPLAY_CALL_TIME: Duration = Duration::from_secs(10);
/// How many times longer than its limit a guest may take when it is replayed.
pub const REPLAY_CALL_FACTOR: u32 = 10;
