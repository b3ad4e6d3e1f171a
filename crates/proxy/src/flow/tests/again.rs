//! Stages that are shown once more what they hold.

use super::super::*;
use super::{frame, text};
use Action::{Buffer, Continue, Drop, StopAllAndBuffer, StopIteration, Watermark};

/// What a stage is shown until nothing more comes.
fn show(flow: &mut Flow, actions: &[Action]) -> String {
    let mut actions = actions.iter();
    let mut shown = Vec::new();
    while let Some((stage, part)) = flow.next() {
        shown.push(match part {
            Part::Headers { end } => text(&Frame::Headers { end }),
            Part::Trailers => "T".to_owned(),
            Part::Body { end } => {
                let bytes = flow.window(stage).unwrap().slice(0, usize::MAX);
                text(&Frame::Body { bytes, end })
            }
        });
        flow.apply(stage, part, *actions.next().unwrap_or(&Continue), false);
    }
    shown.join(" ")
}

/// What is shown once more, and then leaves; `None`: it cannot be.
#[track_caller]
fn check(arrivals: &[&'static str], actions: &[Action], expected: Option<&str>) {
    let mut flow = Flow::new(1, 100);
    for arrival in arrivals {
        flow.arrive(frame(arrival));
    }
    show(&mut flow, actions);
    assert_eq!(flow.can_begin_again(0), expected.is_some());
    let Some(expected) = expected else { return };
    flow.begin_again(0);
    assert_eq!(show(&mut flow, &[]), expected);
    let left: Vec<_> = std::iter::from_fn(|| flow.pop()).collect();
    let left: Vec<_> = left.iter().map(text).collect();
    assert_eq!(left.join(" "), expected);
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
