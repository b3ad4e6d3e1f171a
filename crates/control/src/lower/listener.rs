//! Listeners and their routes: what may not stand in a list twice, and what is never reached.

use std::collections::HashMap;
use std::net::SocketAddr;

use weir_model::limits::HEADERS_MAX;

use weir_model::{
    Action, Forward, HeaderMatch, HeaderTest, Listener, Name, PathMatch, Respond, Retries, Route,
    RouteMatch, TcpForward,
};

use super::chain::lowered_uses;
use crate::file::{
    ForwardText, HeaderMatchText, ListenerText, MatchText, RespondText, RetriesText, RouteText,
    TcpText,
};
use crate::problem::Refusal;
use crate::shape::basic::Switch;
use crate::shape::text::{Address, HeaderValue};
use crate::shape::{Place, Placed, Reader};

/// Headers that the gateway itself writes, from what it does with the connection and the body.
const OWN_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn lowered_listeners(
    listeners: Vec<Placed<ListenerText>>,
    admin: Option<&Placed<Address>>,
    reader: &mut Reader<'_>,
) -> Vec<Listener> {
    let mut addresses: HashMap<SocketAddr, String> = HashMap::new();
    let mut names: HashMap<Name, String> = HashMap::new();
    let mut lowered = Vec::with_capacity(listeners.len());
    for Placed {
        value: listener,
        place: listener_place,
    } in listeners
    {
        claim_address(&listener.address, &mut addresses, reader);
        let name: Name = match &listener.name {
            Some(name) => name.value.0.clone(),
            None => listener.address.value.0.to_string().into(),
        };
        let is_named = listener.name.is_some();
        let place = listener
            .name
            .as_ref()
            .map_or(&listener_place, |name| &name.place);
        let earlier = names.insert(name.clone(), place.path.clone());
        // Two listeners without names can only be alike in their address, which is told already.
        if let Some(earlier) = earlier.filter(|_| is_named) {
            reader.refuse_at(place, repeated("listener name", &name, &earlier));
        }
        lowered.push(lowered_listener(listener, name, reader));
    }
    if let Some(admin) = admin {
        claim_address(admin, &mut addresses, reader);
    }
    lowered
}

fn claim_address(
    address: &Placed<Address>,
    addresses: &mut HashMap<SocketAddr, String>,
    reader: &mut Reader<'_>,
) {
    let Address(socket) = address.value;
    if socket.port() == 0 {
        return;
    }
    if let Some(earlier) = addresses.insert(socket, address.place.path.clone()) {
        reader.refuse_at(
            &address.place,
            repeated("address", &socket.to_string(), &earlier),
        );
    }
}

fn repeated(sort: &str, found: &str, earlier: &str) -> Refusal {
    let what = format!("repeated {sort} \"{found}\"");
    Refusal::new(
        what,
        found,
        format!("another one: {earlier} has it already"),
    )
}

fn lowered_listener(text: ListenerText, name: Name, reader: &mut Reader<'_>) -> Listener {
    let routes = lowered_routes(text.routes.0, &name, reader);
    Listener {
        address: text.address.value.0,
        routes,
        tcp: text.tcp.map(lowered_tcp),
        access_log: text.access_log,
        log_filters: lowered_uses(text.log_filters.0),
        body_buffer_bytes: text.body_buffer.length(),
        request_head_bytes: text.request_head.length(),
        request_head_timeout: text.request_head_timeout.0,
        idle_timeout: text.idle_timeout.0,
        max_connections: text.max_connections.to(),
        forwarded_for: text.forwarded_for,
        via: text.via,
        request_id: text.request_id,
        server_header: text.server_header.map(|HeaderValue(value)| value),
        metadata: text.metadata.0,
        name,
    }
}

fn lowered_tcp(tcp: TcpText) -> TcpForward {
    TcpForward {
        cluster: tcp.cluster.name,
        filters: lowered_uses(tcp.filters.0),
        connect_attempts: tcp.connect_attempts.to(),
    }
}

fn lowered_routes(
    routes: Vec<Placed<RouteText>>,
    listener: &Name,
    reader: &mut Reader<'_>,
) -> Vec<Route> {
    let mut names: HashMap<Name, String> = HashMap::new();
    let mut catch_all: Option<String> = None;
    let mut lowered: Vec<Route> = Vec::with_capacity(routes.len());
    for (
        index,
        Placed {
            value: route,
            place,
        },
    ) in routes.into_iter().enumerate()
    {
        let named_at = route
            .name
            .as_ref()
            .map_or(&place, |name| &name.place)
            .clone();
        let name: Name = match &route.name {
            Some(name) => name.value.0.clone(),
            None => format!("{listener}/{index}").into(),
        };
        if let Some(earlier) = names.insert(name.clone(), place.path.clone()) {
            reader.refuse_at(&named_at, repeated("route name", &name, &earlier));
        }
        if let Some(earlier) = &catch_all {
            let what = format!("this route is never reached: {earlier} matches every request");
            reader.warn_at(&place, Refusal::new(what, "", ""));
        }
        // A route without a readable action was reported; the site is not handed out.
        lowered.extend(lowered_route(route, name, reader));
        if catch_all.is_none()
            && lowered
                .last()
                .is_some_and(|last| is_catch_all(&last.matches))
        {
            catch_all = Some(place.path);
        }
    }
    lowered
}

