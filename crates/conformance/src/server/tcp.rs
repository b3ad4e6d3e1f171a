//! A server of raw bytes.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::{PAUSE_TIME, Record, Stop, pieces};
use crate::statement::{Seen, When};
use crate::wire::{Wire, bytes_of, lossy};

/// What ends an answer after which the server closes.
const CLOSE: &str = "<close>";

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
            thread::spawn(move || serve(stream, &answers, when, &record));
        }
    });
    Ok(address)
}

fn serve(stream: TcpStream, answers: &[String], when: When, record: &Record) {
    // Small pieces must leave one by one; without it they only come later.
    let _ = stream.set_nodelay(true);
    let at = record.begin(Seen::default());
    let mut wire = Wire::new(stream);
    let mut has_answered = when == When::Never;
    if when == When::AtOnce {
        answer(&mut wire.stream, answers, at);
        has_answered = true;
    }
    while wire.more() {
        let bytes = std::mem::take(&mut wire.buffer);
        record.change(at, |seen| {
            seen.length += bytes.len();
            seen.body += &lossy(&bytes);
        });
        if !has_answered {
            answer(&mut wire.stream, answers, at);
            has_answered = true;
        }
    }
    record.change(at, |seen| seen.is_whole = true);
}

fn answer(stream: &mut TcpStream, answers: &[String], index: usize) {
    for (index, piece) in pieces(answers, index).enumerate() {
        if index > 0 {
            thread::sleep(PAUSE_TIME);
        }
        let (piece, closes) = match piece.strip_suffix(CLOSE) {
            Some(piece) => (piece, true),
            None => (piece, false),
        };
        // A host that went away is what some statements are about.
        let _ = stream.write_all(&bytes_of(piece));
        if closes {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}
