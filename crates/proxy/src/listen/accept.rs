//! Takes connections from one listening socket.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use weir_model::limits;

use super::{Connection, Fleet, ListenerSeat, Serve, connection};
use crate::worker::Counters;

/// Where one worker accepts connections of one listener.
pub(crate) struct Door<S> {
    pub(crate) seat: Rc<ListenerSeat>,
    pub(crate) fleet: Rc<Fleet>,
    pub(crate) handler: Rc<S>,
    pub(crate) counters: Arc<Counters>,
}

const BACKOFF_MIN: Duration = Duration::from_millis(10);

impl<S: Serve> Door<S> {
    /// Accepts until `closing` changes; then takes what the kernel has accepted already, and
    /// closes the listening socket.
    pub(crate) async fn attend(self, socket: TcpListener, mut closing: watch::Receiver<bool>) {
        let mut backoff = None;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    backoff = None;
                    self.admit(stream, peer);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    let pause = backoff.map_or(BACKOFF_MIN, |last: Duration| last * 2);
                    let pause = pause.min(limits::ACCEPT_BACKOFF_MAX);
                    if backoff.is_none() {
                        let listener = &self.seat.listener.name;
                        tracing::error!(%listener, %error, "accepting fails: connections wait");
                    }
                    backoff = Some(pause);
                    self.counters.accept_errors.add(1);
                    tokio::select! {
                        biased;
                        _ = closing.wait_for(|closing| *closing) => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
        self.empty_backlog(&socket);
    }

    fn empty_backlog(&self, socket: &TcpListener) {
        let socket = socket2::SockRef::from(socket);
        for _ in 0..limits::LISTEN_BACKLOG {
            let Ok((stream, peer)) = socket.accept() else {
                return;
            };
            let stream = std::net::TcpStream::from(stream);
            let stream = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            if let (Ok(stream), Some(peer)) = (stream, peer.as_socket()) {
                self.admit(stream, peer);
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: std::net::SocketAddr) {
        if self.seat.open.load(Ordering::Relaxed) >= self.seat.listener.max_connections {
            // Closing is the answer: above the limit there is no memory to spend on more.
            self.counters.connections_refused.add(1);
            return;
        }
        // Without these two the connection works all the same, slower or less well described.
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().unwrap_or(self.seat.address);
        let seat = Rc::clone(&self.seat);
        let fleet = Rc::clone(&self.fleet);
        let connection = Connection::new(peer, local, seat, fleet, Arc::clone(&self.counters));
        let handler = Rc::clone(&self.handler);
        let connection = Rc::new(connection);
        match self.seat.listener.tcp {
            None => drop(tokio::task::spawn_local(connection::run(
                stream, connection, handler,
            ))),
            Some(_) => drop(tokio::task::spawn_local(connection::carry(
                stream, connection, handler,
            ))),
        }
    }
}

/// Errors of the connection that was to be accepted, not of the socket (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    )
}
