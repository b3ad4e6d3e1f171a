//! Sends requests of functions to servers, by the worker's own connections.
//!
//! A name is looked up once for each request, its addresses are judged, and the connection goes to
//! one of those: between the judgement and the connection nobody is asked again, so a name that
//! changes meanwhile (DNS rebinding) changes nothing. A pooled connection is only used by requests
//! whose own judgement allows its address.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Uri};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use weir_functions::{Fetch, FetchError, Response};
use weir_model::limits::functions as limits;
use weir_model::{
    Cluster as Settings, Endpoint, EndpointHost, Forward, FunctionLimits, LoadBalancing, Metadata,
    Name, Protocol, Retries,
};
use weir_tls::server_name;

use super::address::{Host, Verdict, admits};
use super::body::{Fetched, Pump, pump};
use crate::dispatch::{Answered, Attempts, DispatchError, dispatch, length_of};
use crate::gateway::Shared;
use crate::message::is_hop_by_hop;
use crate::upstream::{BodySender, Cluster, Encryption, Resolver};

/// Where a request goes, as far as its URI says.
pub(super) struct Destination {
    pub(super) scheme: Secrecy,
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) verdict: Verdict,
}

/// What a scheme says of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// `http`.
    Plain,
    /// `https`.
    Encrypted,
}

impl Secrecy {
    /// The port of the scheme.
    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Plain => 80,
            Self::Encrypted => 443,
        }
    }
}

/// The worker's connections to servers that functions talk to.
#[derive(Default)]
pub(crate) struct Pools(RefCell<Vec<Pool>>);

/// Connections to some addresses of a host.
struct Pool {
    place: Place,
    addresses: Vec<IpAddr>,
    cluster: Rc<Cluster>,
    used: Instant,
}

/// A host as names of pools have it, its port and scheme.
type Place = (Name, u16, Secrecy);

impl Destination {
    fn place(&self) -> Place {
        (self.name(), self.port, self.scheme)
    }

    fn name(&self) -> Name {
        match &self.host {
            Host::Name(name) => name.as_str().into(),
            Host::Address(address) => address.to_string().into(),
        }
    }

    /// The addresses that a connection may go to, all of one family. What a name stands for may be so
    /// old.
    async fn addresses(
        &self,
        resolver: &Resolver,
        age: Duration,
    ) -> Result<Vec<IpAddr>, FetchError> {
        let name = match &self.host {
            Host::Name(name) => name,
            Host::Address(address) if admits(self.verdict, *address) => return Ok(vec![*address]),
            Host::Address(address) => return Err(FetchError::NotGranted(address.to_string())),
        };
        let answer = resolver.resolve(&self.name(), age).await;
        let found = answer.map_err(|error| FetchError::Unresolved(format!("{name} ({error})")))?;
        let mut admitted: Vec<IpAddr> = found.iter().map(IpAddr::to_canonical).collect();
        admitted.retain(|address| admits(self.verdict, *address));
        let Some(first) = admitted.iter().find(|ip| ip.is_ipv4()).or(admitted.first()) else {
            let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
            return Err(FetchError::NotGranted(format!(
                "{name}, which stands for {} and is granted without private: true",
                shown.join(", ")
            )));
        };
        let is_v4 = first.is_ipv4();
        admitted.retain(|address| address.is_ipv4() == is_v4);
        Ok(admitted)
    }
}

impl Pools {
    /// Connections to these addresses. Those of addresses that a name had before are let go.
    fn cluster(
        &self,
        place: Place,
        addresses: Vec<IpAddr>,
        start: impl FnOnce(Settings) -> Result<Rc<Cluster>, FetchError>,
    ) -> Result<Rc<Cluster>, FetchError> {
        let pools = &mut *self.0.borrow_mut();
        let fits = |pool: &&mut Pool| pool.place == place && pool.addresses == addresses;
        if let Some(pool) = pools.iter_mut().find(fits) {
            pool.used = Instant::now();
            return Ok(Rc::clone(&pool.cluster));
        }
        if pools.len() >= limits::FETCH_POOLS_MAX
            && let Some(oldest) = (0..pools.len()).min_by_key(|place| pools[*place].used)
        {
            // Who uses it still has it.
            pools.swap_remove(oldest);
        }
        let cluster = start(settings(&place, &addresses))?;
        pools.push(Pool {
            place,
            addresses,
            cluster: Rc::clone(&cluster),
            used: Instant::now(),
        });
        Ok(cluster)
    }
}

fn settings((host, port, _): &Place, addresses: &[IpAddr]) -> Settings {
    let endpoint = |address: &IpAddr| Endpoint {
        host: EndpointHost::Ip(*address),
        port: *port,
    };
    Settings {
        name: Name::clone(host),
        endpoints: addresses.iter().map(endpoint).collect(),
        protocol: Protocol::Http1,
        load_balancing: LoadBalancing::LeastRequest,
        connect_timeout: limits::FETCH_CONNECT_TIMEOUT,
        idle_timeout: limits::FETCH_IDLE_TIMEOUT,
        max_connections: limits::FETCH_CONNECTIONS_MAX,
        ejection: None,
        dns_refresh: Duration::from_hours(1),
        metadata: Metadata::default(),
    }
}

