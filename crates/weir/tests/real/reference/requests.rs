//! Requests and responses that a gateway has to carry, or to refuse.

use super::{Case, Chain, OK, case};

/// No filter at all.
pub(super) fn plain() -> Chain {
    Chain {
        name: "plain",
        filter: None,
        cases: REQUESTS
            .iter()
            .map(|request| case(request, OK))
            .chain(REPLIES.iter().map(|reply| case(GET, reply)))
            .chain(head_cases())
            .collect(),
    }
}

const GET: &str = "GET / HTTP/1.1\nhost: a.example\n\n";

/// Each is answered with [`OK`].
const REQUESTS: &[&str] = &[
    GET,
    "GET /path?a=1&b=%20x HTTP/1.1\nhost: a.example:8080\n\n",
    "GET /a//b/../c/./d HTTP/1.1\nhost: a.example\n\n",
    "GET /%2e%2E/%7euser HTTP/1.1\nhost: a.example\n\n",
    "GET /? HTTP/1.1\nhost: a.example\n\n",
    "GET http://b.example/absolute?x HTTP/1.1\nhost: a.example\n\n",
    "DELETE /x HTTP/1.1\nhost: a.example\n\n",
    "PATCH /x HTTP/1.1\nhost: a.example\ncontent-length: 3\n\nabc",
    "POST /x HTTP/1.1\nhost: a.example\ncontent-length: 0\n\n",
    "POST /x HTTP/1.1\nhost: a.example\n\n",
    "POST /x HTTP/1.1\nhost: a.example\ncontent-type: text/plain\ncontent-length: 5\nx-after: 1\n\nhello",
    "POST /x HTTP/1.1\nhost: a.example\ntransfer-encoding: chunked\n\n3\nabc\n2\nde\n0\n\n",
    "POST /x HTTP/1.1\nhost: a.example\ntransfer-encoding: chunked\ntrailer: x-sum\n\n3\nabc\n0\nx-sum: 1\n\n",
    "POST /x HTTP/1.1\nhost: a.example\ntransfer-encoding: chunked\n\n3;ext=1\nabc\n0\n\n",
    "GET /x HTTP/1.1\nhost: a.example\ncontent-length: 3\n\nabc",
    "GET /x HTTP/1.1\nHost: A.Example\nX-Mixed-Case: Value\nACCEPT: */*\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nx-twice: 1\nx-between: 0\nx-twice: 2\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nx-space:   a  b  \t\nx-empty:\n\n",
    "GET /x HTTP/1.1\nhost: a.example\ncookie: a=1\ncookie: b=2\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nconnection: keep-alive\nkeep-alive: timeout=5\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nconnection: close\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nconnection: x-hop, close\nx-hop: 1\nx-end: 2\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nproxy-connection: keep-alive\nproxy-authorization: x\nproxy-authenticate: y\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nte: trailers\nconnection: te\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nte: gzip\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nx-forwarded-for: 1.2.3.4\nx-forwarded-proto: https\nx-forwarded-host: h\nforwarded: for=1\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nx-request-id: 7\nvia: 1.0 other\nuser-agent: me\n\n",
    "GET /x HTTP/1.1\nhost: a.example\naccept-encoding: gzip, br\nrange: bytes=0-1\nif-none-match: \"x\"\n\n",
    "GET /x HTTP/1.1\nhost: a.example\ntrailer: x\n\n",
    "GET /x HTTP/1.1\n\n",
    "GET /x HTTP/1.1\nhost:\n\n",
    "GET x HTTP/1.1\nhost: a.example\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nbad header: 1\n\n",
    "GET /x HTTP/1.1\nhost: a.example\ncontent-length: 3\ncontent-length: 4\n\nabcd",
    "GET /x HTTP/1.1\nhost: a.example\ntransfer-encoding: gzip, chunked\n\n0\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nupgrade: websocket\nconnection: upgrade\n\n",
    "GET /x HTTP/1.1\nhost: a.example\nupgrade: h2c\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\nconnection: upgrade, http2-settings\n\n",
    "TRACE /x HTTP/1.1\nhost: a.example\n\n",
];

