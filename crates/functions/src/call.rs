//! One call: from a guest that is about to run to a response whose body the guest may still write.
//!
//! Invariants: a guest runs only while somebody wants its response, or after all of it has been
//! read; what it fails with is told once: as the fault of the call while there is no head, as the
//! error of the body afterwards.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

use crate::cell::Setup;
use crate::fault::{Fault, FaultKind};
use crate::message::{Body, BodyError, Response};
use crate::meter::{Meter, Metered};

/// The response's head, or why there will be none.
pub(crate) type Head = Result<Response, Fault>;

/// How a guest ended.
type Ended = Arc<OnceLock<Result<(), Fault>>>;

type Guest = Metered<dyn Future<Output = ()> + Send>;

/// A call that has not begun.
pub(crate) struct Call {
    setup: Setup,
    guest: Guest,
    ended: Ended,
}

impl Call {
    /// Of a guest that runs while this future is polled, and has ended when it is ready.
    pub(crate) fn new(
        setup: &Setup,
        meter: Arc<Meter>,
        guest: impl Future<Output = Result<(), Fault>> + Send + 'static,
    ) -> Self {
        let ended = Ended::default();
        let told = Arc::clone(&ended);
        let guest = Box::pin(async move {
            // Only this one sets it.
            let _ = told.set(guest.await);
        });
        Self {
            setup: setup.clone(),
            guest: Metered { meter, guest },
            ended,
        }
    }

    /// Runs the guest until there is a head of a response.
    pub(crate) async fn head(mut self, mut head: oneshot::Receiver<Head>) -> Head {
        let timeout = self.setup.function().limits.timeout;
        let deadline = tokio::time::sleep(timeout);
        tokio::pin!(deadline);
        let head = poll_fn(|context| {
            if self.ended.get().is_none() {
                let _ = Pin::new(&mut self.guest).poll(context);
            }
            if let Poll::Ready(head) = Pin::new(&mut head).poll(context) {
                return Poll::Ready(Some(head));
            }
            deadline.as_mut().poll(context).map(|()| None)
        });
        let Some(head) = head.await else {
            let text = format!("no response within {timeout:?}");
            return Err(self.setup.fault(FaultKind::Deadline, text));
        };
        if let Some(Err(fault)) = self.ended.get() {
            return Err(fault.clone());
        }
        let Ok(head) = head else {
            let text = "it ended without a response";
            return Err(self.setup.fault(FaultKind::NoResponse, text));
        };
        head.map(|response| self.respond(response))
    }

    /// A response whose guest goes on while it is read.
    fn respond(self, response: Response) -> Response {
        if self.ended.get().is_some() {
            return response;
        }
        let task = tokio::spawn(self.guest);
        response.map(|body| {
            let running = RunningBody {
                body,
                setup: self.setup,
                ended: self.ended,
                guest: Some(Running(task)),
                idle: None,
            };
            running.boxed_unsync()
        })
    }
}

/// A guest that runs by itself. It ends with this.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A body that a guest is still writing.
struct RunningBody {
    body: Body,
    setup: Setup,
    ended: Ended,
    /// `None`: the body has ended.
    guest: Option<Running>,
    /// Runs out when the guest has written nothing for too long.
    idle: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for RunningBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.guest.is_none() {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.poll_idle(context));
            self.guest = None;
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        };
        self.idle = None;
        match frame {
            Some(Ok(frame)) if frame.is_data() => Poll::Ready(Some(Ok(frame))),
            Some(Ok(frame)) => {
                self.let_go();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.guest = None;
                Poll::Ready(Some(Err(self.failure().unwrap_or(error))))
            }
            // A guest that fails leaves its body where it is.
            None if let Some(failure) = self.failure() => {
                self.guest = None;
                Poll::Ready(Some(Err(failure)))
            }
            None => {
                self.let_go();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.guest.is_none()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

impl RunningBody {
    fn failure(&self) -> Option<BodyError> {
        let fault = self.ended.get()?.as_ref().err()?;
        Some(BodyError::Function {
            kind: fault.kind,
            text: fault.text.clone(),
        })
    }

    fn timeout(&self) -> Duration {
        self.setup.function().limits.timeout
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let until = Instant::now() + self.timeout();
        self.idle
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)))
            .as_mut()
            .poll(context)
    }

    /// The response is whole: the guest may finish what it does, but not for long.
    fn let_go(&mut self) {
        let Some(mut guest) = self.guest.take() else {
            return;
        };
        if guest.0.is_finished() {
            return;
        }
        let (ended, timeout) = (Arc::clone(&self.ended), self.timeout());
        tokio::spawn(async move {
            let in_time = tokio::time::timeout(timeout, &mut guest.0).await;
            if in_time.is_err() {
                tracing::warn!("a function was ended: it went on after its response");
            } else if let Some(Err(fault)) = ended.get() {
                tracing::warn!("after its response was whole: {fault}");
            }
        });
    }
}
