//! One client and a server that does what a test says.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use weir_model::{Endpoint, EndpointHost, LoadBalancing, limits};

use crate::redis::{Answer, Busy, Clients, Login};
use crate::upstream::{Cluster, Resolver};

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const SOON: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_secs(10);

/// Runs a test as a worker would, and fails it rather than hang.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let test = async {
        tokio::time::timeout(Duration::from_secs(20), test)
            .await
            .unwrap();
    };
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// A server: the closure serves its n-th connection.
async fn server<F>(serve: impl Fn(usize, TcpStream) -> F + 'static) -> SocketAddr
where
    F: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        for nth in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(serve(nth, stream));
        }
    });
    address
}

fn cluster(address: SocketAddr) -> Rc<Cluster> {
    let endpoint = Endpoint {
        host: EndpointHost::Ip(address.ip()),
        port: address.port(),
    };
    let model = weir_model::Cluster {
        name: "redis".into(),
        endpoints: vec![endpoint],
        load_balancing: LoadBalancing::RoundRobin,
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_mins(1),
        max_connections: 8,
        ejection: None,
        dns_refresh: Duration::from_secs(5),
        protocol: weir_model::Protocol::Http1,
        metadata: weir_model::Metadata::default(),
    };
    Cluster::start(model, &Resolver::system())
}

fn login(database: u32, username: &'static str, password: &'static str) -> Login {
    Login {
        cluster: "redis".to_owned(),
        database,
        username: Bytes::from_static(username.as_bytes()),
        password: Bytes::from_static(password.as_bytes()),
    }
}

/// Commands sent by one client, and their replies; `None`: the connection failed.
struct Sender {
    clients: Clients,
    cluster: Rc<Cluster>,
    login: Login,
}

impl Sender {
    fn to(address: SocketAddr, login: Login) -> Self {
        Self {
            clients: Clients::default(),
            cluster: cluster(address),
            login,
        }
    }

    fn send(&self, query: &[u8], wait: Duration) -> Result<Answer, Busy> {
        let client = self.clients.client(&self.login, &self.cluster)?;
        client.send(Bytes::copy_from_slice(query), Instant::now() + wait)
    }

    async fn ask(&self, query: &[u8]) -> Option<Bytes> {
        self.send(query, LATE).unwrap().await.ok()
    }
}

/// Reads until everything that was asked has come.
async fn read(stream: &mut TcpStream, wanted: &[u8]) {
    let mut seen = vec![0; wanted.len()];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&seen),
        String::from_utf8_lossy(wanted)
    );
}

