//! What one trial is made of, in parts that can be taken away.

use std::fmt::Write as _;

/// A chain of guests and one exchange through it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trial {
    pub(super) filters: Vec<Script>,
    pub(super) request: Request,
    pub(super) answer: Answer,
}

/// A guest, by its callbacks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Script {
    pub(super) abi: &'static str,
    pub(super) stops_iteration: bool,
    pub(super) callbacks: Vec<Callback>,
}

/// One callback: its name, its steps, what it returns (empty: nothing is said).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Callback {
    pub(super) name: &'static str,
    pub(super) steps: Vec<String>,
    pub(super) result: String,
}

/// What the client sends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    /// Chunks of the body, sent one by one; `None`: there is no body.
    pub(super) chunks: Option<Vec<String>>,
    pub(super) trailers: Vec<(&'static str, &'static str)>,
    /// The client goes away in place of the end of the body.
    pub(super) breaks_off: bool,
    /// The client waits after the head, until callouts are answered.
    pub(super) hesitates: bool,
}

/// What the upstream answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) chunks: Option<Vec<String>>,
    pub(super) trailers: Vec<(&'static str, &'static str)>,
    pub(super) breaks_off: bool,
    /// It answers at the head of the request, not at its end; then the client hesitates.
    pub(super) is_early: bool,
}

impl Trial {
    /// The trial without the kinds of steps that another one is made of; `None`: it has none of them.
    pub(super) fn without_steps_of(&self, other: &Self) -> Option<Self> {
        let callbacks = |trial: &Self| -> Vec<Callback> {
            let filters = trial.filters.iter();
            filters
                .flat_map(|filter| filter.callbacks.clone())
                .collect()
        };
        let known = callbacks(other);
        let is_known = |name: &str, step: &str| {
            let mut known = known.iter().filter(|known| known.name == name);
            known.any(|known| known.steps.iter().any(|known| kind(known) == kind(step)))
        };
        let mut less = self.clone();
        for callback in less
            .filters
            .iter_mut()
            .flat_map(|filter| &mut filter.callbacks)
        {
            let name = callback.name;
            callback
                .steps
                .retain(|step| is_frame(step) || !is_known(name, step));
        }
        (less != *self).then_some(less)
    }
}

/// The word of a step, also where it stands in a condition.
fn kind(step: &str) -> &str {
    let inner = step.rsplit("(then ").next().unwrap_or(step);
    let end = inner.find(' ').unwrap_or(inner.len());
    inner[..end].trim_matches(['(', ')', '!'])
}

/// Whether a step only sees to it that what is paused goes on.
pub(super) fn is_frame(step: &str) -> bool {
    [
        "(!call",
        "(set ",
        "(!effective",
        "(continue",
        "(if (i32.eq @c",
    ]
    .iter()
    .any(|frame| step.starts_with(frame))
}

impl Script {
    /// The script in the language of guests. Every callback is traced, and what is paused goes on
    /// again when a callout ends.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("(trace)\n");
        for callback in &self.callbacks {
            let _ = write!(text, "({}", callback.name);
            if let Some(shown) = shown_parameters(callback.name) {
                let _ = write!(text, " {shown}");
            }
            for step in &callback.steps {
                let _ = write!(text, "\n  {step}");
            }
            let _ = writeln!(text, " {})", callback.result);
        }
        text
    }
}

/// What each callback tells of its parameters.
fn shown_parameters(callback: &str) -> Option<&'static str> {
    match callback {
        "request_body" | "response_body" => Some("(show \"size\" $size) (show \"end\" $end)"),
        "http_call_response" => Some("(show \"size\" $size)"),
        _ => None,
    }
}

/// A body in chunks, and its end: pieces that are sent one by one.
fn chunked(chunks: &[String], trailers: &[(&str, &str)], breaks_off: bool) -> Vec<String> {
    let mut pieces: Vec<String> = chunks
        .iter()
        .map(|chunk| format!("{:x}\r\n{chunk}\r\n", crate::wire::bytes_of(chunk).len()))
        .collect();
    if !breaks_off {
        pieces.push(format!("0\r\n{}\r\n", lines(trailers)));
    }
    pieces
}

fn lines(headers: &[(&str, &str)]) -> String {
    headers
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            // Writing to a String does not fail.
            let _ = write!(text, "{name}: {value}\r\n");
            text
        })
}

impl Request {
    /// What is sent, one piece after another.
    pub(super) fn pieces(&self) -> Vec<String> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: h\r\n", self.method, self.path);
        head += &lines(&self.headers);
        // Both are needed for trailers to go on (RFC 9110 §6.5.1).
        head += "te: trailers\r\n";
        let Some(chunks) = &self.chunks else {
            return vec![head + "\r\n"];
        };
        if !self.trailers.is_empty() {
            head += "trailer: x-t\r\n";
        }
        let mut pieces = vec![head + "transfer-encoding: chunked\r\n\r\n"];
        pieces.extend(chunked(chunks, &self.trailers, self.breaks_off));
        pieces
    }
}

impl Answer {
    /// The answer as servers of scenes have it.
    pub(super) fn text(&self) -> String {
        let mut head = format!("HTTP/1.1 {} X\r\n", self.status);
        head += &lines(&self.headers);
        let Some(chunks) = &self.chunks else {
            return head + "content-length: 0\r\n\r\n";
        };
        if !self.trailers.is_empty() {
            head += "trailer: x-t\r\n";
        }
        if self.breaks_off {
            head += "connection: close\r\n";
        }
        let mut pieces = vec![head + "transfer-encoding: chunked\r\n\r\n"];
        pieces.extend(chunked(chunks, &self.trailers, self.breaks_off));
        pieces.join("|")
    }
}
