//! What was recorded is what is replayed, and what differs is found at its place.

use bytes::Bytes;
use weir_capsule::{Mask, Mismatch, Outcome, Record, ReplayError, Start, Tape, Verdict};
use weir_guest::Host;
use weir_guest::door::{Answer, Call, Event, MapKind, Reply, World as _};
use weir_model::GuestLimits;
use weir_testkit::run::{CALL, engine};

use crate::common::{
    HELLO, PROBE, Recorded, SYSTEM, TOKEN, exchange, read, replayed, rewritten, world,
};

const LOG: usize = 1 << 20;

fn check_same(recorded: &mut Recorded) -> weir_capsule::Capsule {
    let file = recorded.file(&Mask::default());
    let capsule = read(&file);
    assert!(
        read(&rewritten(&capsule)) == capsule,
        "it is written as it was read"
    );
    let replayed = replayed(&recorded.program, &file).expect("it runs");
    assert_eq!(replayed.verdict, Verdict::Same);
    assert!(replayed.position.calls > 0);
    capsule
}

#[test]
fn a_vm_replays_from_its_start() {
    for (module, configuration) in [(HELLO, ""), (PROBE, SYSTEM)] {
        let mut recorded = Recorded::new(module, configuration, LOG);
        for context in 2..5 {
            recorded.deliver(&exchange(context));
        }
        let capsule = check_same(&mut recorded);
        assert_eq!(capsule.head.start, Start::Beginning);
    }
}

#[test]
fn a_vm_replays_from_its_image() {
    // The count that the guest keeps in its memory is in the image only.
    let mut recorded = Recorded::new(PROBE, SYSTEM, 1000);
    for context in 2..12 {
        recorded.deliver(&exchange(context));
    }
    let image = recorded.vm.snapshot().expect("an image");
    recorded.vm.world().tape.set_image(image);
    recorded.deliver(&exchange(12));
    let capsule = check_same(&mut recorded);
    assert_eq!(capsule.head.start, Start::Image);
    assert!(capsule.image.is_some() && !capsule.start.is_empty());
    let exchanges = capsule.log.iter();
    let exchanges = exchanges.filter(|record| matches!(record, Record::Event(_)));
    assert!(exchanges.count() <= 7, "the log begins behind the image");
}

#[test]
fn a_copy_replays_from_what_was_printed_of_its_origin() {
    let mut origin = Recorded::new(PROBE, SYSTEM, LOG);
    let image = origin.vm.snapshot().expect("an image");
    let without_image = origin.vm.world().tape.print(None);
    let with_image = {
        // More than a tape holds has happened.
        origin.vm.world().tape.set_image(image.clone());
        origin.vm.world().tape.print(Some(&image))
    };
    for (print, start) in [
        (without_image, Start::Beginning),
        (with_image, Start::Image),
    ] {
        let host = Host::new(engine()).expect("a host");
        let recorder = weir_capsule::Recorder::new(world(SYSTEM), Tape::of(print, LOG));
        let limits = GuestLimits::default();
        let vm = host.start_from(&origin.program, &image, recorder, &limits);
        let program = weir_testkit::program(PROBE);
        let mut copy = Recorded {
            program,
            vm: vm.expect("a copy"),
        };
        copy.deliver(&exchange(2));
        assert_eq!(check_same(&mut copy).head.start, start);
    }
}

#[test]
fn what_was_waited_for_is_recorded_as_if_it_had_been_there() {
    let pending = || Answer::Pending(Box::pin(async { Reply::Done }));
    let waits = move |call: &Call<'_>| matches!(call, Call::Metric { .. }).then(|| Ok(pending()));
    let mut recorded = Recorded::in_world(HELLO, world("").on(waits), ("", LOG));
    for id in [7, 8] {
        let recorder = recorded.vm.world();
        let answer = recorder.call(Call::Metric { id }).expect("an answer");
        assert!(matches!(answer, Answer::Pending(_)));
        if id == 7 {
            recorder.arrive(Reply::Number(5)).expect("it may go on");
        }
    }
    let capsule = read(&recorded.file(&Mask::default()));
    let calls = capsule.records().filter_map(|record| match record {
        Record::Call { asked, outcome } => Some((asked.text(), outcome.clone())),
        _ => None,
    });
    let last: Vec<_> = calls.collect();
    let waited = [
        (
            "Metric { id: 7 }".to_owned(),
            Outcome::Reply(Reply::Number(5)),
        ),
        ("Metric { id: 8 }".to_owned(), Outcome::Waiting),
    ];
    assert!(last.ends_with(&waited), "{last:?}");
}

#[test]
fn a_failure_replays() {
    let deadly = world(SYSTEM).headers(MapKind::RequestHeaders, &[("x-deadly", "1")]);
    let mut recorded = Recorded::in_world(PROBE, deadly, (SYSTEM, LOG));
    recorded.deliver(&exchange(2));
    let capsule = check_same(&mut recorded);
    let Some(Record::Failed { cause, place, .. }) = capsule.records().last() else {
        panic!("the failure is not there");
    };
    assert!(
        cause.contains("unreachable") && place.contains("function"),
        "{cause}{place}"
    );
}

/// The number of a call, and the record, of the first call that begins so.
fn find<'r>(records: &'r mut [Record], beginning: &str) -> (u64, &'r mut Outcome) {
    let mut calls = 0;
    for record in records {
        if let Record::Call { asked, outcome } = record {
            calls += 1;
            if asked.text().starts_with(beginning) {
                return (calls, outcome);
            }
        }
    }
    panic!("no call begins with {beginning}");
}

