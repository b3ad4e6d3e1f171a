//! The prebuilt guests, and what they are told to do.

use serde_json::{Value, json};

use super::{Case, Chain, OK, case};

pub(super) fn chains() -> Vec<Chain> {
    vec![
        Chain {
            name: "hello",
            filter: Some(("hello", json!({ "greeting": "Good day" }))),
            cases: vec![get("/"), get("/"), get("/secret"), post("/", "x")],
        },
        Chain {
            name: "shout",
            filter: Some(("shout", Value::Null)),
            cases: bodies(),
        },
        probe("edit_headers", edit_headers(), bodies()),
        probe("edit_bodies", edit_bodies(), bodies()),
        probe(
            "reply_early",
            json!({ "request_headers": [{ "reply": reply() }, "pause"] }),
            bodies(),
        ),
        probe(
            "reply_to_body",
            json!({ "request_body": ["await_end", { "reply": reply() }, "pause"] }),
            bodies(),
        ),
        probe(
            "reply_late",
            json!({ "response_headers": [{ "reply": reply() }, "pause"] }),
            bodies(),
        ),
        probe(
            "reply_last",
            json!({ "response_body": ["await_end", { "reply": reply() }, "pause"] }),
            bodies(),
        ),
        probe(
            "reroute",
            json!({ "request_headers": [
            { "set": ["request", ":path", "/other?x=1"] },
            { "set": ["request", ":authority", "other.example"] },
            { "set": ["request", ":method", "PUT"] },
        ] }),
            bodies(),
        ),
        probe(
            "replace_all",
            json!({
                "request_headers": [{ "set_all": ["request", [
                    [":method", "GET"], [":path", "/new"], [":scheme", "http"], [":authority", "new.example"], ["x-forwarded-proto", "http"], ["x-one", "1"], ["x-two", "2"], ["x-one", "3"],
                ]] }],
                "response_headers": [{ "set_all": ["response", [[":status", "201"], ["x-one", "1"], ["x-two", "2"], ["x-one", "3"]]] }],
            }),
            bodies(),
        ),
        probe("sees", sees(), [neighbours(), bodies()].concat()),
        probe("properties", properties(), bodies()),
    ]
}

fn probe(name: &'static str, script: Value, cases: Vec<Case>) -> Chain {
    Chain {
        name,
        filter: Some(("probe", script)),
        cases,
    }
}

fn get(path: &str) -> Case {
    case(
        &format!("GET {path} HTTP/1.1\nhost: a.example\nx-first: 1\nx-second: 2\n\n"),
        OK,
    )
}

fn post(path: &str, body: &str) -> Case {
    let length = body.len();
    case(
        &format!(
            "POST {path} HTTP/1.1\nhost: a.example\ncontent-length: {length}\nx-first: 1\n\n{body}"
        ),
        OK,
    )
}

/// With and without bodies in either direction, with lengths and in chunks.
fn bodies() -> Vec<Case> {
    let chunked = "POST /chunked HTTP/1.1\nhost: a.example\nx-first: 1\ntransfer-encoding: chunked\n\n3\nabc\n2\nde\n0\n\n";
    let trailers = "POST /trailers HTTP/1.1\nhost: a.example\ntransfer-encoding: chunked\n\n3\nabc\n0\nx-sum: 1\n\n";
    let reply = |text: &str| case("GET /reply HTTP/1.1\nhost: a.example\n\n", text);
    vec![
        get("/get?q=1"),
        post("/post", "body"),
        case(chunked, OK),
        case(trailers, OK),
        case(
            "HEAD /head HTTP/1.1\nhost: a.example\n\n",
            "HTTP/1.1 200 OK\ncontent-length: 5\n\n",
        ),
        reply("HTTP/1.1 204 No Content\nx-first: 1\n\n"),
        reply("HTTP/1.1 304 Not Modified\netag: \"x\"\n\n"),
        reply("HTTP/1.1 404 Not Found\nx-first: 1\ncontent-length: 4\nx-second: 2\n\nnope"),
        reply(
            "HTTP/1.1 200 OK\ntransfer-encoding: chunked\nset-cookie: a\nset-cookie: b\n\n3\nabc\n2\nde\n0\n\n",
        ),
        reply("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n3\nabc\n0\nx-sum: 1\n\n"),
    ]
}

