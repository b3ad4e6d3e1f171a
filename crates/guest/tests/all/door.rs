//! The door: one world and one module, answered at once or suspended.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use weir_guest::door::{Answer, Call, Reply, Status, Stop, World};
use weir_guest::{Cause, OnThread, Program, WaitingHost, WaitingVm};
use weir_model::GuestLimits;
use weir_testkit::run::{CALL, engine};
use weir_testkit::{Recorder, program, replay, start};

use crate::common::{REQUEST_HEADERS, cause, env, on_request, stopped_by};

/// What all worlds of a thread share: values, who waits for them, and what was said.
#[derive(Clone, Default)]
struct Desk(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    values: BTreeMap<Vec<u8>, &'static str>,
    waiting: Vec<(Vec<u8>, oneshot::Sender<Reply>)>,
    said: Vec<String>,
}

impl Desk {
    fn said(&self) -> Vec<String> {
        self.0.borrow().said.clone()
    }

    fn put(&self, key: &[u8], value: &'static str) {
        let mut inner = self.0.borrow_mut();
        inner.values.insert(key.to_vec(), value);
        let (ready, waiting) = std::mem::take(&mut inner.waiting)
            .into_iter()
            .partition(|(wanted, _)| wanted == key);
        inner.waiting = waiting;
        let ready: Vec<(Vec<u8>, oneshot::Sender<Reply>)> = ready;
        for (_, sender) in ready {
            let _ = sender.send(entry(value));
        }
    }
}

fn entry(value: &'static str) -> Reply {
    Reply::Entry(value.into(), 1)
}

/// Answers at once what is there; what is not yet there is waited for.
impl World for Desk {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        match call {
            Call::Log { message, .. } => {
                self.0
                    .borrow_mut()
                    .said
                    .push(String::from_utf8_lossy(message).into_owned());
                Ok(Reply::Done.into())
            }
            Call::SharedEntry { key } => {
                let mut inner = self.0.borrow_mut();
                if let Some(value) = inner.values.get(key) {
                    return Ok(entry(value).into());
                }
                let (sender, receiver) = oneshot::channel();
                inner.waiting.push((key.to_vec(), sender));
                Ok(Answer::Pending(Box::pin(async move {
                    receiver
                        .await
                        .unwrap_or(Reply::Refused(Status::BrokenConnection))
                })))
            }
            Call::SetSharedEntry { key, .. } => {
                self.put(key, "from the other guest");
                Ok(Reply::Done.into())
            }
            Call::Done => Ok(Answer::Pending(Box::pin(async { Reply::Done }))),
            _ => Ok(Reply::Refused(Status::NotFound).into()),
        }
    }
}

const IMPORTS: [&str; 4] = [
    "proxy_log",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_done",
];

/// Says "ask", reads `k`, says the value.
const READER: &str = r"
    (drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 3)))
    (call $proxy_get_shared_data
        (i32.const 8) (i32.const 1) (i32.const 64) (i32.const 68) (i32.const 72))
    (drop (call $proxy_log (i32.const 2) (i32.load (i32.const 64)) (i32.load (i32.const 68))))";

/// Says "set", writes `k`, says "set" again.
const WRITER: &str = r"
    (drop (call $proxy_log (i32.const 2) (i32.const 3) (i32.const 3)))
    (call $proxy_set_shared_data
        (i32.const 8) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))
    (drop (call $proxy_log (i32.const 2) (i32.const 3) (i32.const 3)))";

fn guest(instructions: &str) -> Program {
    let text = on_request(&env(&IMPORTS), instructions)
        .replace("(memory", r#"(data (i32.const 0) "askset\00\00k") (memory"#);
    program(text)
}

/// Runs on one thread, and with it everything that is spawned locally.
fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), future)
}

async fn waiting<W: World>(program: &Program, world: W) -> WaitingVm<OnThread<W>> {
    let host = WaitingHost::new(engine()).expect("a host");
    let limits = GuestLimits::default();
    host.start(program, OnThread::new(world), &limits)
        .await
        .expect("a guest")
}

#[test]
fn a_world_may_answer_at_once() {
    let desk = Desk::default();
    desk.put(b"k", "there");
    let mut vm = start(&guest(READER), desk.clone()).expect("a guest");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(0));
    assert_eq!(desk.said(), ["ask", "there"]);
}

