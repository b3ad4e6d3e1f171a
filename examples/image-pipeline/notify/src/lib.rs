//! The last stage of the image pipeline: tells a service that there is a new picture. It may send
//! requests to one host, and sees no picture.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::format;

use pipeline_stage::{Answer, Failure, Request, fetch, setting};

pipeline_stage::bare!();
pipeline_stage::handler!(handle_request);

fn handle_request(request: &Request) -> Result<Answer, Failure> {
    let Some(url) = setting("url") else {
        return Err(Failure(500, "settings.url is not there".into()));
    };
    let length = request.body.len();
    let headers = format!("content-type: application/json\ncontent-length: {length}\n");
    let told = fetch(("POST", url, &headers), request.body)
        .map_err(|error| Failure(502, format!("{url}: {error}")))?;
    match told.status {
        200..=299 => Ok(Answer::of(204, "text/plain", &[][..])),
        status => Err(Failure(502, format!("{url} answered {status}"))),
    }
}
