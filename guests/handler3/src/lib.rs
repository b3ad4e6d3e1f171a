//! A handler of HTTP by `wasi:http` 0.3 that does what the request's path says: for the tests of
//! functions.

use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use wasip3::wit_bindgen::rt::async_support::StreamWriter;
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Handler;

wasip3::http::service::export!(Handler);

impl wasip3::exports::http::handler::Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = query.to_owned();
        match path {
            "/echo" => Ok(echo(request)),
            "/trap" => panic!("as the path says"),
            "/trap-later" => Ok(body(async |out| {
                send(out, b"so far").await;
                pause(50).await;
                panic!("in the middle");
            })),
            "/error" => Err(ErrorCode::InternalError(Some(
                "as the path says".to_owned(),
            ))),
            "/loop" => spin(),
            "/sleep" => {
                pause(query.parse().expect("milliseconds")).await;
                Ok(text("awake"))
            }
            "/endless" => Ok(body(async |out| while send(out, &[b'x'; 1000]).await {})),
            "/after" => Ok(body(async move |out| {
                send(out, b"whole").await;
                wit_bindgen::spawn_local(async move {
                    pause(query.parse().expect("milliseconds")).await;
                    println!("afterwards");
                });
            })),
            "/fetch" => fetch(&query).await,
            _ => Ok(text("hello")),
        }
    }
}

/// A response whose body this writes.
fn body(write: impl AsyncFnOnce(&mut StreamWriter<u8>) + 'static) -> Response {
    let (mut out, stream) = wit_stream::new();
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), Some(stream), trailers);
    wit_bindgen::spawn_local(async move {
        write(&mut out).await;
        drop((out, end));
    });
    response
}

/// `false`: nobody reads any more.
async fn send(out: &mut StreamWriter<u8>, bytes: &[u8]) -> bool {
    out.write_all(bytes.to_vec()).await.is_empty()
}

fn text(text: &'static str) -> Response {
    body(async |out| {
        send(out, text.as_bytes()).await;
    })
}

async fn pause(milliseconds: u64) {
    wasip3::clocks::monotonic_clock::wait_for(milliseconds * 1_000_000).await;
}

fn spin() -> ! {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

/// Sends back what comes as it comes, with its trailers.
fn echo(request: Request) -> Response {
    let (done, result) = wit_future::new(|| Ok(()));
    drop(done);
    let (mut input, trailers) = Request::consume_body(request, result);
    let (mut out, stream) = wit_stream::new();
    let (end, ours) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), Some(stream), ours);
    wit_bindgen::spawn_local(async move {
        while let Some(bytes) = next(&mut input).await {
            if !out.write_all(bytes).await.is_empty() {
                return;
            }
        }
        drop(out);
        // The other side may have gone.
        let _ = end.write(trailers.await).await;
    });
    response
}

/// The next bytes; `None`: there are no more.
async fn next(input: &mut wit_bindgen::rt::async_support::StreamReader<u8>) -> Option<Vec<u8>> {
    let (result, bytes) = input.read(Vec::with_capacity(64 << 10)).await;
    match result {
        wit_bindgen::rt::async_support::StreamResult::Complete(_) => Some(bytes),
        _ => None,
    }
}

async fn fetch(target: &str) -> Result<Response, ErrorCode> {
    let (scheme, rest) = target.split_once("://").unwrap_or(("http", target));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (end, trailers) = wit_future::new(|| Ok(None));
    drop(end);
    let (request, _) = Request::new(Fields::new(), None, trailers, None);
    let scheme = match scheme {
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_method(&Method::Get).expect("a good method");
    request.set_scheme(Some(&scheme)).expect("a good scheme");
    request
        .set_authority(Some(authority))
        .expect("a good authority");
    request
        .set_path_with_query(Some(path))
        .expect("a good path");
    wasip3::http::client::send(request).await
}
