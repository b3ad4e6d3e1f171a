//! The handler as a component of `wasi:http` 0.3.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Handler;

wasip3::http::service::export!(Handler);

impl wasip3::exports::http::handler::Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let answer = bench_work::answer(&target);
        let fields = Fields::new();
        fields.append("content-type", b"text/plain").expect("a good field");
        let (mut out, stream) = wit_stream::new();
        let (end, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(fields, Some(stream), trailers);
        wit_bindgen::spawn_local(async move {
            out.write_all(answer.into_bytes()).await;
            drop((out, end));
        });
        Ok(response)
    }
}
