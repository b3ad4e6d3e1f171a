//! Why a request got no response, in Envoy's terms.

use std::borrow::Cow;
use std::io;
use std::rc::Rc;

use http::StatusCode;
use weir_tls::Failure;

use crate::upstream::{ConnectError, h2_error};

/// Why a request got no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DispatchError {
    /// The cluster has no endpoint.
    #[error("the cluster has no endpoint")]
    NoHealthyUpstream,
    /// No connection came about.
    #[error("connect failed: {reason}")]
    ConnectionFailure {
        /// The system's words.
        reason: Cow<'static, str>,
    },
    /// The connection could not be encrypted.
    #[error("{0}")]
    Encryption(Rc<Failure>),
    /// No connection came about in time.
    #[error("connect timed out")]
    ConnectionTimeout,
    /// The connection ended before the head of the response.
    #[error("the upstream closed the connection before the head of its response")]
    Terminated,
    /// HTTP/2: the upstream reset the request.
    #[error("the upstream reset the request before the head of its response")]
    Reset,
    /// HTTP/2: the upstream has not looked at the request, and will not.
    #[error("the upstream refused the request unread")]
    Refused,
    /// Too many connections, and too many requests waiting for one.
    #[error("too many requests wait for a connection")]
    Overflow,
    /// The head of the response did not come in the time of one try.
    #[error("no response in the time of one try")]
    PerTryTimeout,
    /// What came was not HTTP.
    #[error("the upstream sent a malformed response head")]
    Protocol,
    /// Our side gave the request up.
    #[error("the request was given up before its end")]
    Aborted,
}

