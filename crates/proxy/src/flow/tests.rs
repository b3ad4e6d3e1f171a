//! Tables of what arrives, what a stage decides and what leaves; and random orders of everything.

mod again;

use super::*;

fn text(frame: &Frame) -> String {
    match frame {
        Frame::Headers { end } => format!("H{}", if *end { "!" } else { "" }),
        Frame::Body { bytes, end } => {
            format!(
                "{}{}",
                String::from_utf8_lossy(bytes),
                if *end { "!" } else { "" }
            )
        }
        Frame::Trailers => "T".to_owned(),
    }
}

fn frame(text: &'static str) -> Frame {
    let end = text.ends_with('!');
    match text.trim_end_matches('!') {
        "H" => Frame::Headers { end },
        "T" => Frame::Trailers,
        body => Frame::Body {
            bytes: Bytes::from_static(body.as_bytes()),
            end,
        },
    }
}

/// Runs one stage: `arrivals` in order, each decision from `actions`, then a resume if asked.
/// Returns what the stage was shown and what left.
fn run(arrivals: &[&'static str], actions: &[Action], resumes: bool) -> (String, String) {
    let mut flow = Flow::new(1, 100);
    let mut actions = actions.iter();
    let mut shown = Vec::new();
    let mut settle = |flow: &mut Flow| shown.extend(show(flow, &mut actions));
    for arrival in arrivals {
        flow.arrive(frame(arrival));
        settle(&mut flow);
    }
    if resumes {
        flow.resume(0);
        settle(&mut flow);
        flow.resume(0);
        settle(&mut flow);
    }
    let left = left(&mut flow);
    (shown.join(" "), left)
}

/// What a stage is shown until nothing more comes, each decision from `actions`, then "go on".
fn show(flow: &mut Flow, actions: &mut std::slice::Iter<'_, Action>) -> Vec<String> {
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
    shown
}

/// What has passed all stages.
fn left(flow: &mut Flow) -> String {
    let left = std::iter::from_fn(|| flow.pop());
    let left: Vec<_> = left.map(|frame| text(&frame)).collect();
    left.join(" ")
}

/// A filter that appended to a body once split it in two for the next one.
#[test]
fn the_next_stage_sees_an_edited_body_in_one_piece() {
    let mut flow = Flow::new(2, 100);
    flow.arrive(frame("a!"));
    let (first, part) = flow.next().unwrap();
    let window = flow.window(first).unwrap();
    window.splice(1, 0, Bytes::from_static(b"b")).unwrap();
    flow.apply(first, part, Continue, false);
    let (second, part) = flow.next().unwrap();
    assert_eq!((second, part), (1, Part::Body { end: true }));
    assert_eq!(flow.window(second).unwrap().slice(0, 9), "ab");
    flow.apply(second, part, Continue, false);
    assert_eq!(flow.next(), None);
}

#[track_caller]
fn check(arrivals: &[&'static str], actions: &[Action], shown: &str, left: &str) {
    assert_eq!(
        run(arrivals, actions, false),
        (shown.to_owned(), left.to_owned())
    );
}

#[track_caller]
fn check_resumed(arrivals: &[&'static str], actions: &[Action], shown: &str, left: &str) {
    assert_eq!(
        run(arrivals, actions, true),
        (shown.to_owned(), left.to_owned())
    );
}

use Action::{Buffer, Continue, Drop, StopAllAndWatermark, StopIteration, Watermark};

#[test]
fn everything_passes_a_stage_that_continues() {
    check(&["H", "a", "b!"], &[], "H a b!", "H a b!");
    check(&["H", "a", "T"], &[], "H a T", "H a T");
    check(&["H!"], &[], "H!", "H!");
    check(&["H", "a", "!"], &[], "H a !", "H a !");
}

#[test]
fn a_full_stop_hides_the_body_until_it_is_resumed() {
    check(&["H", "a", "b!"], &[StopAllAndWatermark], "H", "");
    check_resumed(&["H", "a", "b!"], &[StopAllAndWatermark], "H ab!", "H ab!");
    check_resumed(&["H!"], &[StopAllAndWatermark], "H!", "H!");
    check_resumed(&["H", "a", "T"], &[StopAllAndWatermark], "H a T", "H a T");
    check_resumed(&["H", "!"], &[StopAllAndWatermark], "H !", "H !");
}

#[test]
fn a_single_stop_keeps_showing_the_body() {
    check(
        &["H", "a", "b!"],
        &[StopIteration, Buffer, Continue],
        "H a ab!",
        "H ab!",
    );
    check(
        &["H", "a", "b!"],
        &[StopIteration, Buffer, Buffer],
        "H a ab!",
        "",
    );
    check_resumed(
        &["H", "a", "b!"],
        &[StopIteration, Buffer, Buffer],
        "H a ab!",
        "H ab!",
    );
    check_resumed(&["H!"], &[StopIteration], "H!", "H!");
}

#[test]
fn buffering_accumulates_and_watermarks_do_not() {
    check(
        &["H", "a", "b", "c!"],
        &[Continue, Buffer, Buffer],
        "H a ab abc!",
        "H abc!",
    );
    check(
        &["H", "a", "b", "c!"],
        &[Continue, Watermark, Watermark],
        "H a b c!",
        "H a b c!",
    );
    check(
        &["H", "a", "b", "c!"],
        &[Continue, Buffer, Continue],
        "H a ab c!",
        "H ab c!",
    );
    check(
        &["H", "a", "b", "c!"],
        &[Continue, Drop, Continue],
        "H a b c!",
        "H b c!",
    );
}

#[test]
fn a_resumed_body_ends_exactly_once() {
    check_resumed(&["H", "a!"], &[Continue, Buffer], "H a!", "H a!");
    check_resumed(&["H", "a!"], &[Continue, Drop], "H a!", "H !");
    check_resumed(
        &["H", "a", "T"],
        &[Continue, Continue, StopIteration],
        "H a T",
        "H a T",
    );
    check_resumed(
        &["H", "a", "T"],
        &[Continue, Buffer, StopIteration],
        "H a T",
        "H a T",
    );
}

#[test]
fn trailers_release_what_was_held_before_them() {
    check(
        &["H", "a", "T"],
        &[Continue, Buffer, Continue],
        "H a T",
        "H a T",
    );
    check(
        &["H", "a", "T"],
        &[StopIteration, Buffer, Continue],
        "H a T",
        "H a T",
    );
}

#[test]
fn too_much_fails_or_waits() {
    for (action, fails) in [(Buffer, true), (Watermark, false)] {
        let mut flow = Flow::new(1, 2);
        flow.arrive(frame("abc"));
        let (stage, part) = flow.next().unwrap();
        assert!(flow.wants_more());
        flow.apply(stage, part, action, false);
        assert_eq!((flow.has_overflown(), flow.wants_more()), (fails, fails));
    }
}

/// Whatever stages decide and whenever they are resumed: once all are, every byte has left, in
/// order, and the end came once and last.
#[test]
fn nothing_is_lost_in_any_order() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    for _ in 0..20_000 {
        let stages = usize::try_from(1 + below(3)).unwrap();
        let mut flow = Flow::new(stages, 1000);
        let with_trailers = below(3) == 0;
        let mut arrivals = vec!["H", "a", "b", "c", "d"];
        arrivals.push(if with_trailers { "T" } else { "e!" });
        let mut left = String::new();
        for arrival in arrivals {
            flow.arrive(frame(arrival));
            step(&mut flow, &mut below, true);
            if below(2) == 0 {
                flow.resume(usize::try_from(below(stages as u64)).unwrap());
                step(&mut flow, &mut below, true);
            }
        }
        for _ in 0..4 {
            for stage in 0..stages {
                flow.resume(stage);
                step(&mut flow, &mut below, false);
            }
        }
        while let Some(frame) = flow.pop() {
            left.push_str(&text(&frame));
        }
        assert_eq!(
            left.replace('!', ""),
            if with_trailers { "HabcdT" } else { "Habcde" }
        );
        assert_eq!(left.ends_with('!'), !with_trailers, "{left}");
        assert_eq!(
            left.matches('!').count(),
            usize::from(!with_trailers),
            "{left}"
        );
    }
}

fn step(flow: &mut Flow, below: &mut impl FnMut(u64) -> u64, may_stop: bool) {
    while let Some((stage, part)) = flow.next() {
        let choices: &[Action] = match part {
            _ if !may_stop => &[Continue],
            Part::Headers { .. } => &[
                Continue,
                StopIteration,
                Action::StopAllAndBuffer,
                StopAllAndWatermark,
            ],
            Part::Body { .. } => &[Continue, Buffer, Watermark],
            Part::Trailers => &[Continue, StopIteration],
        };
        let action = choices[usize::try_from(below(choices.len() as u64)).unwrap()];
        flow.apply(stage, part, action, false);
    }
}

/// One stage that drops the body and injects texts; what leaves.
#[track_caller]
fn check_injected(arrivals: &[&'static str], stop: Action, injected: &[&'static str], left: &str) {
    let mut flow = Flow::new(1, 100);
    for arrival in arrivals {
        flow.arrive(frame(arrival));
        while let Some((stage, part)) = flow.next() {
            let action = match part {
                Part::Headers { .. } => stop,
                Part::Body { .. } => Drop,
                Part::Trailers => StopIteration,
            };
            flow.apply(stage, part, action, false);
        }
    }
    for text in injected {
        if let Frame::Body { bytes, end } = frame(text) {
            flow.inject(0, bytes, end);
        }
    }
    flow.resume(0);
    while let Some((stage, part)) = flow.next() {
        flow.apply(stage, part, Continue, false);
    }
    let frames: Vec<_> = std::iter::from_fn(|| flow.pop())
        .map(|frame| text(&frame))
        .collect();
    assert_eq!(frames.join(" "), left);
}

#[test]
fn injected_bytes_take_the_place_of_dropped_ones() {
    check_injected(&["H", "a", "b!"], Continue, &["x", "y!"], "H x y!");
    check_injected(&["H", "a", "b!"], Continue, &["x"], "H x !");
    check_injected(&["H", "a"], Continue, &["x"], "H x");
}

#[test]
fn injecting_releases_headers() {
    for stop in [StopIteration, StopAllAndWatermark] {
        check_injected(&["H!"], stop, &["x!"], "H x!");
        check_injected(&["H", "a!"], stop, &["x!"], "H x!");
    }
}

#[test]
fn nothing_follows_an_injected_end() {
    check_injected(&["H", "a"], Continue, &["x!", "y!", "z"], "H x!");
    check_injected(&["H", "a", "T"], StopIteration, &["x!"], "H x!");
    check_injected(&["H!"], Continue, &["x!"], "H!");
}
