//! One end of the socket between the gateway and a plugin's process: whole frames in both directions.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use weir_model::limits;

use super::wire::{self, Field, Violation};

/// Bytes of the length before each frame.
const LENGTH_BYTES: usize = 4;
/// Files beside one message: the code, and an image for each memory of a module.
const FILES_MAX: usize = 32;
/// What a side keeps for frames; larger ones get their room for themselves.
const KEPT_BYTES: usize = 64 << 10;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The other side is gone.
    #[error("its socket is closed")]
    Closed,
    /// The other side is gone, and has not read what was sent last.
    #[error("its socket was closed")]
    Unread,
    /// It is silent for longer than whoever waits has patience.
    #[error("it did not answer in time")]
    Silent,
    /// A message is longer than any may be; nothing was sent.
    #[error("a message is too long")]
    TooLong,
    /// It sent what it may not send.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The system refuses.
    #[error("its socket fails: {0}")]
    System(io::Error),
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            // The system resets a local socket that is closed with something in it.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Unread,
            _ => Self::System(error),
        }
    }
}

/// Says again and again, while nothing comes or goes, whether to wait on.
pub(super) trait Patience {
    /// Whether to wait on.
    fn lasts(&mut self) -> bool;
}

/// Waits forever.
pub(super) struct Endless;

impl Patience for Endless {
    fn lasts(&mut self) -> bool {
        true
    }
}

/// One end.
pub(super) struct Link {
    socket: UnixStream,
    inbox: Vec<u8>,
    /// What of the inbox has arrived and was not taken.
    unread: Range<usize>,
    outbox: Vec<u8>,
}

impl Link {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            inbox: vec![0; KEPT_BYTES],
            unread: 0..0,
            outbox: Vec::new(),
        }
    }

    /// How often [`Patience`] is asked.
    pub(super) fn set_grain(&self, grain: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(grain))?;
        self.socket.set_write_timeout(Some(grain))
    }

    /// Whether something has arrived that nobody asked for yet.
    pub(super) fn is_ahead(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Sends a message. One that is too long is not sent at all.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub(super) fn send<'b>(
        &mut self,
        message: &impl Field<'b>,
        patience: &mut impl Patience,
    ) -> Result<(), LinkError> {
        self.write_down(message)?;
        let mut rest = &self.outbox[..];
        while !rest.is_empty() {
            match self.socket.write(rest) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(sent) => rest = &rest[sent..],
                Err(error) => wait_on(error, patience)?,
            }
        }
        self.outbox.shrink_to(KEPT_BYTES);
        Ok(())
    }

    /// Sends a message with files beside it, at most [`FILES_MAX`].
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub(super) fn send_files<'b>(
        &mut self,
        message: &impl Field<'b>,
        files: &[&File],
    ) -> Result<(), LinkError> {
        self.write_down(message)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let files: Vec<BorrowedFd<'_>> = files.iter().map(|file| file.as_fd()).collect();
        if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(LinkError::TooLong);
        }
        let parts = [IoSlice::new(&self.outbox)];
        let sent = sendmsg(&self.socket, &parts, &mut ancillary, SendFlags::NOSIGNAL);
        let sent = sent.map_err(io::Error::from)?;
        let rest = self.outbox.get(sent..).unwrap_or_default();
        Ok((&self.socket).write_all(rest)?)
    }

    /// The next frame, in the inbox until the next call.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub(super) fn receive(&mut self, patience: &mut impl Patience) -> Result<&[u8], LinkError> {
        while self.unread.len() < LENGTH_BYTES {
            self.fill(LENGTH_BYTES, patience)?;
        }
        let mut length = [0; LENGTH_BYTES];
        let start = self.unread.start + LENGTH_BYTES;
        length.copy_from_slice(&self.inbox[self.unread.start..start]);
        let length = u32::from_le_bytes(length) as usize;
        if length > limits::APART_FRAME_BYTES_MAX {
            return Err(Violation("a frame is longer than any may be").into());
        }
        while self.unread.len() < LENGTH_BYTES + length {
            self.fill(LENGTH_BYTES + length, patience)?;
        }
        let frame = self.unread.start + LENGTH_BYTES..self.unread.start + LENGTH_BYTES + length;
        self.unread.start = frame.end;
        Ok(&self.inbox[frame])
    }

    /// The next frame and the files that came with its first bytes. To be asked for the first frame
    /// only.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub(super) fn receive_files(&mut self) -> Result<(Vec<File>, &[u8]), LinkError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut self.inbox)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&self.socket, &mut parts, &mut ancillary, flags);
        self.unread = 0..received.map_err(io::Error::from)?.bytes;
        let mut files = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                files.extend(descriptors.map(File::from));
            }
        }
        Ok((files, self.receive(&mut Endless)?))
    }

    fn write_down<'b>(&mut self, message: &impl Field<'b>) -> Result<(), LinkError> {
        self.outbox.clear();
        self.outbox.extend_from_slice(&[0; LENGTH_BYTES]);
        wire::encode(message, &mut self.outbox);
        let length = self.outbox.len() - LENGTH_BYTES;
        if length > limits::APART_FRAME_BYTES_MAX {
            self.outbox = Vec::new();
            return Err(LinkError::TooLong);
        }
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.outbox[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    /// Reads what is there. Room is made as bytes arrive, never for a length that is only claimed.
    fn fill(&mut self, wanted: usize, patience: &mut impl Patience) -> Result<(), LinkError> {
        if self.unread.is_empty() {
            self.unread = 0..0;
            if self.inbox.len() > KEPT_BYTES {
                self.inbox = vec![0; KEPT_BYTES];
            }
        }
        if self.unread.end == self.inbox.len() {
            self.inbox.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        if self.unread.end == self.inbox.len() {
            let room = (2 * self.inbox.len()).min(wanted).max(self.inbox.len() + 1);
            self.inbox.resize(room, 0);
        }
        match self.socket.read(&mut self.inbox[self.unread.end..]) {
            Ok(0) => Err(LinkError::Closed),
            Ok(more) => {
                self.unread.end += more;
                Ok(())
            }
            Err(error) => wait_on(error, patience),
        }
    }
}

/// What a failed read or write means for whoever can wait.
fn wait_on(error: io::Error, patience: &mut impl Patience) -> Result<(), LinkError> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if patience.lasts() => Ok(()),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Err(LinkError::Silent),
        _ => Err(error.into()),
    }
}
