//! A request as the host hands it over.

use core::{slice, str};

use crate::host::Range;

/// The eight numbers of `handle`.
pub struct RawRequest {
    /// Method.
    pub method: Range,
    /// Path and query.
    pub path: Range,
    /// Lines `name: value`.
    pub headers: Range,
    /// Body.
    pub body: Range,
}

/// A request. It lies in this module's memory until the instance ends.
pub struct Request {
    /// Method.
    pub method: &'static str,
    /// Path without its query.
    pub path: &'static str,
    /// What is behind the question mark.
    pub query: &'static str,
    headers: &'static str,
    /// Body.
    pub body: &'static [u8],
}

impl RawRequest {
    /// The request that the numbers stand for.
    ///
    /// # Safety
    /// The host put all four ranges there, and nobody frees them.
    #[must_use]
    pub unsafe fn request(self) -> Request {
        // SAFETY: the caller promises it.
        let bytes = |(at, bytes): Range| unsafe { slice::from_raw_parts(at, bytes) };
        // Methods, paths and names of headers are ASCII; a value that is no UTF-8 hides the headers.
        let text = |range| str::from_utf8(bytes(range)).unwrap_or_default();
        let path = text(self.path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Request {
            method: text(self.method),
            path,
            query,
            headers: text(self.headers),
            body: bytes(self.body),
        }
    }
}

impl Request {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'static str> {
        let mut lines = self
            .headers
            .lines()
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// A value of the query.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&'static str> {
        let mut parts = self
            .query
            .split('&')
            .filter_map(|part| part.split_once('='));
        parts
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}
