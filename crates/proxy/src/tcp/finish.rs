//! The end of a carried connection: what filters are told, the access log, the sockets.

use std::borrow::Cow;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll};

use tokio::time::Instant;
use weir_guest::Event;
use weir_guest::door::Peer;

use super::{Carried, Far};
use crate::dispatch::DispatchError;
use crate::exchange::SeatState;
use crate::listen::bind::reset_on_close;
use crate::stream::Flags;

/// How a connection ends.
#[derive(Debug)]
pub(super) struct Ending {
    /// Whom filters are told to have closed it.
    by: Peer,
    details: Option<Cow<'static, str>>,
    flags: Flags,
    manner: Manner,
}

/// What becomes of bytes that are not written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// They still go to the client.
    FlushClient,
    /// They still go to the upstream.
    FlushUpstream,
    /// They are dropped.
    Drop,
    /// They are dropped, and both ends see a reset.
    Reset,
}

impl Ending {
    fn local(manner: Manner, details: &'static str) -> Self {
        Self {
            by: Peer::Local,
            details: Some(details.into()),
            flags: Flags::default(),
            manner,
        }
    }

    /// A filter closed it.
    pub(super) fn ordered(details: &'static str) -> Self {
        Self::local(Manner::FlushClient, details)
    }

    /// A filter failed.
    pub(super) fn failed() -> Self {
        Self::local(Manner::FlushClient, "wasm_fail_stream")
    }

    /// The gateway ends.
    pub(super) fn drained() -> Self {
        Self::local(Manner::Drop, "drained")
    }

    /// Nothing moved for too long.
    pub(super) fn idle() -> Self {
        Self::local(Manner::Drop, "tcp_session_idle_timeout")
    }

    /// There is no upstream.
    pub(super) fn unconnected(error: &DispatchError) -> Self {
        let flags = match error {
            DispatchError::ConnectionFailure { .. }
            | DispatchError::Encryption(_)
            | DispatchError::ConnectionTimeout => "UF,URX",
            _ => error.flags(),
        };
        Self {
            details: Some({
                let reason = error.transport_failure();
                let reason = reason.unwrap_or_else(|| error.to_string());
                reason.replace(' ', "_").into()
            }),
            flags: Flags::of(flags),
            ..Self::local(Manner::Drop, "")
        }
    }

    /// A filter chose a cluster that there is not.
    pub(super) fn no_cluster() -> Self {
        Self {
            flags: Flags::of("NC"),
            ..Self::local(Manner::Drop, "cluster_not_found")
        }
    }

    /// Both halves of the upstream's connection have ended.
    pub(super) fn upstream_over() -> Self {
        Self {
            details: None,
            ..Self::local(Manner::FlushClient, "")
        }
    }

    /// Both halves of the client's connection have ended, the last one by `by`.
    pub(super) fn client_over(by: Peer) -> Self {
        Self {
            by,
            details: None,
            ..Self::local(Manner::FlushUpstream, "")
        }
    }

    /// The client's connection broke.
    pub(super) fn client_broke(error: &io::Error) -> Self {
        Self {
            by: Peer::Remote,
            details: None,
            flags: Flags::default(),
            manner: Manner::of(error, Manner::FlushUpstream),
        }
    }

    /// The upstream's connection broke.
    pub(super) fn upstream_broke(error: &io::Error) -> Self {
        Self {
            details: None,
            flags: Flags::of("UR"),
            ..Self::local(Manner::of(error, Manner::FlushClient), "")
        }
    }
}

impl Manner {
    fn of(error: &io::Error, other: Self) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset => Self::Reset,
            _ => other,
        }
    }
}

impl Carried {
    /// Ends the connection: what must still go out goes out, within the idle timeout.
    pub(super) async fn end(mut self: Box<Self>, ending: Ending) {
        if ending.manner == Manner::FlushClient {
            self.flush(Self::poll_flush_client).await;
        }
        self.finish(&ending);
        match ending.manner {
            Manner::FlushUpstream => self.flush(Self::poll_flush_upstream).await,
            Manner::Reset => {
                reset_on_close(&self.near.socket);
                if let Far::Connected { wire, .. } = &self.far {
                    reset_on_close(&wire.socket);
                }
            }
            Manner::FlushClient | Manner::Drop => {}
        }
    }

    async fn flush(&mut self, poll: impl Fn(&mut Self, &mut Context<'_>) -> io::Result<bool>) {
        let limit = self.connection.seat.listener.idle_timeout;
        let flushed = poll_fn(|cx| {
            if self.connection.is_cut(cx) {
                return Poll::Ready(());
            }
            match poll(self, cx) {
                Ok(false) => Poll::Pending,
                Ok(true) => Poll::Ready(()),
                Err(error) => {
                    tracing::debug!(%error, "the last bytes of a TCP connection are lost");
                    Poll::Ready(())
                }
            }
        });
        // Whoever does not read for so long does without.
        let _ = tokio::time::timeout(limit, flushed).await;
    }

    fn poll_flush_client(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let written = self.near.poll_write(cx)?;
        self.connection.sent(written.bytes);
        self.stream.borrow_mut().facts.response_bytes += written.bytes as u64;
        Ok(self.near.out.is_empty())
    }

    fn poll_flush_upstream(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let Far::Connected { wire, .. } = &mut self.far else {
            return Ok(true);
        };
        wire.poll_write(cx)?;
        Ok(wire.out.is_empty())
    }

    /// Tells the filters, ends their contexts and writes the access log, once.
    fn finish(&mut self, ending: &Ending) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        {
            let facts = &mut self.stream.borrow_mut().facts;
            facts.flags = ending.flags;
            facts.details = ending.details.as_deref().map(str::to_owned);
        }
        for stage in 0..self.seats.len() {
            self.end_filter(stage, ending.by);
        }
        {
            let stream = &mut *self.stream.borrow_mut();
            stream.facts.ended = Some(Instant::now());
            stream.is_logging = true;
            stream.orders.clear();
        }
        let listener = self.connection.seat.index;
        // The line of a connection does not wait for what they say.
        let _ = self.worker.log_to_plugins(listener, &self.stream);
        self.worker
            .enter_ledger(&self.stream.borrow(), (&self.seats, &self.chain), 0);
    }

    fn end_filter(&mut self, stage: usize, by: Peer) {
        let SeatState::Present { context, life } = self.seats[stage].state else {
            return;
        };
        self.tell(stage, |context| Event::DownstreamConnectionClose {
            context,
            by,
        });
        self.tell(stage, |context| Event::Done { context });
        self.tell(stage, |context| Event::Log { context });
        let slot = self.slot(stage);
        if slot.life() == life {
            slot.delete_stream(context);
        } else {
            // It failed just now: so says the access log.
            self.seats[stage].state = SeatState::Bypassed;
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.finish(&Ending::drained());
    }
}
