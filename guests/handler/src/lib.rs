//! Placeholder.
use wasip2::http::types::*;
struct H;
wasip2::http::proxy::export!(H);
impl wasip2::exports::http::incoming_handler::Guest for H {
    fn handle(_request: IncomingRequest, answer: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().unwrap();
        ResponseOutparam::set(answer, Ok(response));
        let out = body.write().unwrap();
        out.blocking_write_and_flush(b"hello").unwrap();
        drop(out);
        OutgoingBody::finish(body, None).unwrap();
    }
}
