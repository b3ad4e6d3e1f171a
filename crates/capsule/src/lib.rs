//! Records what a guest was asked and told, keeps it in a file, and shows it to a guest again.
//!
//! Read in this order: [`record`] is one thing that happened, [`head`] says of whom a capsule is,
//! [`tape`] keeps what happens to one VM, [`recorder`] is the world around a live one that fills it,
//! [`file`] is the form on disk, [`write`] and [`read`] turn the one into the other, [`player`] is a
//! world that answers from a capsule, and [`replay`] runs a program against it. `asked` and [`show`]
//! are for people. The room knows the door and no socket, and does not know who records.

pub mod asked;
pub mod file;
pub mod head;
pub mod mask;
pub mod player;
pub mod read;
pub mod record;
pub mod recorder;
pub mod replay;
pub mod show;
pub mod tape;
pub mod write;

pub use head::{Head, ModuleId, RootHead, RunLimits, Start, Trigger};
pub use mask::Mask;
pub use player::{Difference, Mismatch, Player, Position};
pub use read::{Capsule, ReadError, Reader};
pub use record::{Asked, Outcome, Record};
pub use recorder::{MaybeRecorded, Recorder};
pub use replay::{ReplayError, Replayed, Verdict, replay};
pub use tape::{Lost, Taken, Tape, TapePrint};
pub use write::{WriteError, Written, write};
