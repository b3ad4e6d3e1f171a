//! Why a request got no response, in Envoy's terms.

use std::borrow::Cow;
use std::io;

use http::StatusCode;

use crate::upstream::ConnectError;

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
    /// No connection came about in time.
    #[error("connect timed out")]
    ConnectionTimeout,
    /// The connection ended before the head of the response.
    #[error("the upstream closed the connection before the head of its response")]
    Terminated,
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
        if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
            Self::Protocol
        } else if error.is_user() {
            Self::Aborted
        } else {
            Self::Terminated
        }
    }

    /// The status that a client gets.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::PerTryTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Protocol => StatusCode::BAD_GATEWAY,
            Self::NoHealthyUpstream
            | Self::ConnectionFailure { .. }
            | Self::ConnectionTimeout
            | Self::Terminated
            | Self::Overflow
            | Self::Aborted => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Envoy's response flag.
    pub(crate) fn flags(&self) -> &'static str {
        match self {
            Self::NoHealthyUpstream => "UH",
            Self::ConnectionFailure { .. } | Self::ConnectionTimeout => "UF",
            Self::Terminated => "UC",
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
            Self::ConnectionFailure { .. } => {
                let reason = self.transport_failure().unwrap_or_default();
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
            Self::ConnectionFailure { reason } => Some(format!(
                "delayed_connect_error:_{}",
                reason.replace(' ', "_")
            )),
            Self::NoHealthyUpstream
            | Self::ConnectionTimeout
            | Self::Terminated
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
            Self::ConnectionFailure { .. } => "remote connection failure",
            Self::ConnectionTimeout => "connection timeout",
            Self::Terminated => "connection termination",
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
            &ConnectError::Failed(refused).into(),
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