/// The cluster of a destination whose addresses were judged.
fn cluster(
    shared: &Shared,
    to: &Destination,
    addresses: Vec<IpAddr>,
) -> Result<Rc<Cluster>, FetchError> {
    let resolver = &shared.process.resolver;
    let trust = shared.process.functions.trust();
    let start = |settings| match (to.scheme, trust) {
        (Secrecy::Plain, _) => Ok(Cluster::start(settings, resolver)),
        (Secrecy::Encrypted, Some(trust)) => {
            let name = to.name();
            let named = server_name(&name);
            let bad = || FetchError::BadRequest(format!("no certificate is made out to {name}"));
            let encryption = Encryption {
                trust: Arc::clone(trust),
                name: named.ok_or_else(bad)?,
            };
            Ok(Cluster::start_encrypted(settings, encryption, resolver))
        }
        // It is loaded where any function is granted a host.
        (Secrecy::Encrypted, None) => Err(FetchError::NotGranted(to.name().to_string())),
    };
    shared.pools.cluster(to.place(), addresses, start)
}

/// Sends a request whose destination is granted by name.
///
/// # Errors
/// [`FetchError`]; [`FetchError::NotGranted`] if the name stands for addresses that are not.
pub(super) async fn send(
    shared: &Rc<Shared>,
    (fetch, to): (Fetch, Destination),
    function: &FunctionLimits,
) -> Result<Response, FetchError> {
    let connect = fetch
        .connect_timeout
        .unwrap_or(limits::FETCH_CONNECT_TIMEOUT);
    let first_byte = fetch
        .first_byte_timeout
        .unwrap_or(limits::FETCH_FIRST_BYTE_TIMEOUT);
    let between = fetch
        .between_bytes_timeout
        .unwrap_or(limits::FETCH_BETWEEN_BYTES_TIMEOUT);
    let resolver = &shared.process.resolver;
    let addresses = tokio::time::timeout(connect, to.addresses(resolver, limits::FETCH_NAME_AGE));
    let addresses = addresses
        .await
        .map_err(|_late| FetchError::TimedOut("looking up the name"))??;
    let cluster = cluster(shared, &to, addresses)?;
    let (mut head, body) = fetch.request.into_parts();
    finish_head(&mut head)?;
    let (sender, pump) = if body.is_end_stream() {
        (BodySender::empty(), None)
    } else {
        let sender = BodySender::streaming(length_of(&head.headers));
        let task = tokio::task::spawn_local(pump(body, sender.clone()));
        (sender, Some(Pump(task.abort_handle())))
    };
    let forward = Forward {
        cluster: to.name(),
        timeout: None,
        idle_timeout: None,
        retries: Retries::default(),
    };
    let mut attempts = Attempts::default();
    let answered = dispatch(&cluster, &forward, head, &sender, &mut attempts);
    let answered = tokio::time::timeout(connect.saturating_add(first_byte), answered);
    let answered = answered
        .await
        .map_err(|_late| FetchError::TimedOut("the response's head"))?
        .map_err(|error| failure(&error))?;
    Ok(response(answered, pump, (function.response_bytes, between)))
}

/// Makes a head that a server of HTTP/1.1 takes: its target in origin form, its host that of the
/// URI whatever the guest wrote, and nothing of the connection.
fn finish_head(head: &mut Parts) -> Result<(), FetchError> {
    let bad = |text: &str| FetchError::BadRequest(text.to_owned());
    if head.method == Method::CONNECT {
        return Err(bad("the method CONNECT"));
    }
    strip(&mut head.headers);
    let authority = head.uri.authority().ok_or_else(|| bad("no host"))?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad("the host"))?;
    head.headers.insert(header::HOST, host);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    head.uri = Uri::try_from(path).map_err(|_| bad("the path"))?;
    Ok(())
}

/// Takes away the fields that are for the connection (RFC 9110, section 7.6.1).
pub(super) fn strip(fields: &mut HeaderMap) {
    let named: Vec<header::HeaderName> = fields
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| header::HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    let own: Vec<header::HeaderName> = fields
        .keys()
        .filter(|name| is_hop_by_hop(name))
        .cloned()
        .collect();
    for name in named
        .into_iter()
        .chain(own)
        .filter(|name| *name != header::CONTENT_LENGTH)
    {
        fields.remove(name);
    }
}

fn failure(error: &DispatchError) -> FetchError {
    match error {
        DispatchError::ConnectionFailure { .. }
        | DispatchError::NoHealthyUpstream
        | DispatchError::Overflow => FetchError::Connect(error.to_string()),
        DispatchError::Encryption(failure) => FetchError::Encryption(failure.as_ref().clone()),
        DispatchError::ConnectionTimeout => FetchError::TimedOut("connecting"),
        DispatchError::PerTryTimeout => FetchError::TimedOut("the response's head"),
        DispatchError::Aborted => FetchError::BadRequest("its body broke off".to_owned()),
        DispatchError::Terminated
        | DispatchError::Reset
        | DispatchError::Refused
        | DispatchError::Protocol => FetchError::Broken(error.to_string()),
    }
}

