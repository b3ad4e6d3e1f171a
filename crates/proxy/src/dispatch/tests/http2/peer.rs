//! A server of HTTP/2 with prior knowledge.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::net::TcpListener;

/// A server that plays a script for each request.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) connections: Rc<Cell<usize>>,
    pub(super) open: Rc<Cell<usize>>,
    /// Requests with their authority.
    pub(super) requests: Rc<RefCell<Vec<String>>>,
}

/// A request as the server got it.
pub(super) struct Asked {
    /// Of all, from 0.
    pub(super) nth: usize,
    /// Of all connections, from 0.
    pub(super) connection: usize,
    pub(super) body: RecvStream,
    pub(super) respond: SendResponse<Bytes>,
}

impl Peer {
    pub(super) async fn start<F>(script: impl Fn(Asked) -> F + Copy + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        Self::with(server::Builder::new(), script).await
    }

    pub(super) async fn with<F>(
        settings: server::Builder,
        script: impl Fn(Asked) -> F + Copy + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self {
            address: listener.local_addr().unwrap(),
            connections: Rc::default(),
            open: Rc::default(),
            requests: Rc::default(),
        };
        let (count, open) = (Rc::clone(&peer.connections), Rc::clone(&peer.open));
        let requests = Rc::clone(&peer.requests);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = count.replace(count.get() + 1);
                let (open, requests) = (Rc::clone(&open), Rc::clone(&requests));
                let handshake = settings.handshake::<_, Bytes>(stream);
                tokio::task::spawn_local(async move {
                    open.set(open.get() + 1);
                    let mut served = handshake.await.unwrap();
                    while let Some(Ok((request, respond))) = served.accept().await {
                        let nth = requests.borrow().len();
                        requests.borrow_mut().push(text_of(&request));
                        let body = request.into_body();
                        tokio::task::spawn_local(script(Asked {
                            nth,
                            connection,
                            body,
                            respond,
                        }));
                    }
                    open.set(open.get() - 1);
                });
            }
        });
        peer
    }

    /// Answers with the number of the request.
    pub(super) async fn counting() -> Self {
        Self::start(|mut asked| async move {
            // Others come meanwhile.
            tokio::time::sleep(Duration::from_millis(5)).await;
            asked.answer(&asked.nth.to_string());
        })
        .await
    }
}

fn text_of(request: &Request<RecvStream>) -> String {
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| format!(" {name}={}", value.to_str().unwrap()));
    format!(
        "{} {}{}",
        request.method(),
        request.uri(),
        fields.collect::<String>()
    )
}

impl Asked {
    pub(super) fn answer(&mut self, text: &str) {
        let body = self.respond.send_response(Response::new(()), false);
        let text = Bytes::copy_from_slice(text.as_bytes());
        body.unwrap().send_data(text, true).unwrap();
    }

    /// Waits until the other side resets the request: why.
    pub(super) async fn reset(&mut self) -> Reason {
        poll_fn(|cx| self.respond.poll_reset(cx)).await.unwrap()
    }
}
