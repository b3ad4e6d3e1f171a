//! Trials out of a grammar of host calls and callback results.
//!
//! Left out is what the hosts answer differently on purpose (`docs/differences.md`): traps, the order
//! of headers of different names, bodies with a length; and `continue_stream` towards a response that
//! is not there, which ends Envoy 1.40.

use super::random::Random;
use super::trial::{Answer, Callback, Request, Script, Trial};

const HEADERS: [&str; 8] = [
    "x-a",
    "x-b",
    "X-C",
    ":path",
    ":authority",
    ":method",
    "content-length",
    "x-absent",
];
const VALUES: [&str; 5] = ["1", "two", "", "a,b", "/q?x=1"];
const PROPERTIES: [&str; 14] = [
    r"request\00path",
    r"request\00method",
    r"request\00headers\00x-a",
    r"request\00host",
    r"request\00query",
    r"request\00protocol",
    r"request\00url_path",
    r"response\00code_details",
    r"response\00headers\00x-u",
    r"response\00nosuch",
    "plugin_name_x",
    "mine",
    r"xds\00cluster_name",
    r"xds\00route_name",
];
const NUMBERS: [&str; 3] = [r"response\00code", r"request\00size", r"response\00size"];
const ABIS: [&str; 5] = ["0.2.1", "0.2.1", "0.2.1", "0.2.0", "0.2.0"];

/// Where a callback stands in an exchange.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Request,
    Response,
    /// In a callback of a callout, whose effective context is the exchange.
    Callout,
    Over,
}

/// A random trial.
pub(super) fn trial(random: &mut Random) -> Trial {
    let count = 1 + random.below(3);
    let mut trial = Trial {
        filters: (0..count).map(|_| script(random)).collect(),
        request: request(random),
        answer: answer(random),
    };
    // Otherwise the pieces of both directions would race.
    trial.request.hesitates |= trial.answer.is_early;
    trial
}

fn request(random: &mut Random) -> Request {
    let has_body = random.chance(60);
    let has_trailers = has_body && random.chance(30);
    Request {
        method: if has_body { "POST" } else { "GET" },
        path: random.pick(&["/p", "/p?q=1", "/p", "/other"]),
        headers: headers(random, &[("x-a", "1"), ("x-b", "2"), ("x-route", "side")]),
        breaks_off: has_body && random.chance(5),
        hesitates: has_body && random.chance(25),
        chunks: has_body.then(|| chunks(random)),
        trailers: if has_trailers {
            vec![("x-t", "q")]
        } else {
            Vec::new()
        },
    }
}

fn answer(random: &mut Random) -> Answer {
    let has_body = random.chance(70);
    let has_trailers = has_body && random.chance(30);
    Answer {
        status: if random.chance(80) { 200 } else { 404 },
        headers: headers(random, &[("x-u", "1"), ("x-a", "up")]),
        breaks_off: has_body && random.chance(5),
        chunks: has_body.then(|| chunks(random)),
        trailers: if has_trailers {
            vec![("x-t", "s")]
        } else {
            Vec::new()
        },
        is_early: random.chance(10),
    }
}

fn headers(
    random: &mut Random,
    all: &[(&'static str, &'static str)],
) -> Vec<(&'static str, &'static str)> {
    all.iter().copied().filter(|_| random.chance(40)).collect()
}

fn chunks(random: &mut Random) -> Vec<String> {
    let texts = ["abc", "d", "efghij", "<k*3000>"];
    (0..=random.below(3))
        .map(|_| random.pick(&texts).to_owned())
        .collect()
}

fn script(random: &mut Random) -> Script {
    let pauses = random.chance(50);
    let mut callbacks = Vec::new();
    let names = [
        ("request_headers", Phase::Request),
        ("request_body", Phase::Request),
        ("request_trailers", Phase::Request),
        ("response_headers", Phase::Response),
        ("response_body", Phase::Response),
        ("response_trailers", Phase::Response),
        ("log", Phase::Over),
        ("done", Phase::Over),
    ];
    for (name, phase) in names {
        let mut steps: Vec<String> = Vec::new();
        if name == "request_headers" && pauses {
            steps.push(callout(random) + " (set a $ctx)");
        }
        if name == "response_headers" {
            steps.push("(set c 1)".to_owned());
        }
        let count = match name {
            // It has little to say: the exchange is gone.
            "done" if random.chance(80) => 0,
            _ => [0, 1, 1, 2, 3][random.below(5)],
        };
        let made = (0..count).map(|_| step(random, name, phase));
        // Envoy 1.40 forwards a request twice that is continued in its headers callback.
        steps.extend(made.filter(|step| name != "request_headers" || step != "(continue 0)"));
        let result = match name {
            "log" => String::new(),
            "done" => "1".to_owned(),
            _ if !pauses => "0".to_owned(),
            _ if name.ends_with("headers") => {
                random.pick(&["0", "0", "1", "3", "4", "2"]).to_owned()
            }
            _ if name.ends_with("body") => random.pick(&["0", "0", "1", "1", "2", "3"]).to_owned(),
            _ => random.pick(&["0", "0", "1"]).to_owned(),
        };
        callbacks.push(Callback {
            name,
            steps,
            result,
        });
    }
    if pauses {
        let mut steps = vec!["(!effective @a)".to_owned()];
        if random.chance(50) {
            steps.push(step(random, "http_call_response", Phase::Callout));
        }
        steps.push("(continue 0)".to_owned());
        steps.push("(if (i32.eq @c 1) (then (continue 1)))".to_owned());
        callbacks.push(Callback {
            name: "http_call_response",
            steps,
            result: String::new(),
        });
    }
    Script {
        abi: random.pick(&ABIS.each_ref().map(|abi| *abi)),
        stops_iteration: random.chance(20),
        callbacks,
    }
}

