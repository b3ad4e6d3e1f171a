//! Texts of HTTP: paths, methods, headers.

use super::Grammar;

/// A path of a URL without query, or the beginning of one.
#[derive(Clone, Debug)]
pub(crate) struct UrlPath(pub(crate) String);

/// An upper-case method.
#[derive(Clone, Debug)]
pub(crate) struct Method(pub(crate) String);

/// A header's name, made lower case.
#[derive(Clone, Debug)]
pub(crate) struct HeaderName(pub(crate) String);

/// A header's value.
#[derive(Clone, Debug)]
pub(crate) struct HeaderValue(pub(crate) String);

impl Grammar for UrlPath {
    const TITLE: &'static str = "path";
    const PATTERN: &'static str = "^/[^?#\\x00-\\x20\\x7f]*$";
    const EXPECTED: &'static str = "a path that begins with / and has no query";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        let refused = |c: char| matches!(c, '?' | '#' | '\0'..=' ' | '\u{7f}');
        if text.starts_with('/') && !text.contains(refused) {
            return Ok(Self(text.to_owned()));
        }
        let path = text.split(refused).next().filter(|path| !path.is_empty());
        Err(path.map(|path| format!("/{}", path.trim_start_matches('/'))))
    }

    fn written(&self) -> String {
        self.0.clone()
    }
}

impl Grammar for Method {
    const TITLE: &'static str = "method";
    const PATTERN: &'static str = "^[!#$%&'*+.^_`|~0-9A-Z-]+$";
    const EXPECTED: &'static str = "an upper-case method such as GET or POST";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if !is_token(text) {
            return Err(None);
        }
        if text.bytes().any(|b| b.is_ascii_lowercase()) {
            return Err(Some(text.to_ascii_uppercase()));
        }
        Ok(Self(text.to_owned()))
    }

    fn written(&self) -> String {
        self.0.clone()
    }
}

impl Grammar for HeaderName {
    const TITLE: &'static str = "header name";
    const PATTERN: &'static str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
    const EXPECTED: &'static str = "a header name such as x-request-id";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if is_token(text) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let trimmed = text.trim().trim_end_matches(':');
        let meant = trimmed.replace(' ', "-");
        Err(is_token(&meant).then_some(meant))
    }

    fn written(&self) -> String {
        self.0.clone()
    }
}

impl Grammar for HeaderValue {
    const TITLE: &'static str = "header value";
    const PATTERN: &'static str = "^[^\\x00-\\x08\\x0a-\\x1f\\x7f]*$";
    const EXPECTED: &'static str = "a text without line breaks and control characters";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        let refused = |c: char| c != '\t' && c.is_ascii_control();
        if text.contains(refused) {
            Err(None)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    fn written(&self) -> String {
        self.0.clone()
    }
}

/// A token of HTTP (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::super::{FilePath, VariableName};
    use super::*;

    #[test]
    fn parts_of_requests() {
        check::<Method>(
            &[("GET", "GET"), ("M-SEARCH", "M-SEARCH")],
            &[("get", Some("GET")), ("G T", None)],
        );
        check::<HeaderName>(
            &[("X-A", "x-a")],
            &[("x a", Some("x-a")), ("a:", Some("a")), ("", None)],
        );
        check::<HeaderValue>(&[("", ""), ("a\tb é", "a\tb é")], &[("a\nb", None)]);
        check::<UrlPath>(
            &[("/", "/"), ("/a%20b", "/a%20b")],
            &[("api", Some("/api")), ("/a?b", Some("/a")), ("", None)],
        );
        check::<VariableName>(&[("A", "A")], &[("A=B", None), ("", None)]);
        check::<FilePath>(&[("a/b.wasm", "a/b.wasm")], &[("", None)]);
    }
}
