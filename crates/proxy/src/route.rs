//! Which rule a request falls under. Pure.

use weir_model::{HeaderMatch, HeaderTest, HostPattern, PathMatch, Route, RouteMatch};

use crate::message::{FieldValue, HeaderList, Pseudo, Side};

/// The first route that serves a request with these headers.
pub(crate) fn pick(routes: &[Route], headers: &HeaderList) -> Option<usize> {
    // As in Envoy, no rule fits a request whose path a filter has taken away.
    headers.pseudo(Pseudo::Path)?;
    let request = Seen::of(headers);
    routes.iter().position(|route| request.fits(&route.matches))
}

/// What routes look at.
struct Seen<'h> {
    headers: &'h HeaderList,
    path: &'h [u8],
    method: &'h [u8],
    host: &'h [u8],
}

impl<'h> Seen<'h> {
    fn of(headers: &'h HeaderList) -> Self {
        let pseudo = |name| headers.pseudo(name).map_or(&b""[..], FieldValue::as_bytes);
        let path = pseudo(Pseudo::Path);
        let end = path
            .iter()
            .position(|byte| matches!(byte, b'?' | b'#'))
            .unwrap_or(path.len());
        Self {
            headers,
            path: &path[..end],
            method: pseudo(Pseudo::Method),
            host: without_port(pseudo(Pseudo::Authority)),
        }
    }

    fn fits(&self, matches: &RouteMatch) -> bool {
        self.fits_path(&matches.path)
            && (matches.methods.is_empty()
                || matches
                    .methods
                    .iter()
                    .any(|method| method.as_bytes() == self.method))
            && (matches.hosts.is_empty()
                || matches.hosts.iter().any(|pattern| self.fits_host(pattern)))
            && matches
                .headers
                .iter()
                .all(|header| self.fits_header(header))
    }

    fn fits_path(&self, path: &PathMatch) -> bool {
        match path {
            PathMatch::Any => true,
            PathMatch::Exact(exact) => exact.as_bytes() == self.path,
            PathMatch::Prefix(prefix) => self.path.starts_with(prefix.as_bytes()),
        }
    }

    fn fits_host(&self, pattern: &HostPattern) -> bool {
        match pattern {
            HostPattern::Exact(host) => host.as_bytes().eq_ignore_ascii_case(self.host),
            HostPattern::Suffix(suffix) => {
                let at = self.host.len().checked_sub(suffix.len());
                // Something must stand before the dot.
                at.is_some_and(|at| {
                    at > 0 && self.host[at..].eq_ignore_ascii_case(suffix.as_bytes())
                })
            }
        }
    }

    fn fits_header(&self, header: &HeaderMatch) -> bool {
        let value = self.headers.first(header.name.as_bytes(), Side::Request);
        match (&header.test, value.map(FieldValue::as_bytes)) {
            (HeaderTest::Absent, found) => found.is_none(),
            (_, None) => false,
            (HeaderTest::Present, Some(_)) => true,
            (HeaderTest::Exact(exact), Some(value)) => exact.as_bytes() == value,
            (HeaderTest::Prefix(prefix), Some(value)) => value.starts_with(prefix.as_bytes()),
        }
    }
}

/// The host of an authority: `[::1]:80` is `[::1]`, `a:80` is `a`.
fn without_port(authority: &[u8]) -> &[u8] {
    match authority.iter().rposition(|byte| *byte == b':') {
        Some(colon) if authority[colon + 1..].iter().all(u8::is_ascii_digit) => {
            let is_bare_v6 = authority[..colon].contains(&b':') && authority.first() != Some(&b'[');
            if is_bare_v6 {
                authority
            } else {
                &authority[..colon]
            }
        }
        Some(_) | None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::Action;

    fn route(matches: RouteMatch) -> Route {
        Route {
            name: "r".into(),
            matches,
            filters: Vec::new(),
            action: Action::Echo,
            metadata: weir_model::Metadata::default(),
        }
    }

    #[track_caller]
    fn check(matches: RouteMatch, fits: bool) {
        let mut headers = HeaderList::default();
        let pairs: [(&[u8], &[u8]); 4] = [
            (b":method", b"GET"),
            (b":path", b"/api/a?x=1"),
            (b":authority", b"shop.Example.com:8080"),
            (b"x-beta", b"yes"),
        ];
        for (name, value) in pairs {
            headers.add(name, FieldValue::copied(value), Side::Request);
        }
        assert_eq!(pick(&[route(matches)], &headers).is_some(), fits);
    }

    fn header(test: HeaderTest) -> RouteMatch {
        let headers = vec![HeaderMatch {
            name: "x-beta".to_owned(),
            test,
        }];
        RouteMatch {
            headers,
            ..RouteMatch::default()
        }
    }

    #[test]
    fn paths_are_matched_without_the_query() {
        let path = |path| RouteMatch {
            path,
            ..RouteMatch::default()
        };
        check(path(PathMatch::Exact("/api/a".to_owned())), true);
        check(path(PathMatch::Exact("/api".to_owned())), false);
        check(path(PathMatch::Prefix("/api".to_owned())), true);
        check(path(PathMatch::Prefix("/b".to_owned())), false);
    }

    #[test]
    fn hosts_are_matched_without_port_and_case() {
        let host = |pattern| RouteMatch {
            hosts: vec![pattern],
            ..RouteMatch::default()
        };
        check(
            host(HostPattern::Exact("shop.example.com".to_owned())),
            true,
        );
        check(host(HostPattern::Suffix(".example.com".to_owned())), true);
        check(
            host(HostPattern::Suffix("shop.example.com".to_owned())),
            false,
        );
        check(host(HostPattern::Exact("example.com".to_owned())), false);
    }

    #[test]
    fn headers_and_methods_are_matched() {
        check(header(HeaderTest::Present), true);
        check(header(HeaderTest::Absent), false);
        check(header(HeaderTest::Exact("yes".to_owned())), true);
        check(header(HeaderTest::Prefix("n".to_owned())), false);
        check(
            RouteMatch {
                methods: vec!["POST".to_owned()],
                ..RouteMatch::default()
            },
            false,
        );
    }
}
