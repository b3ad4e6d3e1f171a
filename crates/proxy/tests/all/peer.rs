//! A gRPC server over HTTP/2 with prior knowledge: it answers each call from a script, and notes what
//! it gets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;

use crate::upstream::{eventually, locked};

/// What the server does next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends the head: its status, and fields.
    Head(u16, &'static [(&'static str, &'static str)]),
    /// Sends a message in its frame.
    Message(&'static str),
    /// Sends bytes as they are.
    Bytes(Bytes),
    /// Ends the answer with trailers.
    Trailers(&'static [(&'static str, &'static str)]),
    /// Ends the answer without trailers.
    End,
    Pause(Duration),
}

/// What the server saw of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) authority: String,
    /// In order, without pseudo-headers.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) has_ended: bool,
    pub(crate) reset: Option<u32>,
}

impl Call {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A running server.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    connections: Arc<Mutex<usize>>,
}

impl Peer {
    /// Plays the steps for each call.
    pub(crate) fn start(steps: Vec<Step>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a socket");
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let connections: Arc<Mutex<usize>> = Arc::default();
        let (log, count) = (Arc::clone(&calls), Arc::clone(&connections));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a socket");
                while let Ok((stream, _)) = listener.accept().await {
                    *locked(&count) += 1;
                    tokio::spawn(connection(stream, steps.clone(), Arc::clone(&log)));
                }
            });
        });
        Self {
            address,
            calls,
            connections,
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        locked(&self.calls).clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *locked(&self.connections)
    }

    /// Waits until a call looks as told.
    #[track_caller]
    pub(crate) fn until(&self, what: impl Fn(&Call) -> bool) -> Call {
        let found = eventually(|| self.calls().into_iter().rev().find(|call| what(call)));
        found.unwrap_or_else(|| panic!("the server saw only {:?}", self.calls()))
    }
}

async fn connection(stream: tokio::net::TcpStream, steps: Vec<Step>, log: Arc<Mutex<Vec<Call>>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(serve(request, respond, steps.clone(), Arc::clone(&log)));
    }
}

async fn serve(
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    steps: Vec<Step>,
    log: Arc<Mutex<Vec<Call>>>,
) {
    let (head, body) = request.into_parts();
    let fields = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    });
    let at = {
        let mut log = locked(&log);
        log.push(Call {
            path: head.uri.path().to_owned(),
            authority: head
                .uri
                .authority()
                .map(ToString::to_string)
                .unwrap_or_default(),
            fields: fields.collect(),
            ..Call::default()
        });
        log.len() - 1
    };
    let note = |change: &dyn Fn(&mut Call)| change(&mut locked(&log)[at]);
    tokio::join!(listen(body, note), answer(respond, steps));
}

/// Notes what the caller sends.
async fn listen(mut body: RecvStream, note: impl Fn(&dyn Fn(&mut Call))) {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.data().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                let reason = error.reason().map_or(u32::MAX, u32::from);
                note(&|call| call.reset = Some(reason));
                return;
            }
        };
        // The window belongs to this stream alone.
        let _ = body.flow_control().release_capacity(frame.len());
        bytes.extend_from_slice(&frame);
        while bytes.len() >= 5 {
            let length = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize;
            if bytes.len() < 5 + length {
                break;
            }
            let message = bytes.split_to(5 + length)[5..].to_vec();
            note(&|call| call.messages.push(message.clone()));
        }
    }
    note(&|call| call.has_ended = true);
}

async fn answer(mut respond: SendResponse<Bytes>, steps: Vec<Step>) {
    let mut stream: Option<SendStream<Bytes>> = None;
    for step in steps {
        let sent = match (step, &mut stream) {
            (Step::Head(status, fields), None) => respond
                .send_response(head(status, fields), false)
                .map(|begun| stream = Some(begun)),
            (Step::Message(text), Some(stream)) => stream.send_data(framed(text.as_bytes()), false),
            (Step::Bytes(bytes), Some(stream)) => stream.send_data(bytes, false),
            (Step::Trailers(fields), Some(stream)) => stream.send_trailers(map(fields)),
            (Step::End, Some(stream)) => stream.send_data(Bytes::new(), true),
            (Step::Pause(time), _) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            (step, _) => panic!("{step:?} is out of place"),
        };
        if sent.is_err() {
            return;
        }
    }
    // A call that nobody ends stays open until the caller goes.
    if let Some(stream) = &mut stream {
        let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
    }
    let _ = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
}

fn head(status: u16, fields: &[(&'static str, &'static str)]) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status.try_into().expect("a status");
    *response.headers_mut() = map(fields);
    response
}

fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(*name, value.parse().expect("a value"));
    }
    map
}

/// A message in its frame (gRPC over HTTP/2, Length-Prefixed-Message).
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a short message");
    let mut bytes = vec![0];
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.into()
}