#[test]
fn commands_go_out_together_and_replies_come_in_order() {
    run(async {
        let address = server(|_, mut stream| async move {
            read(&mut stream, &PING.repeat(3)).await;
            for piece in [&b"+on"[..], b"e\r\n$3\r\nt", b"wo\r\n:3\r\n"] {
                stream.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let sender = Sender::to(address, login(0, "", ""));
        let answers = [(); 3].map(|()| sender.send(PING, LATE).unwrap());
        let mut replies = Vec::new();
        for answer in answers {
            replies.push(answer.await.unwrap());
        }
        assert_eq!(replies, ["+one\r\n", "$3\r\ntwo\r\n", ":3\r\n"]);
    });
}

#[test]
fn each_connection_logs_in_and_selects_its_database() {
    run(async {
        let address = server(|_, mut stream| async move {
            let auth = b"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$4\r\npass\r\n";
            read(&mut stream, auth).await;
            stream.write_all(b"+OK\r\n").await.unwrap();
            read(&mut stream, b"*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n").await;
            stream.write_all(b"+OK\r\n").await.unwrap();
            read(&mut stream, PING).await;
            stream.write_all(b"+PONG\r\n").await.unwrap();
        })
        .await;
        let sender = Sender::to(address, login(12, "me", "pass"));
        // The server closes after each reply: each command finds a new connection.
        for _ in 0..2 {
            assert_eq!(sender.ask(PING).await.unwrap(), "+PONG\r\n");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn a_refused_login_leaves_the_answers_to_the_redis() {
    run(async {
        let address = server(|_, mut stream| async move {
            read(&mut stream, b"*2\r\n$4\r\nAUTH\r\n$3\r\nbad\r\n").await;
            stream.write_all(b"-WRONGPASS no\r\n").await.unwrap();
            read(&mut stream, PING).await;
            stream.write_all(b"-NOAUTH please\r\n").await.unwrap();
        })
        .await;
        let sender = Sender::to(address, login(0, "", "bad"));
        assert_eq!(sender.ask(PING).await.unwrap(), "-NOAUTH please\r\n");
    });
}

#[test]
fn without_its_database_no_command_goes_out() {
    run(async {
        let address = server(|_, mut stream| async move {
            read(&mut stream, b"*2\r\n$6\r\nSELECT\r\n$2\r\n99\r\n").await;
            stream.write_all(b"-ERR out of range\r\n").await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it is closed");
        })
        .await;
        let sender = Sender::to(address, login(99, "", ""));
        assert_eq!(sender.ask(PING).await.unwrap(), "-ERR out of range\r\n");
    });
}

/// A connection that breaks fails what is in flight on it; the next command finds another.
#[track_caller]
fn breaks(reply: &'static [u8], wait: Duration) {
    run(async move {
        let address = server(move |nth, mut stream| async move {
            if nth > 0 {
                read(&mut stream, PING).await;
                stream.write_all(b"+again\r\n").await.unwrap();
                return;
            }
            read(&mut stream, &PING.repeat(2)).await;
            stream.write_all(reply).await.unwrap();
            if reply.is_empty() {
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it is given up");
            }
        })
        .await;
        let sender = Sender::to(address, login(0, "", ""));
        let (one, other) = (sender.send(PING, wait), sender.send(PING, LATE));
        assert!(one.unwrap().await.is_err());
        assert!(other.unwrap().await.is_err());
        assert_eq!(sender.ask(PING).await.unwrap(), "+again\r\n");
    });
}

#[test]
fn what_is_no_reply_breaks_a_connection() {
    breaks(b"HTTP/1.1 400 Bad Request\r\n", LATE);
}

#[test]
fn a_reply_that_breaks_off_breaks_a_connection() {
    breaks(b"$5\r\nab", LATE);
}

#[test]
fn silence_breaks_a_connection() {
    breaks(b"", SOON);
}

#[test]
fn nobody_there_is_told_to_all_that_wait() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let sender = Sender::to(address, login(0, "", ""));
        let answers = [(); 2].map(|()| sender.send(PING, LATE).unwrap());
        for answer in answers {
            assert!(answer.await.is_err());
        }
    });
}

#[test]
fn replies_that_nobody_waits_for_are_skipped() {
    run(async {
        let seen = Rc::<RefCell<Vec<u8>>>::default();
        let noted = Rc::clone(&seen);
        let address = server(move |_, mut stream| {
            let seen = Rc::clone(&noted);
            async move {
                read(&mut stream, &PING.repeat(2)).await;
                seen.borrow_mut().push(1);
                tokio::time::sleep(SOON).await;
                stream.write_all(b"+one\r\n+two\r\n").await.unwrap();
            }
        })
        .await;
        let sender = Sender::to(address, login(0, "", ""));
        let (one, two) = (sender.send(PING, LATE), sender.send(PING, LATE));
        while seen.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        drop(one);
        assert_eq!(two.unwrap().await.unwrap(), "+two\r\n");
    });
}

#[test]
fn there_is_a_limit_to_what_waits() {
    run(async {
        let address = server(|_, mut stream| async move {
            // It never answers.
            let mut sink = [0; 1024];
            while stream.read(&mut sink).await.is_ok_and(|count| count > 0) {}
        })
        .await;
        let sender = Sender::to(address, login(0, "", ""));
        let most = limits::REDIS_COMMANDS_MAX;
        let sent: Vec<_> = (0..most).map(|_| sender.send(PING, LATE)).collect();
        assert!(sent.iter().all(Result::is_ok));
        assert!(sender.send(PING, LATE).is_err());

        let other = Sender::to(address, login(0, "", ""));
        let large = vec![b'a'; limits::REDIS_QUEUE_BYTES_MAX];
        assert!(other.send(&large, LATE).is_ok());
        assert!(other.send(PING, LATE).is_err());
    });
}

#[test]
fn there_is_a_limit_to_logins_in_use() {
    run(async {
        let address = server(|_, mut stream| async move {
            let _ = stream.read(&mut [0]).await;
            std::future::pending::<()>().await;
        })
        .await;
        let (clients, cluster) = (Clients::default(), cluster(address));
        let mut answers = Vec::new();
        for database in 0..=u32::try_from(limits::REDIS_CLIENTS_MAX).unwrap() {
            let client = clients.client(&login(database, "", ""), &cluster);
            let Ok(client) = client else {
                assert_eq!(answers.len(), limits::REDIS_CLIENTS_MAX);
                return;
            };
            let query = Bytes::from_static(PING);
            answers.push(client.send(query, Instant::now() + LATE).unwrap());
        }
        panic!("there was room for all");
    });
}
