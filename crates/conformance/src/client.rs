//! A client over a raw socket.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::statement::Message;
use crate::wire::{Wire, bytes_of, lossy};

/// A connection to the host.
pub(crate) struct Client {
    wire: Wire,
    patience: Duration,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            wire: Wire::new(stream),
            patience,
        })
    }

    /// Sends the bytes of a text.
    pub(crate) fn send(&mut self, text: &str) {
        // The host may have closed; what comes back tells.
        let _ = self.wire.stream.write_all(&bytes_of(text));
    }

    /// Ends the sending half.
    pub(crate) fn half_close(&mut self) {
        let _ = self.wire.stream.shutdown(Shutdown::Write);
    }

    /// Goes away.
    pub(crate) fn hang_up(self) {
        let _ = self.wire.stream.shutdown(Shutdown::Both);
    }

    /// The next final response. `is_head`: it has no body whatever its head says.
    pub(crate) fn response(&mut self, is_head: bool) -> Message {
        let mut response = Message::default();
        self.wire.is_late = false;
        response.was_cut = self.read(&mut response, is_head).is_none();
        response.is_late = response.was_cut && self.wire.is_late;
        response
    }

    fn read(&mut self, response: &mut Message, is_head: bool) -> Option<()> {
        loop {
            let head = self.wire.head()?;
            let status: u16 = head
                .split(' ')
                .nth(1)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()?;
            if status >= 200 {
                (response.status, response.head) = (status, head);
                break;
            }
            response.interim.push(status);
        }
        if is_head || matches!(response.status, 204 | 304) {
            return Some(());
        }
        let mut body = Vec::new();
        let trailers = self.wire.body(&response.head, true, &mut |bytes| {
            body.extend_from_slice(bytes);
        });
        (response.length, response.body) = (body.len(), lossy(&body));
        response.trailers = trailers?;
        Some(())
    }

    /// Whether exactly these bytes come next, and what came otherwise.
    pub(crate) fn receive(&mut self, text: &str) -> Result<(), String> {
        let expected = bytes_of(text);
        while self.wire.buffer.len() < expected.len() && self.wire.more() {}
        let count = expected.len().min(self.wire.buffer.len());
        let received: Vec<u8> = self.wire.buffer.drain(..count).collect();
        if received == expected {
            return Ok(());
        }
        Err(format!(
            "received {:?}, expected {:?}",
            lossy(&received),
            lossy(&expected)
        ))
    }

    /// Whether the end comes next, and what came otherwise.
    pub(crate) fn closed(&mut self) -> Result<(), String> {
        self.wire.is_late = false;
        if self.wire.buffer.is_empty() && !self.wire.more() {
            let ended = !self.wire.is_late;
            return ended
                .then_some(())
                .ok_or_else(|| "the connection is still open".to_owned());
        }
        Err(format!(
            "received {:?}, expected the end",
            lossy(&self.wire.buffer)
        ))
    }

    /// Whether nothing comes for a while, and what came otherwise.
    pub(crate) fn silence(&mut self, time: Duration) -> Result<(), String> {
        self.wire.is_late = false;
        if self.wire.buffer.is_empty() {
            // A socket whose timeout cannot be set waits longer, which is no harm.
            let _ = self.wire.stream.set_read_timeout(Some(time));
            let came = self.wire.more();
            let _ = self.wire.stream.set_read_timeout(Some(self.patience));
            if !came && self.wire.is_late {
                return Ok(());
            }
            if !came {
                return Err("the connection ended".to_owned());
            }
        }
        Err(format!(
            "received {:?}, expected nothing",
            lossy(&self.wire.buffer)
        ))
    }
}
