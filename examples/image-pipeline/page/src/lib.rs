//! The page of the image pipeline, and the pictures that were stored: the map `pictures` is all that
//! it is granted, to read.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use pipeline_stage::{Answer, Failure, Request};
use wasi_map::{Map, Rights};

pipeline_stage::bare!();
pipeline_stage::handler!(handle_request);

const PAGE: &[u8] = include_bytes!("../page.html");

/// The page needs nothing from elsewhere, and browsers hold it to that.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      img-src 'self' blob: data:; connect-src 'self'";

fn handle_request(request: &Request) -> Result<Answer, Failure> {
    if !matches!(request.method, "GET" | "HEAD") {
        return Err(Failure(405, "expected GET".into()));
    }
    if request.path == "/" {
        let mut answer = Answer::of(200, "text/html; charset=utf-8", PAGE);
        answer
            .headers
            .push(("content-security-policy", POLICY.into()));
        return Ok(answer);
    }
    let nothing = || Failure(404, "there is no such picture".into());
    let key = request
        .path
        .strip_prefix("/pictures/")
        .ok_or_else(nothing)?;
    let pictures = Map::open("pictures", Rights::READ)?;
    let picture = pictures.get(key.as_bytes())?.ok_or_else(nothing)?;
    let mut answer = Answer::of(200, "image/png", picture.value);
    answer
        .headers
        .push(("cache-control", "private, max-age=600".into()));
    Ok(answer)
}