fn reply() -> Value {
    json!({ "status": 418, "headers": [["x-by", "probe"], ["x-by", "again"], ["content-type", "text/tea"]], "body": "short and stout" })
}

fn edit_headers() -> Value {
    json!({
        "request_headers": [
            { "set": ["request", "x-first", "new"] },
            { "set": ["request", "X-Set", "Set"] },
            { "add": ["request", "x-added", "1"] },
            { "add": ["request", "x-added", "2"] },
            { "add": ["request", "x-first", "more"] },
            { "remove": ["request", "x-second"] },
            { "remove": ["request", "content-length"] },
        ],
        "response_headers": [
            { "set": ["response", "x-first", "new"] },
            { "add": ["response", "set-cookie", "c"] },
            { "add": ["response", "x-first", "more"] },
            { "remove": ["response", "x-second"] },
            { "remove": ["response", "content-type"] },
            { "remove": ["response", "content-length"] },
            { "set": ["response", "x-status", "{response::status}"] },
        ],
        "request_trailers": [{ "add": ["request_trailer", "x-added", "t"] }],
        "response_trailers": [{ "add": ["response_trailer", "x-added", "t"] }],
    })
}

fn edit_bodies() -> Value {
    json!({
        "request_headers": [{ "remove": ["request", "content-length"] }],
        "request_body": ["await_end", { "prepend": "<" }, { "append": ">" }],
        "response_headers": [{ "remove": ["response", "content-length"] }],
        "response_body": ["await_end", { "body": "was {size}: {body}" }],
    })
}

/// Messages with headers that are for the next hop only.
fn neighbours() -> Vec<Case> {
    let get = "GET / HTTP/1.1\nhost: a.example\nconnection: keep-alive\nkeep-alive: x\nproxy-connection: x\nte: trailers\n\n";
    [
        "HTTP/1.1 200 OK\nconnection: keep-alive\nkeep-alive: timeout=5\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\nconnection: close\nproxy-connection: x\nupgrade: h2c\ncontent-length: 0\n\n",
        "HTTP/1.1 200 OK\nte: x\ntrailer: x\ntransfer-encoding: chunked\n\n0\n\n",
    ]
    .map(|reply| case(get, reply))
    .to_vec()
}

/// How many headers there are, and which of those for the next hop.
fn sees() -> Value {
    let text = |map: &str| {
        let names = [
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
        ];
        names.iter().fold("{count}".to_owned(), |text, name| {
            format!("{text} {name} {{{map}:{name}}}")
        })
    };
    json!({
        "request_headers": [{ "set": ["request", "x-seen", text("request")] }],
        "response_headers": [{ "set": ["response", "x-seen", text("response")] }],
    })
}

fn properties() -> Value {
    let steps = |map: &str| -> Vec<_> {
        let numbered = PROPERTIES.iter().enumerate();
        numbered
            .map(|(number, name)| json!({ "add": [map, format!("x-{number}"), format!("{name} = {{{name}}}")] }))
            .collect()
    };
    json!({ "request_headers": steps("request"), "response_headers": steps("response") })
}

/// Those that are the same in every run.
const PROPERTIES: &[&str] = &[
    "property:request.path",
    "property:request.url_path",
    "property:request.query",
    "property:request.host",
    "property:request.scheme",
    "property:request.method",
    "property:request.headers.x-first",
    "property:request.headers.absent",
    "property:request.referer",
    "property:request.useragent",
    "property:request.id",
    "property:request.protocol",
    "number:request.size",
    "number:request.total_size",
    "number:response.code",
    "property:response.code_details",
    "number:response.flags",
    "number:response.grpc_status",
    "number:response.size",
    "number:response.total_size",
    "property:response.headers.content-type",
    "property:response.trailers.x-sum",
    "property:source.port.absent",
    "property:destination.port.absent",
    "bool:connection.mtls",
    "property:connection.requested_server_name",
    "property:connection.tls_version",
    "property:connection.termination_details",
    "property:upstream.transport_failure_reason",
    "number:upstream.request_attempt_count",
    "property:xds.route_name",
    "property:xds.cluster_name",
    "number:xds.listener_direction",
    "property:plugin_name",
    "property:plugin_root_id",
    "property:plugin_vm_id",
    "property:nothing",
];
