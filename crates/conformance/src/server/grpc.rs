//! A server of gRPC over HTTP/2 without TLS.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::sync::watch;

use super::{Record, Stop};
use crate::statement::{GrpcStep, Seen, When};
use crate::wire::{bytes_of, lossy};

/// Longest wait of a step for what the other side must do.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts a server that serves until it is told to stop.
pub(super) fn start(
    steps: Vec<GrpcStep>,
    when: When,
    record: Record,
    stop: Stop,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let server = Server {
        steps: steps.into(),
        when,
        record,
        stop,
    };
    thread::spawn(move || runtime.block_on(server.serve(listener)));
    Ok(address)
}

#[derive(Clone)]
struct Server {
    steps: Arc<[GrpcStep]>,
    when: When,
    record: Record,
    stop: Stop,
}

/// How far the other side has come.
#[derive(Clone, Copy, Default)]
struct Progress {
    messages: usize,
    has_ended: bool,
    is_reset: bool,
}

impl Server {
    async fn serve(self, listener: TcpListener) {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        while let Ok((stream, _)) = listener.accept().await {
            if self.stop.is_told() {
                return;
            }
            let server = self.clone();
            tokio::spawn(async move {
                let Ok(mut connection) = server::handshake(stream).await else {
                    return;
                };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(server.clone().call(request, respond));
                }
            });
        }
    }

    async fn call(self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = parts.uri.authority().map_or("", |name| name.as_str());
        let mut head = format!("{} {path} HTTP/2\n:authority: {authority}\n", parts.method);
        head += &text_of(&parts.headers);
        let at = self.record.begin(Seen {
            head,
            ..Seen::default()
        });
        let (progress, seen) = watch::channel(Progress::default());
        let reader = tokio::spawn(read(body, self.record.clone(), at, progress));
        let first = async |seen: &mut watch::Receiver<Progress>| {
            let far = seen.wait_for(|seen| seen.messages > 0 || seen.has_ended || seen.is_reset);
            let _ = tokio::time::timeout(PATIENCE, far).await;
        };
        let mut call = Call {
            respond,
            body: None,
            status: 200,
            seen,
        };
        match self.when {
            When::Never => {}
            When::AfterHead | When::AtOnce => call.play(&self.steps).await,
            When::AfterBody => {
                first(&mut call.seen).await;
                call.play(&self.steps).await;
            }
        }
        // What is dropped is reset: the call lives as long as the other side's half.
        let _ = reader.await;
        let mut seen = call.seen.clone();
        if self.when == When::Never && !seen.borrow().is_reset {
            let _ = seen.wait_for(|seen| seen.is_reset).await;
        }
        call.until_over().await;
    }
}

/// Notes what the other side sends.
async fn read(mut body: RecvStream, record: Record, at: usize, progress: watch::Sender<Progress>) {
    let mut buffer = BytesMut::new();
    let reset = |error: &h2::Error| {
        let reason = error
            .reason()
            .map_or_else(|| error.to_string(), |reason| format!("{reason:?}"));
        record.change(at, |seen| {
            seen.broke_off = true;
            seen.reset = Some(reason.clone());
        });
        progress.send_modify(|progress| progress.is_reset = true);
    };
    while let Some(piece) = body.data().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => return reset(&error),
        };
        // Without room for more, the other side would stop; a stream that has ended needs none.
        let _ = body.flow_control().release_capacity(piece.len());
        record.change(at, |seen| {
            seen.length += piece.len();
            seen.body += &lossy(&piece);
        });
        buffer.extend_from_slice(&piece);
        while let Some(message) = message(&mut buffer) {
            record.change(at, |seen| seen.messages.push(lossy(&message)));
            progress.send_modify(|progress| progress.messages += 1);
        }
    }
    match body.trailers().await {
        Ok(trailers) => record.change(at, |seen| {
            seen.trailers = trailers.as_ref().map(text_of).unwrap_or_default();
            seen.is_whole = true;
        }),
        Err(error) => return reset(&error),
    }
    progress.send_modify(|progress| progress.has_ended = true);
}

