//! A client over a raw socket.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::upstream::{PATIENCE, fields};

/// A response as it came; status 0: the connection ended before one was whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) trailers: String,
    /// The connection ended within.
    pub(crate) was_cut: bool,
}

impl Response {
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        fields(&self.head, name)
    }

    /// The first value of a header; empty: there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// Status and body.
    pub(crate) fn brief(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

/// A connection to the gateway.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a gateway that listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&mut self, time: std::time::Duration) {
        self.stream.set_read_timeout(Some(time)).expect("a socket");
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The gateway may have closed; the response tells.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Goes away.
    pub(crate) fn hang_up(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// The next final response.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = Response::default();
        response.was_cut = self.read(&mut response, true).is_none();
        response
    }

    fn read(&mut self, response: &mut Response, has_body: bool) -> Option<()> {
        response.head = self.until_blank()?;
        response.status = response.head.split(' ').nth(1)?.parse().ok()?;
        if response.status < 200 {
            return self.read(response, has_body);
        }
        if !has_body || matches!(response.status, 204 | 304) {
            return Some(());
        }
        if let Some(length) = fields(&response.head, "content-length").first() {
            let length: usize = length.parse().ok()?;
            while self.buffer.len() < length {
                if !self.more() {
                    response.body = String::from_utf8_lossy(&self.buffer).into_owned();
                    return None;
                }
            }
            response.body = self.take(length);
            return Some(());
        }
        if fields(&response.head, "transfer-encoding").is_empty() {
            while self.more() {}
            response.body = self.take(self.buffer.len());
            return Some(());
        }
        self.read_chunks(response)
    }

    fn read_chunks(&mut self, response: &mut Response) -> Option<()> {
        loop {
            let size = usize::from_str_radix(self.line()?.trim(), 16).ok()?;
            if size == 0 {
                break;
            }
            while self.buffer.len() < size + 2 {
                self.more().then_some(())?;
            }
            response.body += &self.take(size);
            self.take(2);
        }
        response.trailers = self.until_blank()?;
        Some(())
    }

    fn take(&mut self, count: usize) -> String {
        let bytes: Vec<u8> = self.buffer.drain(..count).collect();
        String::from_utf8_lossy(&bytes).into_owned()
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

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(at);
                self.take(2);
                return Some(line);
            }
            self.more().then_some(())?;
        }
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                true
            }
        }
    }
}
