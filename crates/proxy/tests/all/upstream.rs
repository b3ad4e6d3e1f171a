//! A server over a raw socket: it notes what it gets as it gets it, and answers from a script.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for anything that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// What separates the pieces of a scripted answer: the server waits a moment there.
pub(crate) const PAUSE: char = '|';

/// What one server saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) trailers: String,
    pub(crate) is_whole: bool,
    pub(crate) broke_off: bool,
}

impl Seen {}

/// Values of a header in the text of a head.
pub(crate) fn fields<'t>(head: &'t str, name: &str) -> Vec<&'t str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

/// When an answer is sent.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Answers {
    AfterBody,
    AfterHead,
    Never,
}

/// A running server.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    pub(crate) fn start(answer: &str, answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (answer, shared) = (answer.to_owned(), Arc::clone(&seen));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (answer, seen) = (answer.clone(), Arc::clone(&shared));
                thread::spawn(move || {
                    Server {
                        connection,
                        seen,
                        buffer: Vec::new(),
                    }
                    .serve(&answer, answers);
                });
            }
        });
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        locked(&self.seen).clone()
    }

    /// Waits until a request looks as told.
    #[track_caller]
    pub(crate) fn until(&self, what: impl Fn(&Seen) -> bool) -> Seen {
        let found = eventually(|| self.seen().into_iter().rev().find(|seen| what(seen)));
        found.unwrap_or_else(|| panic!("the upstream saw only {:?}", self.seen()))
    }
}

/// Polls until there is something, within [`PATIENCE`].
pub(crate) fn eventually<T>(poll: impl FnMut() -> Option<T>) -> Option<T> {
    eventually_within(PATIENCE, poll)
}

/// Polls until there is something, for so long at most.
pub(crate) fn eventually_within<T>(
    patience: Duration,
    mut poll: impl FnMut() -> Option<T>,
) -> Option<T> {
    let begun = Instant::now();
    loop {
        let found = poll();
        if found.is_some() || begun.elapsed() > patience {
            return found;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Server {
    connection: TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
    buffer: Vec<u8>,
}

impl Server {
    fn serve(&mut self, answer: &str, answers: Answers) {
        while let Some(at) = self.one(answer, answers) {
            if answers == Answers::Never
                || answer.to_ascii_lowercase().contains("connection: close")
            {
                // Kept open for a client that must not see an end, until it closes.
                if answers == Answers::Never {
                    while self.more() {}
                    locked(&self.seen)[at].broke_off = true;
                }
                return;
            }
        }
    }

    /// One request and its answer; `None`: the connection is over.
    fn one(&mut self, answer: &str, answers: Answers) -> Option<usize> {
        let head = self.until_blank()?;
        let at = {
            let mut seen = locked(&self.seen);
            seen.push(Seen {
                head: head.clone(),
                ..Seen::default()
            });
            seen.len() - 1
        };
        if answers == Answers::AfterHead {
            self.answer(answer);
        }
        if self.body(at, &head).is_none() {
            locked(&self.seen)[at].broke_off = true;
            return None;
        }
        locked(&self.seen)[at].is_whole = true;
        if answers == Answers::AfterBody {
            self.answer(answer);
        }
        Some(at)
    }

    fn answer(&mut self, answer: &str) {
        for (index, piece) in answer.split(PAUSE).enumerate() {
            if index > 0 {
                thread::sleep(Duration::from_millis(30));
            }
            // A gateway that went away is what some tests are about.
            let _ = self.connection.write_all(piece.as_bytes());
        }
    }

    fn body(&mut self, at: usize, head: &str) -> Option<()> {
        if let Some(length) = fields(head, "content-length").first() {
            let mut left: usize = length.parse().ok()?;
            while left > 0 {
                if self.buffer.is_empty() && !self.more() {
                    return None;
                }
                let count = left.min(self.buffer.len());
                self.note(at, count);
                left -= count;
            }
        } else if !fields(head, "transfer-encoding").is_empty() {
            loop {
                let size = usize::from_str_radix(self.line()?.trim(), 16).ok()?;
                if size == 0 {
                    break;
                }
                while self.buffer.len() < size + 2 {
                    self.more().then_some(())?;
                }
                self.note(at, size);
                self.buffer.drain(..2);
            }
            loop {
                let line = self.line()?;
                if line.is_empty() {
                    break;
                }
                let trailers = &mut locked(&self.seen)[at].trailers;
                trailers.push_str(&line);
                trailers.push('\n');
            }
        }
        Some(())
    }

    fn note(&mut self, at: usize, count: usize) {
        let bytes: Vec<u8> = self.buffer.drain(..count).collect();
        locked(&self.seen)[at].body += &String::from_utf8_lossy(&bytes);
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.buffer.drain(..at + 2).collect::<Vec<u8>>();
                return Some(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            self.more().then_some(())?;
        }
    }

    fn until_blank(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(head);
            }
            head += &line;
            head.push('\n');
        }
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.connection.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                true
            }
        }
    }
}
