//! Sends a request to a cluster: picks a host, tries, and tries again.
//!
//! Every future here may be dropped at any moment: that closes the connection of the present try
//! and leaves all counters right. The time limit of the whole exchange is the caller's.

mod callout;
mod error;
mod framing;
mod tcp;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use http::{Request, StatusCode, Version, response};
use hyper::body::Incoming;
use smallvec::SmallVec;
use tokio::time::Instant;
use weir_model::{Forward, Protocol, Retries};

pub(crate) use callout::{CalloutOutcome, callout};
pub(crate) use error::DispatchError;
pub(crate) use framing::{length_of, may_have_body};
pub(crate) use tcp::{Channel, connect};

use crate::upstream::{
    BodyReader, BodySender, Checkout, Cluster, Host, Lease, Reuse, UpstreamBody,
};

/// Envoy's retry back-off: the n-th wait is random below (2ⁿ − 1) times the base.
const BACK_OFF_BASE: Duration = Duration::from_millis(25);
/// The longest such bound.
const BACK_OFF_MAX: Duration = Duration::from_millis(250);

/// The head of a response, and its body to come.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) head: response::Parts,
    pub(crate) body: UpstreamBody,
    /// The endpoint's address.
    pub(crate) peer: SocketAddr,
    /// Our address of that connection.
    pub(crate) local: SocketAddr,
}

/// What happened on the way, for the access log and the properties. Filled on failures too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    /// Tries, the first one included.
    pub(crate) count: u32,
    /// The host of the last try.
    pub(crate) last_peer: Option<SocketAddr>,
    /// Why the last failed try failed.
    pub(crate) last_failure: Option<DispatchError>,
    /// From the start to the connection of the last try.
    pub(crate) pool_ready: Duration,
    /// Whether another try was due, but none was left (Envoy's flag `URX`).
    pub(crate) is_exhausted: bool,
}

/// In the extensions of a request's head: the host that a filter wants (Higress).
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverrideHost(pub(crate) SocketAddr);

/// One request on its way.
struct Journey<'a> {
    cluster: &'a Rc<Cluster>,
    body: &'a BodySender,
    attempts: &'a mut Attempts,
    started: Instant,
    /// The request's head, for as long as another try may need it.
    head: Option<Parts>,
    /// The body for the next try: taken when that try was decided, so that nothing of it is given
    /// up until then.
    reader: Option<BodyReader>,
    tried: SmallVec<[SocketAddr; 4]>,
    /// The host that a filter wants for the first try.
    wanted: Option<SocketAddr>,
    /// The host of the present try, to blame for its timeout.
    host: Option<Rc<Host>>,
    reuse: Reuse,
    left: u32,
}

/// Why a try came to nothing.
enum Failure {
    Final(DispatchError),
    /// Another try may succeed.
    Retriable(DispatchError),
    /// The pooled connection was dead: it was no try.
    Stale(DispatchError),
}

/// Sends a request and waits for the head of its response. `head` has an origin-form URI and the
/// `host` header. Tries again as `forward.retries` says, for as long as the body can be replayed.
///
/// # Errors
///
/// [`DispatchError`] of the last try.
pub(crate) async fn dispatch(
    cluster: &Rc<Cluster>,
    forward: &Forward,
    mut head: Parts,
    body: &BodySender,
    attempts: &mut Attempts,
) -> Result<Answered, DispatchError> {
    let wanted = head.extensions.remove().map(|OverrideHost(host)| host);
    // Whatever the client spoke: only HTTP/1.1 has chunks and keeps connections.
    head.version = Version::HTTP_11;
    if cluster.model().protocol == Protocol::Http2 {
        framing::address(&mut head);
    }
    let mut journey = Journey {
        cluster,
        body,
        attempts,
        started: Instant::now(),
        head: Some(head),
        reader: None,
        tried: SmallVec::new(),
        wanted,
        host: None,
        reuse: Reuse::Allowed,
        left: forward.retries.attempts,
    };
    loop {
        journey.attempts.count += 1;
        let outcome = journey.attempt_in_time(&forward.retries).await;
        if let Some(end) = journey.judge(outcome, &forward.retries) {
            body.settle();
            return end;
        }
        if journey.reuse == Reuse::Allowed {
            journey.back_off(&forward.retries).await;
        }
    }
}

