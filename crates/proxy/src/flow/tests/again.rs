//! Stages that are shown once more what they hold.

use super::super::*;
use super::{frame, left, show};
use Action::{Buffer, Continue, Drop, StopAllAndBuffer, StopIteration, Watermark};

/// What is shown once more, and then leaves; `None`: it cannot be.
#[track_caller]
fn check(arrivals: &[&'static str], actions: &[Action], expected: Option<&str>) {
    let mut flow = Flow::new(1, 100);
    for arrival in arrivals {
        flow.arrive(frame(arrival));
    }
    show(&mut flow, &mut actions.iter());
    assert_eq!(flow.can_begin_again(0), expected.is_some());
    let Some(expected) = expected else { return };
    flow.begin_again(0);
    assert_eq!(show(&mut flow, &mut [].iter()).join(" "), expected);
    assert_eq!(left(&mut flow), expected);
}

#[test]
fn a_stage_that_holds_all_is_shown_all_again() {
    check(&["H!"], &[StopIteration], Some("H!"));
    check(&["H"], &[StopIteration], Some("H"));
    check(&["H", "a"], &[StopIteration, Buffer], Some("H a"));
    check(
        &["H", "a", "b"],
        &[StopIteration, Buffer, Buffer],
        Some("H ab"),
    );
    check(
        &["H", "a", "b!"],
        &[StopIteration, Watermark, Buffer],
        Some("H ab!"),
    );
    check(&["H", "!"], &[StopIteration, Buffer], Some("H !"));
}

#[test]
fn what_was_held_unseen_is_shown_behind_the_head() {
    check(&["H", "a", "b!"], &[StopAllAndBuffer], Some("H ab!"));
    check(&["H", "a", "T"], &[StopAllAndBuffer], Some("H a T"));
}

#[test]
fn what_went_on_or_is_gone_cannot_be_shown_again() {
    check(&["H"], &[Continue], None);
    check(&["H", "a"], &[StopIteration, Drop], None);
    check(&["H", "a"], &[StopIteration, Continue], None);
    check(
        &["H", "a", "T"],
        &[StopIteration, Buffer, StopIteration],
        None,
    );
}