impl DispatchError {
    /// What hyper's error means.
    pub(super) fn of(error: &hyper::Error) -> Self {
        if error.is_user() {
            Self::Aborted
        } else if let Some(error) = h2_error(error) {
            Self::of_h2(error)
        } else if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
            Self::Protocol
        } else {
            Self::Terminated
        }
    }

    fn of_h2(error: &h2::Error) -> Self {
        if error.is_go_away() && error.is_remote() {
            // Such requests come after the last one that the upstream took.
            let is_calm = error.reason() == Some(h2::Reason::NO_ERROR);
            return if is_calm {
                Self::Refused
            } else {
                Self::Terminated
            };
        }
        if error.is_reset() && error.is_remote() {
            let is_refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return if is_refused {
                Self::Refused
            } else {
                Self::Reset
            };
        }
        if error.is_io() {
            Self::Terminated
        } else if error.reason() == Some(h2::Reason::CANCEL) {
            Self::Aborted
        } else {
            // What came breaks HTTP/2, or what was to go would.
            Self::Protocol
        }
    }

    /// The status that a client gets.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::PerTryTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Protocol => StatusCode::BAD_GATEWAY,
            Self::NoHealthyUpstream
            | Self::ConnectionFailure { .. }
            | Self::Encryption(_)
            | Self::ConnectionTimeout
            | Self::Terminated
            | Self::Reset
            | Self::Refused
            | Self::Overflow
            | Self::Aborted => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Envoy's response flag.
    pub(crate) fn flags(&self) -> &'static str {
        match self {
            Self::NoHealthyUpstream => "UH",
            Self::ConnectionFailure { .. } | Self::Encryption(_) | Self::ConnectionTimeout => "UF",
            Self::Terminated => "UC",
            Self::Reset | Self::Refused => "UR",
            Self::Overflow => "UO",
            Self::PerTryTimeout => "UT",
            Self::Protocol => "UPE",
            Self::Aborted => "DC",
        }
    }

    /// Envoy's response code details.
    pub(crate) fn details(&self) -> Cow<'static, str> {
        match self {
            Self::NoHealthyUpstream => "no_healthy_upstream".into(),
            Self::ConnectionFailure { .. } | Self::Encryption(_) => {
                let reason = self.transport_failure().unwrap_or_default();
                let reason = reason.replace(' ', "_");
                format!(
                    "upstream_reset_before_response_started{{remote_connection_failure|{reason}}}"
                )
                .into()
            }
            Self::ConnectionTimeout => {
                "upstream_reset_before_response_started{connection_timeout}".into()
            }
            Self::Terminated => {
                "upstream_reset_before_response_started{connection_termination}".into()
            }
            Self::Reset => "upstream_reset_before_response_started{remote_reset}".into(),
            Self::Refused => {
                "upstream_reset_before_response_started{remote_refused_stream_reset}".into()
            }
            Self::Overflow => "upstream_reset_before_response_started{overflow}".into(),
            Self::PerTryTimeout => "upstream_per_try_timeout".into(),
            Self::Protocol => "upstream_reset_before_response_started{protocol_error}".into(),
            Self::Aborted => "downstream_remote_disconnect".into(),
        }
    }

    /// Envoy's `UPSTREAM_TRANSPORT_FAILURE_REASON` (the property
    /// `upstream.transport_failure_reason`).
    pub(crate) fn transport_failure(&self) -> Option<String> {
        match self {
            Self::ConnectionFailure { reason } => Some(format!("delayed connect error: {reason}")),
            Self::Encryption(failure) => Some(format!("TLS error: {failure}")),
            Self::NoHealthyUpstream
            | Self::ConnectionTimeout
            | Self::Terminated
            | Self::Reset
            | Self::Refused
            | Self::Overflow
            | Self::PerTryTimeout
            | Self::Protocol
            | Self::Aborted => None,
        }
    }

    /// The text that a client gets, as measured with Envoy 1.40; `was_retried`: after more than
    /// one try.
    pub(crate) fn text(&self, was_retried: bool) -> Cow<'static, str> {
        let reason = match self {
            Self::NoHealthyUpstream => return "no healthy upstream".into(),
            Self::PerTryTimeout => return "upstream request timeout".into(),
            Self::ConnectionFailure { .. } | Self::Encryption(_) => "remote connection failure",
            Self::ConnectionTimeout => "connection timeout",
            Self::Terminated => "connection termination",
            Self::Reset => "remote reset",
            Self::Refused => "remote refused stream reset",
            Self::Overflow => "overflow",
            Self::Protocol => "protocol error",
            Self::Aborted => "local reset",
        };
        let kind = if was_retried {
            "retried and the latest reset"
        } else {
            "reset"
        };
        format!(
            "upstream connect error or disconnect/reset before headers. {kind} reason: {reason}"
        )
        .into()
    }
}

impl From<ConnectError> for DispatchError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::TimedOut => Self::ConnectionTimeout,
            ConnectError::Failed(error) => Self::ConnectionFailure {
                reason: reason(&error),
            },
            ConnectError::Encryption(failure) => Self::Encryption(failure),
        }
    }
}

/// The system's words, without the number that Rust puts behind them.
fn reason(error: &io::Error) -> Cow<'static, str> {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return "Connection refused".into();
    }
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &DispatchError, flags: &str, details: &str, text: &str) {
        assert_eq!(error.flags(), flags);
        assert_eq!(error.details(), details);
        assert_eq!(error.text(false), text);
    }

    #[test]
    fn a_refused_connection_reads_as_in_envoy() {
        let refused = io::Error::from_raw_os_error(111);
        check(
            &ConnectError::Failed(refused.into()).into(),
            "UF",
            "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
            "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
        );
    }

    #[test]
    fn a_reset_reads_as_in_envoy() {
        check(
            &DispatchError::Terminated,
            "UC",
            "upstream_reset_before_response_started{connection_termination}",
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        );
        assert_eq!(
            DispatchError::Terminated.text(true),
            "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection termination",
        );
    }

    #[test]
    fn other_words_of_the_system_lose_their_number() {
        assert_eq!(
            reason(&io::Error::from_raw_os_error(101)),
            "Network is unreachable"
        );
    }
}
