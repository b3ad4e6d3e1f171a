//! Requests that a component sends, and what errors of one side mean on the other.

use std::sync::{Arc, Mutex, PoisonError};

use http::uri::Scheme;
use http_body_util::BodyExt as _;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use weir_model::limits::functions as of;
use weir_tls::Failure;

use crate::door::Door;
use crate::fault::FaultKind;
use crate::message::BodyError;
use crate::surroundings::{Fetch, FetchError};

/// Hands requests of a guest to its surroundings.
pub(crate) struct Outgoing {
    door: Door,
}

/// How `wasi:http` wants the end of what goes with a message.
type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl Outgoing {
    pub(crate) fn new(door: Door) -> Self {
        Self { door }
    }
}

impl WasiHttpHooks for Outgoing {
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        matches!(scheme.as_str(), "http" | "https" | "weir")
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Done,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Done), Error>> + Send> {
        let options = options.unwrap_or_default();
        // What is wrong with the guest's own body is told as it is.
        let own: Arc<Mutex<Option<Error>>> = Arc::default();
        let failed = Arc::clone(&own);
        let body_error = move |error| {
            let told = body_error_of(&error);
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            told
        };
        let answer = self.door.ask().fetch(Fetch {
            request: request.map(|body| body.map_err(body_error).boxed_unsync()),
            connect_timeout: options.connect_timeout,
            first_byte_timeout: options.first_byte_timeout,
            between_bytes_timeout: options.between_bytes_timeout,
        });
        Box::new(async move {
            let response = answer.await.map_err(|error| {
                let own = own.lock().unwrap_or_else(PoisonError::into_inner).take();
                match (error, own) {
                    (FetchError::Broken(_), Some(own)) => own,
                    (error, _) => error_of(error),
                }
            })?;
            let response = response.map(|body| body.map_err(error_of_body).boxed_unsync());
            Ok((response, Box::new(async { Ok(()) }) as Done))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        of::WRITE_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        of::WRITE_BYTES
    }
}

/// What a guest is told about a request that has no response.
fn error_of(error: FetchError) -> Error {
    match error {
        FetchError::NotGranted(_) => Error::HttpRequestDenied,
        FetchError::Unresolved(_) => Error::DnsError {
            rcode: None,
            info_code: None,
        },
        FetchError::BadRequest(_) => Error::HttpRequestUriInvalid,
        FetchError::Connect(_) => Error::ConnectionRefused,
        FetchError::Encryption(failure) => error_of_encryption(failure),
        FetchError::Broken(_) => Error::HttpProtocolError,
        FetchError::TimedOut(_) => Error::ConnectionTimeout,
        FetchError::Function(text) => Error::InternalError(Some(text)),
    }
}

fn error_of_encryption(failure: Failure) -> Error {
    match failure {
        Failure::Certificate(_) => Error::TlsCertificateError,
        Failure::Alert { code, name } => Error::TlsAlertReceived {
            alert_id: Some(code),
            alert_message: Some(name),
        },
        Failure::Protocol(_) => Error::TlsProtocolError,
        Failure::Broken(_) => Error::ConnectionTerminated,
    }
}

/// What a guest is told about a body that ends too early.
pub(crate) fn error_of_body(error: BodyError) -> Error {
    match error {
        BodyError::Cut => Error::ConnectionTerminated,
        BodyError::TooLong { limit } => Error::HttpRequestBodySize(Some(limit)),
        BodyError::TimedOut => Error::ConnectionReadTimeout,
        BodyError::Length { .. } => Error::HttpProtocolError,
        BodyError::Function { text, .. } => Error::InternalError(Some(text)),
    }
}

/// What whoever reads a guest's body is told.
pub(crate) fn body_error_of(error: &Error) -> BodyError {
    match error {
        Error::ConnectionTerminated => BodyError::Cut,
        // A guest that has failed is told as its fault: this is a body that is none.
        error => BodyError::Function {
            kind: FaultKind::BadResponse,
            text: error.to_string(),
        },
    }
}
