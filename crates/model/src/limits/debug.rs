//! Limits of `weir explain` and `weir debug`.

/// Bytes of one function that are listed: each instruction comes with its text, the types on the
/// stack and the open blocks, some hundred times its own length.
pub const LISTED_CODE_BYTES_MAX: usize = 4 << 20;
/// Types on the operand stack, summed over all instructions of one function that is listed: 160 MB.
pub const LISTED_TYPES_MAX: usize = 32 << 20;
/// Calls of a thread's stack that are shown.
pub const SHOWN_FRAMES_MAX: usize = 1000;
/// Characters that are kept of one call of a host function.
pub const HOST_CALL_CHARS_MAX: usize = 400;
/// Changed places of memory that are told of one step; the rest is counted.
pub const CHANGES_MAX: usize = 256;
/// Bytes that are told of one of them.
pub const CHANGE_BYTES_MAX: usize = 256;
/// Instructions of a call that `weir explain` tells, if nobody says otherwise: a few seconds.
pub const TRACED_INSTRUCTIONS: u64 = 100_000;
