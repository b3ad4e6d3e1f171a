//! A server of HTTP/1 over raw sockets.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::{PAUSE_TIME, Record, Stop, pieces};
use crate::statement::{Seen, When};
use crate::wire::{Wire, bytes_of, lossy};

/// Starts a server that serves until it is told to stop.
pub(super) fn start(
    answers: Vec<String>,
    when: When,
    record: Record,
    stop: Stop,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if stop.is_told() {
                return;
            }
            let (answers, record) = (answers.clone(), record.clone());
            thread::spawn(move || Connection::new(stream, answers, when, record).serve());
        }
    });
    Ok(address)
}

struct Connection {
    wire: Wire,
    answers: Vec<String>,
    when: When,
    record: Record,
}

impl Connection {
    fn new(stream: TcpStream, answers: Vec<String>, when: When, record: Record) -> Self {
        // Small pieces must leave one by one; without it they only come later.
        let _ = stream.set_nodelay(true);
        Self {
            wire: Wire::new(stream),
            answers,
            when,
            record,
        }
    }

    fn serve(&mut self) {
        if self.when == When::AtOnce {
            self.answer(0);
        }
        while let Some(at) = self.one() {
            let answer: String = pieces(&self.answers, at).collect();
            if self.when == When::Never {
                // Kept open for a client that must not see an end, until it closes.
                while self.wire.more() {}
                self.record.change(at, |seen| seen.broke_off = true);
                return;
            }
            // An empty answer is none.
            if answer.is_empty() || answer.to_ascii_lowercase().contains("connection: close") {
                return;
            }
        }
    }

    /// One request and its answer; `None`: the connection is over.
    fn one(&mut self) -> Option<usize> {
        let head = self.wire.head()?;
        let at = self.record.begin(Seen {
            head: head.clone(),
            ..Seen::default()
        });
        if self.when == When::AfterHead {
            self.answer(at);
        }
        let record = self.record.clone();
        let trailers = self.wire.body(&head, false, &mut |bytes| {
            record.change(at, |seen| {
                seen.length += bytes.len();
                seen.body += &lossy(bytes);
            });
        });
        self.record.change(at, |seen| match &trailers {
            Some(trailers) => {
                seen.trailers.clone_from(trailers);
                seen.is_whole = true;
            }
            None => seen.broke_off = true,
        });
        trailers?;
        if self.when == When::AfterBody {
            self.answer(at);
        }
        Some(at)
    }

    fn answer(&mut self, index: usize) {
        for (index, piece) in pieces(&self.answers, index).enumerate() {
            if index > 0 {
                thread::sleep(PAUSE_TIME);
            }
            // A host that went away is what some statements are about.
            let _ = self.wire.stream.write_all(&bytes_of(piece));
        }
    }
}