fn is_catch_all(matches: &RouteMatch) -> bool {
    let is_every_path = match &matches.path {
        PathMatch::Any => true,
        PathMatch::Prefix(prefix) => prefix == "/",
        PathMatch::Exact(_) => false,
    };
    is_every_path
        && matches.hosts.is_empty()
        && matches.methods.is_empty()
        && matches.headers.is_empty()
}

fn lowered_route(route: RouteText, name: Name, reader: &mut Reader<'_>) -> Option<Route> {
    let matches = route
        .r#match
        .map(|text| lowered_match(text, reader))
        .unwrap_or_default();
    let filters = lowered_uses(route.filters.0);
    let action = match (route.forward, route.function, route.respond, route.echo) {
        (Some(forward), _, _, _) => Action::Forward(lowered_forward(forward)),
        (None, Some(function), _, _) => Action::Function(function.name),
        (None, None, Some(respond), _) => Action::Respond(lowered_respond(respond, reader)),
        (None, None, None, Some(_)) => Action::Echo,
        (None, None, None, None) => return None,
    };
    Some(Route {
        name,
        matches,
        filters,
        action,
        metadata: route.metadata.0,
    })
}

fn lowered_match(text: MatchText, reader: &mut Reader<'_>) -> RouteMatch {
    let mut headers: Vec<HeaderMatch> = Vec::new();
    for Placed {
        value: header,
        place,
    } in text.headers.0
    {
        let Some(header) = lowered_header_match(header) else {
            continue;
        };
        if headers.iter().any(|earlier| earlier.name == header.name) {
            let what = format!("header \"{}\" is tested a second time", header.name);
            reader.refuse_at(
                &place,
                Refusal::new(what, &header.name, "one test of a header"),
            );
        }
        headers.push(header);
    }
    let path = match (text.path, text.path_prefix) {
        (Some(path), _) => PathMatch::Exact(path.0),
        (None, Some(prefix)) => PathMatch::Prefix(prefix.0),
        (None, None) => PathMatch::Any,
    };
    RouteMatch {
        path,
        hosts: text.host.into_iter().chain(text.hosts.0).collect(),
        methods: text
            .method
            .into_iter()
            .chain(text.methods.0)
            .map(|method| method.0)
            .collect(),
        headers,
    }
}

fn lowered_header_match(header: HeaderMatchText) -> Option<HeaderMatch> {
    let test = match (header.exact, header.prefix, header.present, header.absent) {
        (Some(value), _, _, _) => HeaderTest::Exact(value.0),
        (None, Some(value), _, _) => HeaderTest::Prefix(value.0),
        (None, None, Some(_), _) => HeaderTest::Present,
        (None, None, None, Some(_)) => HeaderTest::Absent,
        (None, None, None, None) => return None,
    };
    Some(HeaderMatch {
        name: header.name.0,
        test,
    })
}

fn lowered_forward(forward: ForwardText) -> Forward {
    let tried_again = |retries: RetriesText| Retries {
        attempts: retries.attempts.to(),
        per_try_timeout: retries.per_try_timeout.map(|time| time.0),
        statuses: retries
            .statuses
            .0
            .into_iter()
            .map(crate::shape::quantity::Count::to)
            .collect(),
    };
    Forward {
        cluster: forward.cluster.name,
        timeout: Switch::on(forward.timeout).map(|time| time.0),
        idle_timeout: Switch::on(forward.idle_timeout).map(|time| time.0),
        retries: forward.retries.map(tried_again).unwrap_or_default(),
    }
}

fn lowered_respond(respond: Placed<RespondText>, reader: &mut Reader<'_>) -> Respond {
    let Placed {
        value: mut respond,
        place: Place { at, path },
    } = respond;
    let mut headers: Vec<(String, String)> = Vec::new();
    let count: usize = respond
        .headers
        .0
        .iter()
        .map(|(_, values)| values.0.len())
        .sum();
    if count > HEADERS_MAX {
        let refusal = Refusal::new(
            format!("{count} headers"),
            "",
            format!("at most {HEADERS_MAX}"),
        );
        reader.refuse_at(
            &Place {
                at,
                path: format!("{path}.headers"),
            },
            refusal,
        );
        respond.headers.0.clear();
    }
    for (key, values) in respond.headers.0 {
        let place = Place {
            at: key.at,
            path: format!("{path}.headers"),
        };
        if OWN_HEADERS.contains(&key.name.as_str()) {
            let what = format!("header \"{}\" is written by the gateway", key.name);
            reader.refuse_at(&place, Refusal::new(what, &key.name, "other headers"));
        }
        if headers.iter().any(|(earlier, _)| *earlier == key.name) {
            let what = format!("header \"{}\" is repeated", key.name);
            let expected = "each header once, with a list of values if it has several";
            reader.refuse_at(&place, Refusal::new(what, &key.name, expected));
        }
        headers.extend(
            values
                .0
                .into_iter()
                .map(|value| (key.name.clone(), value.0)),
        );
    }
    Respond {
        status: respond.status.to(),
        headers,
        body: respond.body.0.into(),
    }
}