#[test]
fn one_other_byte_of_a_reply_is_found_at_the_call_that_uses_it() {
    let mut recorded = Recorded::new(PROBE, SYSTEM, LOG);
    recorded.deliver(&exchange(2));
    let mut capsule = read(&recorded.file(&Mask::default()));
    let (used_at, _) = find(
        &mut capsule.start,
        "ReplaceHeader RequestHeaders \"x-token\"",
    );
    let (told_at, outcome) = find(
        &mut capsule.start,
        "Header RequestHeaders \"authorization\"",
    );
    assert!(told_at < used_at);
    *outcome = Outcome::Reply(Reply::Bytes(Bytes::from(format!("Cearer {TOKEN}"))));
    let replayed = replayed(&recorded.program, &rewritten(&capsule)).expect("it runs");
    let Verdict::Differs(difference) = replayed.verdict else {
        panic!("no difference");
    };
    let Mismatch::Call {
        call,
        expected,
        found,
    } = difference.what
    else {
        panic!("another difference: {difference}");
    };
    assert_eq!(call, used_at);
    assert!(
        expected.contains("Bearer") && found.contains("Cearer"),
        "{expected}, {found}"
    );
    let context = 2;
    assert_eq!(difference.event.map(|event| event.context()), Some(context));
}

#[test]
fn a_missing_end_is_a_difference() {
    let mut recorded = Recorded::new(PROBE, SYSTEM, LOG);
    recorded.deliver(&exchange(2));
    let mut capsule = read(&recorded.file(&Mask::default()));
    let result = capsule.start.pop();
    assert!(matches!(result, Some(Record::Result(_))));
    capsule.start.push(Record::Result(77));
    let replayed = replayed(&recorded.program, &rewritten(&capsule)).expect("it runs");
    let Verdict::Differs(difference) = replayed.verdict else {
        panic!("no difference");
    };
    assert!(
        matches!(difference.what, Mismatch::Result { .. }),
        "{difference}"
    );
}

#[test]
fn a_mended_module_goes_on_where_the_other_failed() {
    let module = |body: &str| {
        format!(
            r#"(module
                (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func (export "proxy_abi_version_0_2_1"))
                (func (export "malloc") (param i32) (result i32) i32.const 64)
                (func (export "proxy_on_context_create") (param i32 i32))
                (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {body}))"#
        )
    };
    let broken = wat::parse_str(module("unreachable")).expect("a module");
    let mended = "(drop (call $log (i32.const 2) (i32.const 0) (i32.const 3))) i32.const 0";
    let mended = weir_testkit::program(module(mended).as_bytes());
    let mut recorded = Recorded::new(&broken, "", LOG);
    recorded.deliver(&exchange(2)[..2]);
    let file = recorded.file(&Mask::default());
    let replay = replayed(&recorded.program, &file).expect("it runs");
    assert_eq!(replay.verdict, Verdict::Same);
    let replay = replayed(&mended, &file).expect("it runs");
    let Verdict::WentOn(difference) = replay.verdict else {
        panic!("it is {:?}", replay.verdict);
    };
    let Mismatch::WentOn { failure, found, .. } = &difference.what else {
        panic!("{difference}");
    };
    assert!(failure.contains("unreachable"), "{failure}");
    assert_eq!(found, "result 0");
}

#[test]
fn an_image_is_not_replayed_with_another_module() {
    let mut recorded = Recorded::new(HELLO, "", LOG);
    let image = recorded.vm.snapshot().expect("an image");
    recorded.vm.world().tape.set_image(image);
    recorded.deliver(&exchange(2));
    let file = recorded.file(&Mask::default());
    let other = weir_testkit::program(PROBE);
    assert!(matches!(
        replayed(&other, &file),
        Err(ReplayError::OtherModule(_))
    ));
}

#[test]
fn what_cannot_be_replayed_says_so() {
    let mut recorded = Recorded::new(PROBE, SYSTEM, 64);
    // No image is made, as if none could be.
    recorded
        .vm
        .world()
        .tape
        .refuse_images(weir_capsule::Lost::NoImage);
    let event = Event::ContextCreate {
        context: 2,
        parent: 1,
    };
    recorded.vm.deliver(&event, CALL).expect("it runs");
    let file = recorded.file(&Mask::default());
    assert!(!read(&file).start.is_empty());
    assert!(matches!(
        replayed(&recorded.program, &file),
        Err(ReplayError::Lost(_))
    ));
}

#[test]
fn deadlines_are_the_same_up_to_the_last_call() {
    let module = wat::parse_str(
        r#"(module
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) i32.const 64)
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (drop (call $log (i32.const 2) (i32.const 0) (i32.const 3)))
                (loop br 0) i32.const 0))"#,
    );
    let mut recorded = Recorded::new(&module.expect("a module"), "", LOG);
    let event = &exchange(2)[1];
    let limit = std::time::Duration::from_millis(20);
    recorded.vm.deliver(event, limit).expect_err("no time");
    let mut head = recorded.head();
    head.trigger = weir_capsule::Trigger::Failure(weir_guest::FailureKind::Deadline, String::new());
    head.limits.call = limit;
    head.limits.start = limit;
    let (taken, mut file) = (recorded.vm.world().tape.take(), Vec::new());
    let mask = Mask::default();
    weir_capsule::write(head, &taken, (&recorded.program, &mask), &mut file).expect("written");
    let replay = replayed(&recorded.program, &file).expect("it runs");
    assert_eq!((replay.verdict, replay.position.calls), (Verdict::Same, 1));
}