impl Journey<'_> {
    async fn attempt_in_time(&mut self, retries: &Retries) -> Result<Answered, Failure> {
        let Some(limit) = retries.per_try_timeout else {
            return self.attempt().await;
        };
        let body = self.body;
        // As in Envoy, a try's time counts from the end of the request.
        let late = async {
            std::future::poll_fn(|cx| body.poll_end(cx)).await;
            tokio::time::sleep(limit).await;
        };
        tokio::select! {
            biased;
            outcome = self.attempt() => return outcome,
            () = late => {}
        }
        if let Some(host) = &self.host {
            self.cluster.failed(host);
        }
        Err(Failure::Retriable(DispatchError::PerTryTimeout))
    }

    /// One try.
    async fn attempt(&mut self) -> Result<Answered, Failure> {
        self.host = None;
        let place = self
            .cluster
            .admit_to(self.wanted.take(), &self.tried)
            .await
            .map_err(Failure::from)?;
        self.attempts.last_peer = Some(place.host.address);
        self.host = Some(Rc::clone(&place.host));
        let mut lease = place.connect(self.reuse).await.map_err(Failure::from)?;
        self.attempts.pool_ready = self.started.elapsed();
        self.attempts.last_peer = Some(lease.carrier.peer());
        match self.send(&mut lease).await {
            Ok(response) => Ok(self.answer(response, lease)),
            Err(failure) => {
                if !matches!(
                    failure,
                    Failure::Stale(_) | Failure::Final(DispatchError::Aborted)
                ) {
                    self.cluster.failed(&lease.place.host);
                }
                Err(failure)
            }
        }
    }

    async fn send(&mut self, lease: &mut Lease) -> Result<http::Response<Incoming>, Failure> {
        let carrier = &mut lease.carrier;
        let aborted = || Failure::Final(DispatchError::Aborted);
        let may_repeat = self.body.is_replayable() && (self.left > 0 || carrier.is_reused());
        let head = if may_repeat {
            self.head.clone()
        } else {
            self.head.take()
        };
        let reader = self
            .reader
            .take()
            .or_else(|| self.body.attach())
            .ok_or_else(aborted)?;
        let mut head = head.ok_or_else(aborted)?;
        framing::announce(&mut head, self.body, self.cluster.model().protocol);
        let reader = if self.body.is_empty() {
            BodyReader::empty()
        } else {
            reader
        };
        let request = Request::from_parts(head, reader);
        // A reused connection may have died unseen (RFC 9112 §9.3.1), and what was written to it
        // was then never read. Only for methods that may be repeated (RFC 9110 §9.2.2) is
        // that a safe guess.
        let may_repeat_unasked = carrier.is_reused() && request.method().is_idempotent();
        let mut failed = match carrier.send(request).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        let was_unsent = failed
            .take_message()
            .map(|request| self.take_back(request))
            .is_some();
        let error = match DispatchError::of(failed.error()) {
            // The end came within a head.
            DispatchError::Terminated
                if carrier.was_heard() && failed.error().is_incomplete_message() =>
            {
                DispatchError::Protocol
            }
            error => error,
        };
        let was_stale =
            carrier.is_reused() && was_unsent || may_repeat_unasked && !carrier.was_heard();
        Err(match error {
            DispatchError::Terminated if was_stale => Failure::Stale(error),
            // The other side says that it did nothing with it (RFC 9113 §8.7).
            DispatchError::Refused if carrier.is_reused() => Failure::Stale(error),
            DispatchError::Terminated | DispatchError::Refused | DispatchError::Reset => {
                Failure::Retriable(error)
            }
            _ => Failure::Final(error),
        })
    }

    fn take_back(&mut self, request: Request<BodyReader>) {
        self.head.get_or_insert(request.into_parts().0);
    }

    fn answer(&self, response: http::Response<Incoming>, lease: Lease) -> Answered {
        let (head, incoming) = response.into_parts();
        let (peer, local) = (lease.carrier.peer(), lease.carrier.local());
        self.cluster.answered(&lease.place.host, head.status);
        Answered {
            head,
            body: UpstreamBody::new(incoming, lease, self.body),
            peer,
            local,
        }
    }

    /// What the caller gets, or `None` where another try is due.
    fn judge(
        &mut self,
        outcome: Result<Answered, Failure>,
        retries: &Retries,
    ) -> Option<Result<Answered, DispatchError>> {
        let was_reusing = self.reuse == Reuse::Allowed;
        self.reuse = Reuse::Allowed;
        let (is_retriable, end) = match outcome {
            Ok(answered) if answered.head.status == StatusCode::SWITCHING_PROTOCOLS => {
                (false, Err(DispatchError::Protocol))
            }
            Ok(answered) => (
                retries.statuses.contains(&answered.head.status.as_u16()),
                Ok(answered),
            ),
            Err(Failure::Stale(_)) if was_reusing && self.may_go_again() => {
                self.reuse = Reuse::Never;
                self.attempts.count -= 1;
                return None;
            }
            Err(Failure::Final(error)) => (false, Err(error)),
            Err(Failure::Retriable(error) | Failure::Stale(error)) => (true, Err(error)),
        };
        if let Err(error) = &end {
            self.attempts.last_failure = Some(error.clone());
        }
        if is_retriable && self.left > 0 && self.may_go_again() {
            self.left -= 1;
            self.tried.extend(self.host.take().map(|host| host.address));
            return None;
        }
        self.attempts.is_exhausted = is_retriable && self.left == 0 && retries.attempts > 0;
        Some(end)
    }

    fn may_go_again(&mut self) -> bool {
        if self.head.is_none() || !self.body.is_replayable() {
            return false;
        }
        self.reader = self.body.attach();
        self.reader.is_some()
    }

    async fn back_off(&self, retries: &Retries) {
        let nth = retries.attempts - self.left;
        let bound = BACK_OFF_BASE * ((1 << nth.min(8)) - 1);
        let micros = usize::try_from(bound.min(BACK_OFF_MAX).as_micros()).unwrap_or(usize::MAX);
        let wait = self.cluster.chance().below(micros.max(1));
        tokio::time::sleep(Duration::from_micros(wait as u64)).await;
    }
}

impl From<Checkout> for Failure {
    fn from(checkout: Checkout) -> Self {
        match checkout {
            Checkout::NoHost => Self::Final(DispatchError::NoHealthyUpstream),
            Checkout::Overflow => Self::Final(DispatchError::Overflow),
            Checkout::Connect(error) => Self::Retriable(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
