//! Tests of capsules: guests are recorded, written to a file, read and replayed.

mod common;
mod hostile;
mod masks;
mod replays;