/// Each answers [`GET`].
const REPLIES: &[&str] = &[
    "HTTP/1.1 200 Wonderful\nContent-Length: 2\nX-Mixed: Case\nDate: Sun, 06 Nov 1994 08:49:37 GMT\nServer: other\n\nok",
    "HTTP/1.1 200 OK\ncontent-length: 0\n\n",
    "HTTP/1.1 204 No Content\nx-a: 1\n\n",
    "HTTP/1.1 304 Not Modified\netag: \"x\"\n\n",
    "HTTP/1.1 301 Moved\nlocation: http://elsewhere/\ncontent-length: 0\n\n",
    "HTTP/1.1 404 Not Found\ncontent-length: 4\n\nnope",
    "HTTP/1.1 503 Busy\nretry-after: 1\ncontent-length: 4\n\nbusy",
    "HTTP/1.1 299 Odd\ncontent-length: 1\n\nx",
    "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n3\nabc\n2\nde\n0\n\n",
    "HTTP/1.1 200 OK\ntransfer-encoding: chunked\ntrailer: x-sum\n\n3\nabc\n0\nx-sum: 1\n\n",
    "HTTP/1.1 200 OK\nset-cookie: a=1\nx-between: 0\nset-cookie: b=2\ncontent-length: 0\n\n",
    "HTTP/1.1 200 OK\nconnection: close\ncontent-length: 2\n\nok",
    "HTTP/1.1 401 No\nwww-authenticate: Basic\nwww-authenticate: Bearer\ncontent-length: 0\n\n",
    "HTTP/1.1 103 Early Hints\nlink: </a>\n\nHTTP/1.1 200 OK\ncontent-length: 2\n\nok",
    "HTTP/1.0 200 OK\ncontent-length: 2\n\nok",
    "HTTP/1.1 200 OK\nx-space:   a  b  \t\nx-empty:\ncontent-length: 2\n\nok",
    "HTTP/1.1 200 OK\nvia: 1.1 other\nx-powered-by: x\nalt-svc: h3\ncontent-length: 2\n\nok",
    "HTTP/1.1 200 OK\ncontent-length: 2\ncontent-length: 2\n\nok",
    "HTTP/1.1 200 OK\nproxy-authenticate: Basic\nproxy-connection: keep-alive\ntrailer: x\nupgrade: h2c\ncontent-length: 2\n\nok",
    "HTTP/1.1 200 OK\nconnection: keep-alive\nkeep-alive: timeout=5\ncontent-length: 2\n\nok",
    "HTTP/1.1 200 OK\ncontent-length: x\n\n",
    "nonsense\n\n",
];

/// Where the two differ on purpose (`docs/differences.md`): the status in Weir, and in Envoy.
pub(super) const DIFFER: &[(&str, &str, &str)] = &[
    ("GET /x HTTP/1.0\nhost: a.example\n\n", "200", "426"),
    (
        "GET /x#fragment HTTP/1.1\nhost: a.example\n\n",
        "200",
        "400",
    ),
    ("BREW /x HTTP/1.1\nhost: a.example\n\n", "200", "400"),
    ("OPTIONS * HTTP/1.1\nhost: a.example\n\n", "200", "404"),
    (
        "CONNECT a.example:443 HTTP/1.1\nhost: a.example:443\n\n",
        "403",
        "404",
    ),
    (
        "GET /x HTTP/1.1\nhost: a.example\nhost: b.example\n\n",
        "400",
        "200",
    ),
    (
        "GET /x HTTP/1.1\nhost: a.example\ncontent-length: 1\ncontent-length: 1\n\nx",
        "200",
        "400",
    ),
    (
        "GET /x HTTP/1.1\nhost: a.example\ntransfer-encoding: gzip\n\n",
        "400",
        "501",
    ),
];

fn head_cases() -> impl Iterator<Item = Case> {
    let head = "HEAD /x HTTP/1.1\nhost: a.example\n\n";
    [
        "HTTP/1.1 200 OK\ncontent-length: 5\n\n",
        "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n",
        "HTTP/1.1 200 OK\nx-a: 1\n\n",
    ]
    .into_iter()
    .map(move |reply| case(head, reply))
}
