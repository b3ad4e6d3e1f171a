//! The first stage of the image pipeline, and the one that leads: takes an uploaded picture, puts its
//! pixels into a region, and has the other stages called, one after the other. It may call those, and
//! reaches neither the network nor a map but those that it makes itself.
//!
//! `POST /upload`, a PNG, or with `content-type: application/octet-stream` and `?width=…&height=…`
//! red, green, blue and alpha of all pixels. `?pass=copy` hands pictures on in bodies instead.

mod pictures;
mod unpack;

use pictures::{Copied, Hand, Shared};
use pipeline_stage::{Answer, Failure, Request, fetch, hex, now, random};
use unpack::Upload;

pipeline_stage::handler!(handle_request);

/// What is told of each stage: name and microseconds, from asking to having the answer.
type Times = Vec<(&'static str, i64)>;

fn handle_request(request: &Request) -> Result<Answer, Failure> {
    if request.method != "POST" {
        return Err(Failure(405, "expected POST with a picture".to_owned()));
    }
    match request.argument("pass") {
        None | Some("region") => led::<Shared>(request, "region"),
        Some("copy") => led::<Copied>(request, "copy"),
        Some(_) => Err(Failure::bad("expected ?pass=region or ?pass=copy")),
    }
}

/// Leads a picture through the stages.
fn led<H: Hand>(request: &Request, pass: &str) -> Result<Answer, Failure> {
    let begun = now();
    let mut times = Times::new();
    let upload = Upload::of(request)?;
    let (width, height) = upload.size();
    let mut id = [0; 8];
    random(&mut id);
    let query = format!("?width={width}&height={height}&id={}", hex(&id));
    let picture = H::unpacked(upload)?;
    times.push(("upload", micros(begun)));
    let grey = timed(&mut times, "grey", || picture.through("grey", &query))?;
    let edges = timed(&mut times, "edges", || grey.through("edges", &query))?;
    timed(&mut times, "store", || H::stored([&grey, &edges], &query))?;
    let told = format!(
        r#"{{"id":"{0}","width":{width},"height":{height},"grey":"/pictures/{0}/grey.png","edges":"/pictures/{0}/edges.png"}}"#,
        hex(&id)
    );
    // The picture is there, whether the service hears of it or not.
    let notified = timed(&mut times, "notify", || {
        called("notify", &query, "", told.as_bytes())
    });
    let refusal = notified.err().map(|Failure(_, text)| text);
    Ok(answer(&told, pass, &times, refusal))
}

fn answer(told: &str, pass: &str, times: &Times, refusal: Option<String>) -> Answer {
    let stages: Vec<_> = times
        .iter()
        .map(|(name, micros)| format!(r#"{{"name":"{name}","micros":{micros}}}"#))
        .collect();
    let refusal = refusal.map_or("null".to_owned(), |text| format!("\"{}\"", escaped(&text)));
    let told = told.strip_suffix('}').unwrap_or(told);
    let stages = stages.join(",");
    let body = format!(r#"{told},"pass":"{pass}","not_notified":{refusal},"stages":[{stages}]}}"#);
    Answer::of(201, "application/json", (body + "\n").into_bytes())
}

/// A text within quotes of JSON.
fn escaped(text: &str) -> String {
    let parts = text.chars().map(|sign| match sign {
        '"' | '\\' => format!("\\{sign}"),
        sign if sign.is_control() => format!("\\u{:04x}", u32::from(sign)),
        sign => sign.to_string(),
    });
    parts.collect()
}

fn micros(since: i64) -> i64 {
    (now() - since) / 1000
}

fn timed<T>(times: &mut Times, name: &'static str, work: impl FnOnce() -> T) -> T {
    let begun = now();
    let done = work();
    times.push((name, micros(begun)));
    done
}

/// What a stage answers, if it is well.
fn called(stage: &str, query: &str, headers: &str, body: &[u8]) -> Result<&'static [u8], Failure> {
    let url = format!("weir://{stage}/{query}");
    let answered = fetch(("POST", &url, headers), body)
        .map_err(|error| Failure(502, format!("the stage {stage} failed: {error}")))?;
    if (200..300).contains(&answered.status) {
        return Ok(answered.body);
    }
    let said = String::from_utf8_lossy(answered.body);
    let text = format!(
        "the stage {stage} answered {}: {}",
        answered.status,
        said.trim_end()
    );
    Err(Failure(502, text))
}
