//! Keeps web pages of others away from the admin address.
//!
//! A browser inside the operator's network is the one way in from outside: by a name that was made
//! to point here (DNS rebinding), or by a form that a foreign page sends here.

use std::net::IpAddr;

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets requests pass that were sent to an address or to `localhost`, and not by a foreign page.
///
/// # Errors
/// What is wrong, as a text for the client.
pub(super) fn check(request: &Parts) -> Result<(), String> {
    let host = text(request, &header::HOST).ok_or("the request has no host header\n")?;
    let authority: Authority = host.parse().map_err(|_| "the host header is no host\n")?;
    if !is_own(authority.host()) {
        return Err(format!(
            "the host \"{}\" is refused: use an IP address or localhost\n",
            authority.host()
        ));
    }
    if let Some(origin) = text(request, &header::ORIGIN)
        && origin.split_once("://").map(|(_, authority)| authority) != Some(host)
    {
        return Err("requests of other web pages are refused\n".to_owned());
    }
    match text(request, &SEC_FETCH_SITE) {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) if is_navigation(request) => Ok(()),
        Some(_) => Err("requests of other web pages are refused\n".to_owned()),
    }
}

/// Following a link to here is harmless: the other page does not see the answer.
fn is_navigation(request: &Parts) -> bool {
    request.method == http::Method::GET
        && text(request, &HeaderName::from_static("sec-fetch-mode")) == Some("navigate")
}

/// Names that nobody can make point elsewhere.
fn is_own(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn text<'r>(request: &'r Parts, name: &HeaderName) -> Option<&'r str> {
    request.headers.get(name)?.to_str().ok()
}
