//! A scripted upstream: a listening socket and a closure for each of its connections.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use super::wire::{Message, Wire};

/// An upstream of a test. Its threads end with the test's process.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Serves each connection with the closure, which gets its number too; the first is 0.
    pub(crate) fn start(serve: impl Fn(Wire, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let connections = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&connections);
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(Wire::of(stream), number));
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// An upstream that answers each request as [`echo`] does, and keeps what it was asked.
    pub(crate) fn echoing() -> (Self, Seen) {
        let seen = Seen::default();
        let noted = seen.clone();
        let upstream = Self::start(move |mut wire, _| {
            while let Ok(Some(request)) = wire.try_request() {
                let answer = echo(&request);
                noted.lock().push(request);
                if wire.try_send(answer).is_err() {
                    return;
                }
            }
        });
        (upstream, seen)
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Requests in the order of their arrival. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Message>>>);

impl Seen {
    /// All that came since it was last asked.
    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.lock())
    }

    /// The last one.
    #[track_caller]
    pub(crate) fn last(&self) -> Message {
        self.take().pop().expect("a request came")
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.0.lock().expect("nothing panics here")
    }
}

/// A response whose body is the request's body, and which tells path and method in headers.
pub(crate) fn echo(request: &Message) -> Vec<u8> {
    let (line, length) = (&request.line, request.body.len());
    let head = format!("HTTP/1.1 200 OK\r\nx-line: {line}\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), &request.body].concat()
}
