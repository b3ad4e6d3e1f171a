//! Starting is all or nothing; draining loses nothing that can be kept.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use weir_model::Listener;

use super::{DrainReport, Plan, Running, Seat, StartError, start};
use crate::listen::tests::toy::{Gateway, Toy, eventually};

const LONG: Duration = Duration::from_secs(20);

fn plan(addresses: &[&str]) -> Plan {
    let listener = |address: &&str| Arc::new(Listener::at(address.parse().unwrap()));
    Plan {
        workers: NonZeroUsize::new(2).unwrap(),
        listeners: addresses.iter().map(listener).collect(),
        sockets: None,
        log: None,
    }
}

fn toys(addresses: &[&str]) -> Result<Running, StartError> {
    start(plan(addresses), async |_: Seat| {
        Ok::<_, std::io::Error>(Rc::new(Toy(Arc::default())))
    })
}

#[test]
fn one_taken_address_starts_nothing() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let error = toys(&["127.0.0.1:0", &taken]).unwrap_err().to_string();
    assert!(error.contains(&taken), "{error}");
}

#[test]
fn one_failing_handler_starts_nothing() {
    let make = async |seat: Seat| match seat.worker {
        0 => Ok(Rc::new(Toy(Arc::default()))),
        _ => Err("no plugin"),
    };
    let error = start(plan(&["127.0.0.1:0"]), make).unwrap_err();
    assert_eq!(error.to_string(), "worker 1: no plugin");
}

#[test]
fn a_panicking_maker_is_an_error() {
    let make = async |seat: Seat| -> Result<Rc<Toy>, &str> { panic!("maker {}", seat.worker) };
    let error = start(plan(&["127.0.0.1:0"]), make).unwrap_err().to_string();
    assert!(error.contains("failed: maker"), "{error}");
}

#[test]
fn listeners_have_names_and_ports() {
    let running = toys(&["127.0.0.1:0", "[::1]:0"]).unwrap();
    assert_eq!(running.addresses().len(), 2);
    assert!(
        running
            .addresses()
            .iter()
            .all(|(_, address)| address.port() != 0)
    );
}

#[test]
fn all_workers_take_connections() {
    let gateway = Gateway::with(2, |_| {});
    let clients: Vec<_> = (0..64).map(|_| gateway.connect()).collect();
    eventually("all accepted", || gateway.totals().connections == 64);
    for counters in &gateway.running.counters {
        assert!(counters.connections.get() > 0);
    }
    drop(clients);
}

#[test]
fn a_drain_finishes_what_has_begun() {
    let gateway = Gateway::new();
    let address = gateway.address();
    let stage = Arc::clone(&gateway.stage);
    let mut idle = gateway.connect();
    let mut used = gateway.connect();
    used.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
    used.read_until("/a");
    let mut half = gateway.connect();
    half.send("GET /half HTTP/1.1\r\n");
    let mut slow = gateway.connect();
    slow.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("begun", || stage.begun.load(Ordering::SeqCst) == 2);
    let drain = std::thread::spawn(move || gateway.drain(LONG));

    assert_eq!(idle.read_to_end(), (String::new(), None));
    assert_eq!(used.read_to_end(), (String::new(), None));
    eventually("refused", || std::net::TcpStream::connect(address).is_err());
    half.send("host: a\r\n\r\n");
    let (response, _) = half.read_to_end();
    assert!(response.contains("connection: close\r\n"), "{response}");
    stage.release.notify_one();
    let (response, _) = slow.read_to_end();
    assert!(response.contains("connection: close\r\n"), "{response}");
    assert!(response.ends_with("slow"), "{response}");
    drop((idle, used, half, slow));
    assert_eq!(drain.join().unwrap(), DrainReport::default());
}

#[test]
fn a_drain_cuts_what_does_not_finish() {
    let gateway = Gateway::new();
    let stage = Arc::clone(&gateway.stage);
    let mut slow = gateway.connect();
    slow.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("begun", || stage.begun.load(Ordering::SeqCst) == 1);
    let begin = Instant::now();
    let report = gateway.drain(Duration::from_millis(100));
    assert_eq!(report.connections_cut, 1);
    assert!(begin.elapsed() < Duration::from_secs(3));
    assert!(slow.read_to_end().0.is_empty());
    assert_eq!(stage.alive.load(Ordering::SeqCst), 0);
}

/// Forty requests that keep the thread for a tenth of a second each stand in line: when the time is up,
/// none of them begins any more.
#[test]
fn a_worker_that_is_behind_ends_in_time() {
    const CLIENTS: usize = 40;
    let gateway = Gateway::new();
    let stage = Arc::clone(&gateway.stage);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send("GET /block HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    eventually("begun", || stage.begun.load(Ordering::SeqCst) > 0);
    let begin = Instant::now();
    let report = gateway.drain(Duration::from_millis(200));
    let (took, begun) = (begin.elapsed(), stage.begun.load(Ordering::SeqCst));
    assert!(took < Duration::from_secs(2), "{took:?}");
    let begun = usize::try_from(begun).unwrap();
    assert!(begun < CLIENTS / 2, "{begun}");
    // Those that the door had let in; it may have closed before the others came.
    assert!(report.connections_cut > 0, "{report:?}");
    // On a machine that has much else to do, those that had begun are not done in time either.
    assert!(report.connections_cut <= CLIENTS, "{report:?}, {begun}");
    assert_eq!(stage.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_request_that_was_sent_before_the_drain_is_served() {
    for _ in 0..10 {
        let gateway = Gateway::with(2, |_| {});
        let mut clients: Vec<_> = (0..8).map(|_| gateway.connect()).collect();
        for client in &mut clients {
            client.send("GET /sent HTTP/1.1\r\nhost: a\r\n\r\n");
        }
        let drain = std::thread::spawn(move || gateway.drain(LONG));
        for client in &mut clients {
            let (response, _) = client.read_to_end();
            assert!(response.ends_with("/sent"), "{response}");
        }
        drop(clients);
        assert_eq!(drain.join().unwrap(), DrainReport::default());
    }
}