/// Takes one whole message: a flag, a length, bytes.
fn message(buffer: &mut BytesMut) -> Option<Bytes> {
    let length: [u8; 4] = buffer.get(1..5)?.try_into().ok()?;
    let length = u32::from_be_bytes(length) as usize;
    if buffer.len() < 5 + length {
        return None;
    }
    let framed = buffer.split_to(5 + length).freeze();
    Some(framed.slice(5..))
}

/// One call that is being answered.
struct Call {
    respond: SendResponse<Bytes>,
    body: Option<SendStream<Bytes>>,
    status: u16,
    seen: watch::Receiver<Progress>,
}

impl Call {
    /// Plays the steps; a call that the other side ended cannot be answered, which is what some
    /// statements are about.
    async fn play(&mut self, steps: &[GrpcStep]) {
        for (index, step) in steps.iter().enumerate() {
            let is_last = index + 1 == steps.len();
            match step {
                GrpcStep::Status(status) => {
                    self.status = *status;
                    if is_last {
                        self.head(&[], true);
                    }
                }
                GrpcStep::Headers(headers) => self.head(headers, false),
                GrpcStep::Message(text) => {
                    self.head(&[], false);
                    let bytes = bytes_of(text);
                    let mut framed = BytesMut::with_capacity(bytes.len() + 5);
                    framed.put_u8(0);
                    framed.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                    framed.extend_from_slice(&bytes);
                    if let Some(body) = &mut self.body {
                        let _ = body.send_data(framed.freeze(), false);
                    }
                }
                GrpcStep::Trailers(trailers) => match &mut self.body {
                    Some(body) => {
                        let _ = body.send_trailers(map_of(trailers));
                    }
                    None => self.head(trailers, true),
                },
                GrpcStep::Pause(time) => tokio::time::sleep(*time).await,
                GrpcStep::AwaitMessage(count) => {
                    let count = *count;
                    self.wait(|seen| seen.messages >= count).await;
                }
                GrpcStep::AwaitEnd => self.wait(|seen| seen.has_ended).await,
                GrpcStep::Reset(code) => {
                    let code = Reason::from(*code);
                    match &mut self.body {
                        Some(body) => body.send_reset(code),
                        None => self.respond.send_reset(code),
                    }
                }
            }
        }
    }

    async fn wait(&mut self, is_there: impl Fn(&Progress) -> bool) {
        let far = self.seen.wait_for(|seen| is_there(seen) || seen.is_reset);
        let _ = tokio::time::timeout(PATIENCE, far).await;
    }

    /// Sends the head, once.
    fn head(&mut self, headers: &[(String, String)], is_end: bool) {
        if self.body.is_some() {
            return;
        }
        let mut response = Response::new(());
        if let Ok(status) = http::StatusCode::from_u16(self.status) {
            *response.status_mut() = status;
        }
        *response.headers_mut() = map_of(headers);
        let usual = HeaderValue::from_static("application/grpc");
        let has_type = response.headers().contains_key("content-type");
        if self.status == 200 && !has_type {
            response.headers_mut().insert("content-type", usual);
        }
        self.body = self.respond.send_response(response, is_end).ok();
    }

    /// Waits until the other side has taken or refused all that was sent.
    async fn until_over(mut self) {
        let mut body = self.body.take();
        let over = std::future::poll_fn(|context| match &mut body {
            Some(body) => body.poll_reset(context).map(drop),
            None => self.respond.poll_reset(context).map(drop),
        });
        let _ = tokio::time::timeout(Duration::from_mins(1), over).await;
    }
}

fn map_of(pairs: &[(String, String)]) -> HeaderMap {
    let pairs = pairs.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, value);
    }
    map
}

fn text_of(map: &HeaderMap) -> String {
    map.iter().fold(String::new(), |text, (name, value)| {
        text + &format!("{name}: {}\n", lossy(value.as_bytes()))
    })
}