#[test]
fn a_guest_that_cannot_be_suspended_is_stopped() {
    let mut vm = start(&guest(READER), Desk::default()).expect("a guest");
    let result = vm.deliver(&REQUEST_HEADERS, CALL);
    assert!(stopped_by(&result) == Some(&Stop::CannotWait), "{result:?}");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Err(Cause::Gone.into()));
}

#[test]
fn a_guest_waits_for_another_one_on_the_same_thread() {
    let desk = Desk::default();
    on_one_thread(async {
        let mut reader = waiting(&guest(READER), desk.clone()).await;
        let mut writer = waiting(&guest(WRITER), desk.clone()).await;
        let (read, written) = tokio::join!(
            reader.deliver(&REQUEST_HEADERS, CALL),
            writer.deliver(&REQUEST_HEADERS, CALL),
        );
        assert_eq!((read, written), (Ok(0), Ok(0)));
    });
    assert_eq!(desk.said(), ["ask", "set", "set", "from the other guest"]);
}

#[test]
fn a_guest_waits_for_a_task_of_its_thread() {
    let desk = Desk::default();
    on_one_thread(async {
        let mut vm = waiting(&guest(READER), desk.clone()).await;
        let local = desk.clone();
        tokio::task::spawn_local(async move { local.put(b"k", "from a task") });
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL).await, Ok(0));
        assert_eq!(desk.said(), ["ask", "from a task"]);
        // Now it is there: the same guest goes on without waiting.
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL).await, Ok(0));
    });
    assert_eq!(desk.said()[2..], ["ask", "from a task"]);
}

#[test]
fn a_call_that_is_not_listed_cannot_wait_anywhere() {
    on_one_thread(async {
        let mut vm = waiting(&guest("(call $proxy_done)"), Desk::default()).await;
        let result = vm.deliver(&REQUEST_HEADERS, CALL).await;
        assert!(stopped_by(&result) == Some(&Stop::CannotWait), "{result:?}");
    });
}

#[test]
fn waiting_does_not_age_a_guest_and_running_does() {
    let limit = Duration::from_millis(40);
    on_one_thread(async {
        let desk = Desk::default();
        let mut vm = waiting(&guest(READER), desk.clone()).await;
        let late = async {
            tokio::time::sleep(3 * limit).await;
            desk.put(b"k", "late");
        };
        let (read, ()) = tokio::join!(vm.deliver(&REQUEST_HEADERS, limit), late);
        assert_eq!(read, Ok(0));
        let spin = format!("{READER} (loop (br 0))");
        let mut vm = waiting(&guest(&spin), desk).await;
        let result = vm.deliver(&REQUEST_HEADERS, limit).await;
        assert_eq!(cause(result), Some(Cause::Deadline(limit)));
        assert_eq!(
            vm.deliver(&REQUEST_HEADERS, limit).await,
            Err(Cause::Gone.into())
        );
    });
}

#[test]
fn whoever_stops_waiting_has_ended_the_guest() {
    on_one_thread(async {
        let desk = Desk::default();
        let mut vm = waiting(&guest(READER), desk.clone()).await;
        let impatient =
            tokio::time::timeout(Duration::from_millis(1), vm.deliver(&REQUEST_HEADERS, CALL));
        assert!(impatient.await.is_err());
        assert!(vm.has_failed());
        desk.put(b"k", "too late");
        assert_eq!(
            vm.deliver(&REQUEST_HEADERS, CALL).await,
            Err(Cause::Gone.into())
        );
        assert_eq!(desk.said(), ["ask"]);
    });
}

#[test]
fn what_was_waited_for_replays_without_waiting() {
    let program = guest(READER);
    let tape = on_one_thread(async {
        let desk = Desk::default();
        let mut vm = waiting(&program, Recorder::new(desk.clone())).await;
        tokio::task::spawn_local(async move { desk.put(b"k", "from a task") });
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL).await, Ok(0));
        vm.world().get().tape().clone()
    });
    assert!(
        tape.to_string().contains("reply entry 1 \"from a task\""),
        "{tape}"
    );
    replay(&program, &tape).expect("the same");
}

#[test]
fn a_world_bound_to_its_thread_stays_there() {
    let moved = OnThread::new(Desk::default());
    let outcome = std::thread::spawn(move || {
        let mut moved = std::mem::ManuallyDrop::new(moved);
        drop(moved.call(Call::Done));
    });
    assert!(outcome.join().is_err(), "used on another thread");
}
