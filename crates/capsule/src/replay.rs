//! Runs a program against a capsule.

use std::io::Read;
use std::time::Duration;

use weir_guest::door::FailureKind;
use weir_guest::snapshot::PictureError;
use weir_guest::{Host, Program, StartError, Vm};
use weir_model::GuestLimits;
use weir_model::limits::{GUEST_TIME_MAX, capsule as limits};

use crate::head::{Head, Start, Trigger};
use crate::player::{Difference, Mismatch, Player, Position};
use crate::read::{ReadError, Reader};
use crate::tape::Lost;

/// Why a capsule cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its beginning is not known.
    #[error("the capsule can be looked at, not replayed: {0}")]
    Lost(Lost),
    /// Its image is another module's.
    #[error(
        "the capsule begins with an image of another module: it can be replayed with module \
         {} only", hex(.0)
    )]
    OtherModule([u8; 32]),
    /// Its image does not fit its module.
    #[error("the capsule's image does not fit: {0}")]
    Picture(#[from] PictureError),
    /// The guest did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Whether it was the same.
    pub verdict: Verdict,
    /// How far it came.
    pub position: Position,
}

/// Whether a replay was the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// In everything.
    Same,
    /// Up to the last call; how the guest ended depends on the engine and the machine.
    SameUntilEnd(Difference),
    /// The guest went on where the recorded one had failed.
    WentOn(Difference),
    /// It did something else.
    Differs(Difference),
}

/// Replays a capsule with a program: the one that was recorded, or another.
///
/// # Errors
///
/// [`ReplayError`] when nothing can be said of it.
pub fn replay<R: Read + 'static>(
    host: &Host<Player>,
    program: &Program,
    mut reader: Reader<R>,
) -> Result<Replayed, ReplayError> {
    let head = reader.head().clone();
    let is_same = head.module.sha256 == *program.identity();
    let image = match head.start {
        Start::Lost(why) => return Err(ReplayError::Lost(why)),
        Start::Beginning => None,
        Start::Image if is_same => reader.skip_to_image()?,
        Start::Image => return Err(ReplayError::OtherModule(head.module.sha256)),
    };
    let player = Player::new(&head, Box::new(reader.records()));
    let player = if is_same { player } else { player.lenient() };
    let allowed = patient(&head);
    let mut vm = match image {
        Some(image) => host.start_from(program, &program.snapshot_of(&image)?, player, &allowed)?,
        None => host.start(program, player, &allowed)?,
    };
    run(&mut vm, allowed.call.max(allowed.start));
    Ok(judged(vm.world()))
}

fn run(vm: &mut Vm<Player>, limit: Duration) {
    while let Some(event) = vm.world().next_event() {
        if !vm.hears(&event) {
            vm.world().deaf(&event);
            return;
        }
        // How it ended is judged by the world.
        let ended = vm.deliver(&event, limit).is_err();
        if ended {
            break;
        }
    }
    vm.world().finish();
}

fn judged(player: &Player) -> Replayed {
    let verdict = match player.difference().cloned() {
        None => Verdict::Same,
        Some(difference) => match &difference.what {
            Mismatch::WentOn {
                is_of_engine: true, ..
            } => Verdict::SameUntilEnd(difference),
            Mismatch::WentOn { .. } => Verdict::WentOn(difference),
            _ => Verdict::Differs(difference),
        },
    };
    Replayed {
        verdict,
        position: player.position(),
    }
}

/// The limits of the recording, with more time: unless it was time that ran out.
fn patient(head: &Head) -> GuestLimits {
    let mut allowed = GuestLimits::from(head.limits);
    // Whoever wrote the capsule may have written anything.
    for time in [&mut allowed.call, &mut allowed.start] {
        *time = (*time).min(GUEST_TIME_MAX);
    }
    if !matches!(head.trigger, Trigger::Failure(FailureKind::Deadline, _)) {
        let longer = |time: Duration| {
            time.saturating_mul(limits::REPLAY_CALL_FACTOR)
                .max(limits::REPLAY_CALL_TIME)
                .min(GUEST_TIME_MAX)
        };
        (allowed.call, allowed.start) = (longer(allowed.call), longer(allowed.start));
    }
    allowed
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
