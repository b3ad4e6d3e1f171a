//! One HTTP/1 connection over a raw socket, as client or as server: nothing is tidied up.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::LONG;

/// A connection and what was read of it but not used yet.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request or response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// Request line or status line.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Message {
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let word = self
            .line
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok());
        word.unwrap_or_else(|| panic!("no status in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        value_of(&self.trailers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The path of a request.
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

fn value_of<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let field = fields.iter().find(|(known, _)| known == name);
    field.map(|(_, value)| value.as_str())
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("the gateway accepts"))
    }

    pub(crate) fn of(stream: TcpStream) -> Self {
        stream
            .set_read_timeout(Some(LONG))
            .expect("a socket has a timeout");
        stream
            .set_write_timeout(Some(LONG))
            .expect("a socket has a timeout");
        stream
            .set_nodelay(true)
            .expect("a socket can be told not to wait");
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the other side reads");
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends byte by byte, each in a packet of its own.
    #[track_caller]
    pub(crate) fn dribble(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send([*byte]);
        }
    }

    /// Nothing more will be sent.
    pub(crate) fn finish(&self) {
        // The other side may have closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes with a reset instead of an end: what was not read is lost.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("a socket can be told not to linger");
    }

    /// A whole response that is not one to `HEAD`.
    #[track_caller]
    pub(crate) fn response(&mut self) -> Message {
        self.try_response().expect("a response comes")
    }

    pub(crate) fn try_response(&mut self) -> io::Result<Message> {
        let mut message = self.try_head()?.ok_or(ErrorKind::UnexpectedEof)?;
        if !matches!(message.status(), 100..200 | 204 | 304) {
            self.read_body(&mut message, Ends::WithConnection)?;
        }
        Ok(message)
    }

    /// A head without what follows it.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Message {
        let head = self.try_head().expect("a head comes");
        head.expect("the connection is open")
    }

    /// A whole request; `None`: the connection ended between two of them.
    pub(crate) fn try_request(&mut self) -> io::Result<Option<Message>> {
        let Some(mut message) = self.try_head()? else {
            return Ok(None);
        };
        self.read_body(&mut message, Ends::AtOnce)?;
        Ok(Some(message))
    }

    /// A whole request.
    #[track_caller]
    pub(crate) fn request(&mut self) -> Message {
        let request = self.try_request().expect("a request comes");
        request.expect("the connection is open")
    }

    pub(crate) fn try_head(&mut self) -> io::Result<Option<Message>> {
        let Some(head) = self.read_through(b"\r\n\r\n")? else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let line = lines.next().unwrap_or_default().to_owned();
        Ok(Some(Message {
            line,
            headers: fields(lines),
            ..Message::default()
        }))
    }

    fn read_body(&mut self, message: &mut Message, otherwise: Ends) -> io::Result<()> {
        let codings = message.header("transfer-encoding").unwrap_or_default();
        if codings.contains("chunked") {
            return self.read_chunks(message);
        }
        match (message.header("content-length"), otherwise) {
            (Some(length), _) => {
                let length = length.parse().map_err(io::Error::other)?;
                message.body = self.read_exactly(length)?;
            }
            (None, Ends::AtOnce) => {}
            (None, Ends::WithConnection) => message.body = self.read_rest()?,
        }
        Ok(())
    }

    fn read_chunks(&mut self, message: &mut Message) -> io::Result<()> {
        loop {
            let line = self.read_line()?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            if size == 0 {
                break;
            }
            let chunk = self.read_exactly(size + 2)?;
            message.body.extend_from_slice(&chunk[..size]);
        }
        loop {
            let line = self.read_line()?;
            if line.trim().is_empty() {
                return Ok(());
            }
            message
                .trailers
                .extend(fields(std::iter::once(line.as_str())));
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        let line = self
            .read_through(b"\r\n")?
            .ok_or(ErrorKind::UnexpectedEof)?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Everything up to and with a mark; `None`: the connection ended before the first byte.
    fn read_through(&mut self, mark: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            let at = self
                .buffer
                .windows(mark.len())
                .position(|part| part == mark);
            if let Some(at) = at {
                return Ok(Some(self.buffer.drain(..at + mark.len()).collect()));
            }
            if self.read_more()? == 0 {
                let is_between = self.buffer.is_empty();
                return is_between
                    .then_some(None)
                    .ok_or(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub(crate) fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            if self.read_more()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// What was read already.
    pub(crate) fn read_buffered(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// Reads and forgets so many bytes; how many came.
    pub(crate) fn count(&mut self, length: usize) -> usize {
        let mut count = self.read_buffered().len();
        while count < length && self.read_more().is_ok_and(|more| more > 0) {
            count += self.read_buffered().len();
        }
        count
    }

    /// Everything up to the end of the connection.
    pub(crate) fn read_rest(&mut self) -> io::Result<Vec<u8>> {
        while self.read_more()? > 0 {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Waits for the other side's end, however it comes.
    pub(crate) fn wait_end(&mut self) {
        while self.read_more().is_ok_and(|count| count > 0) {
            self.buffer.clear();
        }
    }

    fn read_more(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 << 10];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

/// Where a body without a length ends.
#[derive(Clone, Copy)]
enum Ends {
    AtOnce,
    WithConnection,
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let split = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    lines.filter_map(split).collect()
}
