//! Responses.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::host;

/// What a stage answers.
pub struct Answer {
    /// The status.
    pub status: u32,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Cow<'static, [u8]>,
}

/// Why a stage cannot do what it is asked: a status and a line of text.
#[derive(Debug)]
pub struct Failure(pub u32, pub String);

impl Failure {
    /// A request that cannot be meant.
    #[must_use]
    pub fn bad(text: &str) -> Self {
        Self(400, text.into())
    }
}

impl From<wasi_map::Error> for Failure {
    fn from(error: wasi_map::Error) -> Self {
        Self(500, format!("a map refused: {error}"))
    }
}

impl Answer {
    /// With a body of a type.
    pub fn of(status: u32, kind: &str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self {
            status,
            headers: alloc::vec![("content-type", kind.into())],
            body: body.into(),
        }
    }

    /// Sends what a handler says.
    #[must_use]
    pub fn send(answer: Result<Self, Failure>) -> u32 {
        let answer = answer.unwrap_or_else(|Failure(status, text)| {
            Self::of(
                status,
                "text/plain; charset=utf-8",
                (text + "\n").into_bytes(),
            )
        });
        host::status(answer.status);
        for (name, value) in &answer.headers {
            host::header(name, value);
        }
        if !answer.body.is_empty() {
            host::write(&answer.body);
        }
        0
    }
}
