//! A wire to a server that can be cut, or swallow what it carries, at the worst moment.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Server;

/// What happens to the next reply.
const PASSES: u64 = 0;
/// It is lost, and the connection with it.
const CUT: u64 = 1;
/// It is lost, and so is all that follows on the connection.
const SWALLOWED: u64 = 2;

pub(crate) struct Wire {
    port: u16,
    fate: Arc<AtomicU64>,
}

impl Wire {
    pub(crate) fn to(server: &Server) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let fate = Arc::new(AtomicU64::new(PASSES));
        let (goal, shared) = (server.port, Arc::clone(&fate));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(("127.0.0.1", goal)).unwrap();
                let (requests, replies) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let fate = Arc::clone(&shared);
                std::thread::spawn(move || carry(requests, server, None));
                std::thread::spawn(move || carry(replies, client, Some(&fate)));
            }
        });
        Self { port, fate }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The next reply is lost, and its connection with it.
    pub(crate) fn cut(&self) {
        self.fate.store(CUT, Ordering::SeqCst);
    }

    /// The next reply is lost, and its connection falls silent for good.
    pub(crate) fn swallow(&self) {
        self.fate.store(SWALLOWED, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, fate: Option<&AtomicU64>) {
    let mut bytes = vec![0; 65_536];
    let mut swallows = false;
    loop {
        let length = from.read(&mut bytes).unwrap_or(0);
        let fate = fate.map_or(PASSES, |fate| fate.swap(PASSES, Ordering::SeqCst));
        swallows |= fate == SWALLOWED;
        let over = length == 0 || fate == CUT;
        if over || (!swallows && to.write_all(&bytes[..length]).is_err()) {
            // The other side may have closed it already.
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
