//! Small scripted servers on free ports, and what it takes to send to them.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weir_model::{Endpoint, EndpointHost, Forward, LoadBalancing, Retries};

use crate::dispatch::{Answered, Attempts, DispatchError, dispatch};
use crate::upstream::{BodySender, Cluster, Resolver};

pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Runs a test as a worker would, and fails it rather than hang.
pub(super) fn run(test: impl Future<Output = ()>) {
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

/// What a server does with its n-th connection, from 0.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) connections: Rc<Cell<usize>>,
    /// All requests with their bodies, in order of arrival.
    pub(super) requests: Rc<RefCell<Vec<String>>>,
}

/// A connection that a server accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    requests: Rc<RefCell<Vec<String>>>,
}

impl Server {
    pub(super) async fn start<F>(script: impl Fn(usize, Accepted) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Rc::new(Cell::new(0));
        let requests = Rc::new(RefCell::new(Vec::new()));
        let (count, log) = (Rc::clone(&connections), Rc::clone(&requests));
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let nth = count.replace(count.get() + 1);
                let accepted = Accepted {
                    stream,
                    requests: Rc::clone(&log),
                };
                tokio::task::spawn_local(script(nth, accepted));
            }
        });
        Self {
            address,
            connections,
            requests,
        }
    }

    /// Answers every request with these bytes.
    pub(super) async fn always(answer: &'static [u8]) -> Self {
        Self::start(move |_, mut accepted| async move {
            while accepted.request().await {
                accepted.answer(answer).await;
            }
        })
        .await
    }
}

impl Accepted {
    /// Reads a request with its body; `false`: the connection ended.
    pub(super) async fn request(&mut self) -> bool {
        let mut text = String::new();
        while !is_complete(&text) {
            let mut buffer = vec![0; 65536];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return false,
                Ok(count) => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
        }
        self.requests.borrow_mut().push(text);
        true
    }

    pub(super) async fn answer(&mut self, answer: &[u8]) {
        let _gone = self.stream.write_all(answer).await;
    }

    /// Waits until the client closes.
    pub(super) async fn closed(&mut self) {
        let mut buffer = vec![0; 65536];
        while let Ok(1..) = self.stream.read(&mut buffer).await {}
    }
}

fn is_complete(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.contains("transfer-encoding: chunked") {
        return body.starts_with("0\r\n") && body.ends_with("\r\n\r\n")
            || body.contains("\r\n0\r\n") && body.ends_with("\r\n\r\n");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

pub(super) fn model(endpoints: &[SocketAddr]) -> weir_model::Cluster {
    let endpoint = |at: &SocketAddr| Endpoint {
        host: EndpointHost::Ip(at.ip()),
        port: at.port(),
    };
    weir_model::Cluster {
        name: "backend".into(),
        endpoints: endpoints.iter().map(endpoint).collect(),
        protocol: weir_model::Protocol::Http1,
        load_balancing: LoadBalancing::RoundRobin,
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_mins(1),
        max_connections: 100,
        ejection: None,
        dns_refresh: Duration::from_secs(5),
        metadata: weir_model::Metadata::default(),
    }
}

pub(super) fn cluster(endpoints: &[SocketAddr]) -> Rc<Cluster> {
    Cluster::start(model(endpoints), &Resolver::system())
}

/// An address where nobody listens.
pub(super) async fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

pub(super) fn retries(attempts: u32, statuses: &[u16]) -> Forward {
    let retries = Retries {
        attempts,
        per_try_timeout: None,
        statuses: statuses.to_vec(),
    };
    Forward {
        cluster: "backend".into(),
        timeout: None,
        idle_timeout: None,
        retries,
    }
}

pub(super) fn head(method: Method, headers: &[(&'static str, &str)]) -> Parts {
    let mut request = Request::builder()
        .method(method)
        .uri("/x?y")
        .header("host", "h.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

pub(super) struct Got {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

pub(super) async fn get(cluster: &Rc<Cluster>) -> Result<Got, DispatchError> {
    try_get(cluster, &retries(0, &[])).await.0
}

pub(super) async fn try_get(
    cluster: &Rc<Cluster>,
    forward: &Forward,
) -> (Result<Got, DispatchError>, Attempts) {
    let mut attempts = Attempts::default();
    let body = BodySender::empty();
    let answered = dispatch(
        cluster,
        forward,
        head(Method::GET, &[]),
        &body,
        &mut attempts,
    )
    .await;
    let got = match answered {
        Ok(answered) => Ok(read(answered).await),
        Err(error) => Err(error),
    };
    (got, attempts)
}

pub(super) async fn read(answered: Answered) -> Got {
    let body = answered.body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    Got {
        status: answered.head.status.as_u16(),
        body: body.to_bytes(),
        trailers,
    }
}

/// That nothing is in use any more.
#[track_caller]
pub(super) fn check_at_rest(cluster: &Cluster) {
    assert_eq!(cluster.in_flight(), 0);
    assert!(cluster.hosts().iter().all(|host| host.in_flight() == 0));
}

/// Lets other tasks run until `done` holds.
pub(super) async fn until(done: impl Fn() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
