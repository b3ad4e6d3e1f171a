//! Where an outgoing request of a function goes: to a server, if a grant covers it, or to another
//! function of this gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use http_body_util::BodyExt as _;
use weir_functions::surroundings::Later;
use weir_functions::{Fetch, FetchError, Request, Response};
use weir_model::Name;

use super::address::{Host, Verdict, judge};
use super::body::Flying;
use super::call::call;
use super::client::{self, Destination, Secrecy};
use super::live::Live;
use super::stats::FetchOutcome;

/// The scheme of functions of this gateway.
const OWN_SCHEME: &str = "weir";

type Fetched = Result<Response, FetchError>;

/// An outgoing request that counts among those in flight, until its response has been read.
pub(super) struct Flight(Arc<AtomicU32>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where a request goes.
enum Target {
    Server(Destination),
    Function(Name),
}

impl Live {
    pub(super) fn fetch_later(&mut self, fetch: Fetch) -> Later<Fetched> {
        let way = self
            .target(fetch.request.uri())
            .and_then(|target| Ok((target, self.take_off()?)));
        let (target, flight) = match way {
            Ok(way) => way,
            Err(error) => {
                self.hosted.stats.refused(&error);
                return Box::pin(async move { Err(error) });
            }
        };
        match target {
            Target::Server(destination) => self.fetch_server(fetch, (destination, flight)),
            Target::Function(name) => self.fetch_function(fetch.request, (name, flight)),
        }
    }

    /// Judges a URI. Done for every request, so for those that follow a redirection, too.
    fn target(&self, uri: &Uri) -> Result<Target, FetchError> {
        let authority = uri.authority();
        let authority = authority.ok_or_else(|| FetchError::BadRequest("no host".to_owned()))?;
        if authority.as_str().contains('@') {
            let text = "a user in a URI belongs into the field authorization";
            return Err(FetchError::BadRequest(text.to_owned()));
        }
        let scheme = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => Secrecy::Plain,
            Some(scheme) if *scheme == Scheme::HTTPS => Secrecy::Encrypted,
            Some(scheme) if scheme.as_str() == OWN_SCHEME => {
                return self.callee(authority.host()).map(Target::Function);
            }
            Some(scheme) => {
                let text =
                    format!("no scheme but http, https and {OWN_SCHEME} is known, found {scheme}");
                return Err(FetchError::BadRequest(text));
            }
            None => return Err(FetchError::BadRequest("no scheme".to_owned())),
        };
        let host = Host::of(authority.host());
        let host = host.ok_or_else(|| FetchError::BadRequest("no host".to_owned()))?;
        let port = port_of(authority, scheme.port());
        let port = port.ok_or_else(|| FetchError::BadRequest("the port is none".to_owned()))?;
        let grants = &self.hosted.model.grants.http;
        match judge(grants, &host, (port, scheme.port())) {
            Verdict::Refused => Err(FetchError::NotGranted(authority.to_string())),
            verdict => Ok(Target::Server(Destination {
                scheme,
                host,
                port,
                verdict,
            })),
        }
    }

    /// The function of this name, if it may be called from here.
    fn callee(&self, name: &str) -> Result<Name, FetchError> {
        let granted = &self.hosted.model.grants.functions;
        let granted = granted
            .iter()
            .find(|granted| granted.eq_ignore_ascii_case(name));
        let Some(name) = granted else {
            return Err(FetchError::NotGranted(format!("{OWN_SCHEME}://{name}")));
        };
        if self.trail.callers.contains(name) {
            let circle: Vec<&str> = self.trail.callers.iter().map(|name| &**name).collect();
            let text = format!(
                "functions would call each other in a circle: {} > {name}",
                circle.join(" > ")
            );
            return Err(FetchError::Function(text));
        }
        if self.trail.depth == 0 {
            let text = format!(
                "{} calls of functions are in one another already (limits.depth)",
                self.trail.callers.len() - 1
            );
            return Err(FetchError::Function(text));
        }
        Ok(Name::clone(name))
    }

    /// Counts one more request in flight.
    fn take_off(&self) -> Result<Flight, FetchError> {
        let most = self.hosted.model.limits.fetches;
        let one_more = |flights: u32| (flights < most).then_some(flights + 1);
        self.flights
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map(|_| Flight(Arc::clone(&self.flights)))
            .map_err(|_| {
                let text = format!("{most} requests of this call are in flight (limits.fetches)");
                FetchError::Connect(text)
            })
    }

    fn fetch_server(&self, fetch: Fetch, (to, flight): (Destination, Flight)) -> Later<Fetched> {
        let hosted = Arc::clone(&self.hosted);
        self.desk.ask(gone(), move |shared| async move {
            let fetched = client::send(&shared, (fetch, to), &hosted.model.limits).await;
            match &fetched {
                Ok(_) => hosted.stats.fetched(FetchOutcome::Answered),
                Err(error @ FetchError::NotGranted(_)) => hosted.stats.refused(error),
                Err(_) => hosted.stats.fetched(FetchOutcome::Failed),
            }
            fetched.map(|response| flying(response, flight))
        })
    }

    fn fetch_function(&self, request: Request, (name, flight): (Name, Flight)) -> Later<Fetched> {
        let hosted = Arc::clone(&self.hosted);
        let mut trail = self.trail.clone();
        trail.depth -= 1;
        self.desk.ask(gone(), move |shared| async move {
            let callee = shared.process.functions.get(&name).cloned();
            // The lowering refuses dangling names.
            let callee = callee.ok_or_else(|| FetchError::NotGranted(name.to_string()))?;
            let request = own_request(request, &name)?;
            let outcome = call(&shared, &callee, (request, trail)).await;
            hosted.stats.fetched(match &outcome {
                Ok(_) => FetchOutcome::Answered,
                Err(_) => FetchOutcome::Failed,
            });
            let response = outcome.map_err(|fault| FetchError::Function(fault.to_string()))?;
            Ok(flying(response, flight))
        })
    }
}

/// The port of a server: `usual` if none is written. `None`: what is written is none.
fn port_of(authority: &Authority, usual: u16) -> Option<u16> {
    let written = authority.as_str().strip_prefix(authority.host())?;
    match written.strip_prefix(':') {
        None | Some("") => Some(usual),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        Some(_) => None,
    }
}

/// A request as the function that is called sees it.
fn own_request(mut request: Request, name: &str) -> Result<Request, FetchError> {
    let bad = |error: http::Error| FetchError::BadRequest(error.to_string());
    let path = request.uri().path_and_query().cloned();
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(name)
        .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    *request.uri_mut() = uri.build().map_err(bad)?;
    client::strip(request.headers_mut());
    Ok(request)
}

fn flying(response: Response, flight: Flight) -> Response {
    response.map(|body| Flying::new(body, flight).boxed_unsync())
}

fn gone() -> Fetched {
    Err(FetchError::Broken("the gateway ends".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was no port was taken for 80.
    #[test]
    fn a_port_is_what_is_written_or_none() {
        let port = |text: &str| port_of(&text.parse().unwrap(), 80);
        assert_eq!(port("a.example"), Some(80));
        assert_eq!(port("a.example:"), Some(80));
        assert_eq!(port("a.example:8080"), Some(8080));
        assert_eq!(port("[::1]:8080"), Some(8080));
        for none in ["a.example:65616", "a.example:+80", "[::1]:99999"] {
            assert_eq!(port(none), None, "{none}");
        }
    }
}
