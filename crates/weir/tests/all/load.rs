//! Many connections at once: nothing fails, and memory stays where it was.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::harness::{Gateway, get};

/// Connections that are opened at the same time: below any backlog.
const AT_ONCE: usize = 250;
const IDLE: usize = 10_000;
/// Descriptors of this process that are not idle connections.
const OTHER_FILES: usize = 2_000;
/// What an idle connection may cost before its buffers are given back.
const IDLE_KIB: u64 = 24;
const BUSY: usize = 200;
const BUSY_TIME: Duration = Duration::from_secs(5);
/// Requests of each until every buffer, pool and VM has its size.
const WARM_ROUNDS: u64 = 15;
/// What the allocator may add to that.
const DRIFT_KIB: u64 = 4 << 10;

/// Two filters in front of a service of the gateway's own, as in the quick start.
const SITE: &str = "workers: 2
listeners:
  - address: 127.0.0.1:0
    name: main
    access_log: off
    routes:
      - match: { path: /idle }
        filters: [hello]
        respond: { status: 200, body: here }
      - filters: [hello, shout]
        forward: demo
  - address: 127.0.0.1:DEMO
    name: demo
    access_log: off
    routes: [{ echo: true }]
clusters: { demo: { endpoints: [\"127.0.0.1:DEMO\"] } }
filters: { hello: { module: hello }, shout: { module: shout } }
";

fn gateway() -> Gateway {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let port = free.expect("there is a free port").port();
    Gateway::start(&SITE.replace("DEMO", &port.to_string()))
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .expect("there can be a runtime")
}

/// A client that reuses its buffer.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = Vec::new();
        Ok(Self { stream, buffer })
    }

    /// One exchange; an error if anything but a whole response with status 200 comes.
    async fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        while !is_whole(&self.buffer) {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if self.buffer.starts_with(b"HTTP/1.1 200 ") {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&self.buffer)))
    }
}

/// Good enough for what this gateway sends here: chunks, or a body of four bytes.
fn is_whole(response: &[u8]) -> bool {
    response.ends_with(b"0\r\n\r\n") || response.ends_with(b"\r\n\r\nhere")
}

/// Raises the limit of open files of this process, which the gateway inherits.
fn raise_file_limit(wanted: usize) -> usize {
    let limits = || fs::read_to_string("/proc/self/limits").expect("the system tells the limits");
    let number = |column: usize| -> usize {
        let limits = limits();
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let word = line.and_then(|line| line.split_whitespace().nth(column));
        word.map_or(0, |word| word.parse().unwrap_or(usize::MAX))
    };
    let pid = std::process::id().to_string();
    for limit in [wanted.max(number(1)), number(1)] {
        let set = Command::new("prlimit")
            .args(["--pid", &pid, &format!("--nofile={limit}:{limit}")])
            .output();
        if number(0) >= wanted || set.is_err() {
            break;
        }
    }
    number(0)
}

#[test]
fn ten_thousand_idle_connections_are_cheap() {
    let files = raise_file_limit(IDLE + OTHER_FILES);
    let count = IDLE.min(files.saturating_sub(OTHER_FILES));
    assert!(count >= 2_000, "at most {files} open files are allowed");
    let gateway = gateway();
    let request = get("/idle", "").into_bytes();
    runtime().block_on(async {
        warm(gateway.address(), &request).await;
        let before = gateway.resident_kib();
        let mut clients = open(gateway.address(), count, &request).await;
        assert_eq!(gateway.total("connections_active"), count as u64);
        let growth = gateway.resident_kib() - before;
        assert!(
            growth < count as u64 * IDLE_KIB,
            "{growth} KiB for {count} connections"
        );
        for clients in clients.chunks_mut(AT_ONCE) {
            for client in clients.iter_mut() {
                client.ask(&request).await.expect("each still answers");
            }
        }
        assert_eq!(gateway.total("connections_active"), count as u64);
    });
    gateway.end();
}

/// Opens connections which have made one request each.
async fn open(address: SocketAddr, count: usize, request: &[u8]) -> Vec<Client> {
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let mut opening = JoinSet::new();
        for _ in 0..AT_ONCE.min(count - clients.len()) {
            let request = request.to_vec();
            opening.spawn(async move {
                let mut client = Client::connect(address).await?;
                client.ask(&request).await.map(|()| client)
            });
        }
        while let Some(opened) = opening.join_next().await {
            let client = opened.expect("no task panics");
            clients.push(client.expect("each connection is served"));
        }
    }
    clients
}

async fn warm(address: SocketAddr, request: &[u8]) {
    drop(open(address, AT_ONCE, request).await);
}

#[test]
fn two_hundred_busy_connections_leave_nothing_behind() {
    let gateway = gateway();
    let address = gateway.address();
    let done = runtime().block_on(async {
        let request = get("/busy", "accept: */*\r\n").into_bytes();
        let clients = open(address, BUSY, &request).await;
        let (clients, warming) = busy(clients, |count, _| count < WARM_ROUNDS).await;
        let warm = gateway.resident_kib();
        let (_clients, done) = busy(clients, |_, time| time < BUSY_TIME).await;
        let growth = gateway.resident_kib().saturating_sub(warm);
        assert!(growth < DRIFT_KIB, "{growth} KiB in {done} requests");
        BUSY as u64 + warming + done
    });
    // Each was a request to the filters and one to the service behind them.
    assert_eq!(gateway.total("requests"), 2 * done);
    assert_eq!(gateway.total("requests_reset"), 0);
    gateway.wait_for_total("requests_active", 0);
    gateway.finish();
}

/// Lets all clients ask as long as a condition on their own requests and the time holds; none may
/// fail. Returns the clients and the number of requests.
async fn busy(
    clients: Vec<Client>,
    goes_on: impl Fn(u64, Duration) -> bool + Copy + Send + 'static,
) -> (Vec<Client>, u64) {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        tasks.spawn(async move {
            let request = get(&format!("/busy/{number}"), "accept: */*\r\n").into_bytes();
            let mut count = 0;
            while goes_on(count, begun.elapsed()) {
                client.ask(&request).await?;
                count += 1;
            }
            Ok::<_, io::Error>((client, count))
        });
    }
    let (mut clients, mut total) = (Vec::new(), 0);
    while let Some(ended) = tasks.join_next().await {
        let (client, count) = ended.expect("no task panics").expect("no request fails");
        clients.push(client);
        total += count;
    }
    (clients, total)
}
