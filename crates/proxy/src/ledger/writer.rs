//! The thread that writes the access log.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use weir_model::limits;

/// The one writer of a process.
#[derive(Debug)]
pub(crate) struct LogWriter {
    queue: SyncSender<Vec<u8>>,
    thread: JoinHandle<()>,
}

impl LogWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start(out: Box<dyn Write + Send>) -> io::Result<Self> {
        let (queue, chunks) = sync_channel(limits::LOG_QUEUE_CHUNKS);
        let thread = std::thread::Builder::new()
            .name("weir-log".to_owned())
            .spawn(move || write_all(out, &chunks))?;
        Ok(Self { queue, thread })
    }

    /// Where workers put their chunks.
    pub(crate) fn queue(&self) -> SyncSender<Vec<u8>> {
        self.queue.clone()
    }

    /// Writes what is queued and ends; call it when the workers are gone. Gives up on a reader that
    /// does not read.
    pub(crate) fn close(self) {
        drop(self.queue);
        let patience = Instant::now() + limits::LOG_CLOSE_TIME;
        while !self.thread.is_finished() {
            if Instant::now() > patience {
                tracing::warn!("the reader of the access log does not read: lines are lost");
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn write_all(mut out: Box<dyn Write + Send>, chunks: &Receiver<Vec<u8>>) {
    let mut is_broken = false;
    while let Ok(chunk) = chunks.recv() {
        match out.write_all(&chunk).and_then(|()| out.flush()) {
            Ok(()) => is_broken = false,
            Err(error) if !is_broken => {
                is_broken = true;
                tracing::error!(%error, "the access log cannot be written");
            }
            Err(_) => {}
        }
    }
}