/// A callout to a server that answers after a while, so that callbacks come first.
fn callout(random: &mut Random) -> String {
    let cluster = random.pick(&["side", "side", "side", "dead"]);
    format!(r#"(!call "{cluster}" "{{:method:GET;:path:/c;:authority:c}}" "" "" 1000)"#)
}

fn step(random: &mut Random, callback: &str, phase: Phase) -> String {
    let step = match random.below(100) {
        0..45 => of_headers(random, phase),
        45..65 => of_buffers(random, phase),
        65..82 => of_properties(random),
        // A reply to an exchange that is over ends Envoy 1.40.
        82..90 if phase != Phase::Over => of_stream(random, phase),
        _ => of_state(random),
    };
    match random.below(10) {
        // Once, and not at each chunk.
        0..3 if callback.ends_with("body") => format!("(bump b) (if (i32.eq @b 1) (then {step}))"),
        3 if callback.ends_with("body") => format!("(if $end (then {step}))"),
        _ => step,
    }
}

fn of_headers(random: &mut Random, phase: Phase) -> String {
    let maps: &[&str] = match phase {
        Phase::Request => &["0", "0", "0", "1", "2"],
        Phase::Response | Phase::Callout => &["2", "2", "2", "3", "0", "6"],
        Phase::Over => &["0", "2", "3"],
    };
    let (map, name, value) = (
        random.pick(maps),
        random.pick(&HEADERS),
        random.pick(&VALUES),
    );
    match random.below(10) {
        0..4 => format!("(get {map} \"{name}\")"),
        // A pseudo-header or a length that a plugin makes up is a chapter of its own.
        4..6 if name.starts_with(':') || name == "content-length" => {
            format!("(get {map} \"{name}\")")
        }
        4..6 => format!("(add {map} \"{name}\" \"{value}\")"),
        6..8 if name == ":path" => format!("(replace {map} \":path\" \"/r\")"),
        6..8 if name.starts_with(':') || name == "content-length" => {
            format!("(remove {map} \"content-length\")")
        }
        6..8 => format!("(replace {map} \"{name}\" \"{value}\")"),
        8 if !name.starts_with(':') => format!("(remove {map} \"{name}\")"),
        8 => format!("(get {map} \":status\")"),
        _ => format!("(get {map} \"x-t\")"),
    }
}

fn of_buffers(random: &mut Random, phase: Phase) -> String {
    let buffer = match phase {
        Phase::Request => "0",
        _ => "1",
    };
    let start = random.pick(&["0", "0", "0", "1", "100", "0x7fffffff"]);
    let length = random.pick(&["0", "1", "2", "0x7fffffff", "-1"]);
    match random.below(4) {
        0 | 1 => format!("(read {buffer} {start} {length})"),
        2 => format!("(length {buffer})"),
        _ => {
            let text = random.pick(&["", "new", "<<"]);
            format!("(write {buffer} {start} {length} \"{text}\")")
        }
    }
}

fn of_properties(random: &mut Random) -> String {
    match random.below(8) {
        0..5 => format!("(prop \"{}\")", random.pick(&PROPERTIES)),
        5 => format!("(prop_number \"{}\")", random.pick(&NUMBERS)),
        _ => format!("(set_prop \"mine\" \"{}\")", random.pick(&VALUES)),
    }
}

fn of_stream(random: &mut Random, phase: Phase) -> String {
    if random.chance(60) {
        let status = random.pick(&["200", "403", "503", "204"]);
        let body = random.pick(&["", "no", "a body"]);
        let headers = random.pick(&["", "{x-l:1}", "{content-type:a/b;x-a:l}"]);
        return format!("(reply {status} \"d e\" \"{body}\" \"{headers}\" -1)");
    }
    match (phase, random.below(3)) {
        (_, 0) => "(continue 0)".to_owned(),
        (Phase::Response, 1) => "(continue 1)".to_owned(),
        (_, 1) => "(effective 99)".to_owned(),
        _ => format!("(close {})", random.pick(&["0", "1"])),
    }
}

fn of_state(random: &mut Random) -> String {
    random
        .pick(&[
            r#"(set_shared "k" "v" 0)"#,
            r#"(get_shared "k")"#,
            r#"(set_shared "k" "w" 7)"#,
            r#"(foreign "nosuch" "x")"#,
            r#"(done_now)"#,
            r#"(status)"#,
            r#"(bump d) (show "d" @d)"#,
        ])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest;

    #[test]
    fn every_script_compiles() {
        let mut random = Random::new(1);
        for _ in 0..300 {
            for script in trial(&mut random).filters {
                if let Err(flaw) = guest::compile(script.abi, &script.text()) {
                    panic!("{}:{}\n{}", flaw.line, flaw.what, script.text());
                }
            }
        }
    }
}
