//! The handler as a component of `wasi:http` 0.2. `/hold?KIB` keeps memory for a tenth of a second.

use std::time::Duration;

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Handler;

wasip2::http::proxy::export!(Handler);

impl wasip2::exports::http::incoming_handler::Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let answer = match target.strip_prefix("/hold?") {
            Some(size) => hold(size.parse().unwrap_or(0)),
            None => bench_work::answer(&target),
        };
        let fields = Fields::new();
        fields.append("content-type", b"text/plain").expect("a good field");
        let response = OutgoingResponse::new(fields);
        let body = response.body().expect("the body is not taken");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("the stream is not taken");
        stream.blocking_write_and_flush(answer.as_bytes()).expect("somebody reads");
        drop(stream);
        OutgoingBody::finish(body, None).expect("the body is as long as it said");
    }
}

fn hold(kib: usize) -> String {
    let memory = std::hint::black_box(vec![1_u8; kib * 1024]);
    std::thread::sleep(Duration::from_millis(100));
    format!("{}\n", memory.len())
}