fn response(answered: Answered, request: Option<Pump>, limits: (u64, Duration)) -> Response {
    let Answered { mut head, body, .. } = answered;
    strip(&mut head.headers);
    let body = Fetched::new(body, request, limits);
    Response::from_parts(head, body.boxed_unsync())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn to(verdict: Verdict) -> Destination {
        Destination {
            scheme: Secrecy::Plain,
            host: Host::Name("a.example".into()),
            port: 80,
            verdict,
        }
    }

    /// Answers one list of addresses after the other.
    fn answering(lists: &'static [&'static [&'static str]]) -> Arc<Resolver> {
        let asked = AtomicUsize::new(0);
        Resolver::with(move |_| {
            let list = lists[asked.fetch_add(1, Ordering::Relaxed) % lists.len()];
            Ok(list.iter().map(|ip| ip.parse().unwrap()).collect())
        })
    }

    async fn found(resolver: &Resolver, verdict: Verdict) -> Result<Vec<IpAddr>, FetchError> {
        to(verdict).addresses(resolver, Duration::ZERO).await
    }

    #[tokio::test]
    async fn a_name_that_is_rebound_is_refused_from_then_on() {
        let resolver = answering(&[&["93.184.216.34"], &["127.0.0.1"], &["169.254.169.254"]]);
        let first = found(&resolver, Verdict::Public).await.unwrap();
        assert_eq!(first, ["93.184.216.34".parse::<IpAddr>().unwrap()]);
        for inner in ["127.0.0.1", "169.254.169.254"] {
            let refused = found(&resolver, Verdict::Public).await.unwrap_err();
            assert!(
                matches!(&refused, FetchError::NotGranted(text) if text.contains(inner)),
                "{refused}"
            );
        }
    }

    #[tokio::test]
    async fn addresses_that_are_not_public_are_left_out() {
        let resolver = answering(&[&["10.0.0.1", "93.184.216.34", "::1", "2606:4700::1"]]);
        let public = found(&resolver, Verdict::Public).await.unwrap();
        assert_eq!(public, ["93.184.216.34".parse::<IpAddr>().unwrap()]);
        let all = found(&resolver, Verdict::Any).await.unwrap();
        assert_eq!(all.len(), 2, "those of one family: {all:?}");
    }

    #[tokio::test]
    async fn an_address_of_the_other_family_in_disguise_is_seen_through() {
        let resolver = answering(&[&["::ffff:127.0.0.1"]]);
        assert!(found(&resolver, Verdict::Public).await.is_err());
        let any = found(&resolver, Verdict::Any).await.unwrap();
        assert_eq!(any, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        let resolver = answering(&[&["0.0.0.0"]]);
        assert!(found(&resolver, Verdict::Any).await.is_err());
    }

    #[tokio::test]
    async fn connections_belong_to_the_addresses_that_were_judged() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let pools = Pools::default();
                let resolver = Resolver::system();
                let get = |place: Place, ip: &str| {
                    let start = |settings| Ok(Cluster::start(settings, &resolver));
                    let ip = vec![ip.parse::<IpAddr>().unwrap()];
                    pools.cluster(place, ip, start).unwrap()
                };
                let key = |secrecy| (Name::from("a.example"), 80, secrecy);
                let first = get(key(Secrecy::Plain), "93.184.216.34");
                let same = get(key(Secrecy::Plain), "93.184.216.34");
                let other = get(key(Secrecy::Plain), "127.0.0.1");
                let encrypted = get(key(Secrecy::Encrypted), "93.184.216.34");
                assert!(Rc::ptr_eq(&first, &same));
                assert!(!Rc::ptr_eq(&first, &other));
                assert!(!Rc::ptr_eq(&first, &encrypted));
                for number in 0..2 * limits::FETCH_POOLS_MAX {
                    let name = Name::from(format!("{number}.example"));
                    get((name, 80, Secrecy::Plain), "93.184.216.34");
                }
                assert_eq!(pools.0.borrow().len(), limits::FETCH_POOLS_MAX);
            })
            .await;
    }

    #[test]
    fn a_head_says_nothing_of_the_connection() {
        let request = http::Request::post("http://a.example:8080/x?y")
            .header("host", "evil.example")
            .header("connection", "x-own, content-length, keep-alive")
            .header("x-own", "1")
            .header("transfer-encoding", "chunked")
            .header("upgrade", "h2c")
            .header("content-length", "3")
            .header("x-kept", "1");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        finish_head(&mut head).unwrap();
        assert_eq!(head.uri, "/x?y");
        let mut fields: Vec<String> = head
            .headers
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        fields.sort();
        assert_eq!(
            fields,
            ["content-length=3", "host=a.example:8080", "x-kept=1"]
        );
    }
}
