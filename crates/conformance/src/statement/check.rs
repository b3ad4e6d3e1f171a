//! What steps expect: values that know whether something observed is as told, and if not, why.

use serde_json::{Map, Value as Json};

use super::{Message, Seen, fields};
use crate::pattern::matches;
use crate::trouble::Misread;
use crate::yaml::{Fields, Node, Value};

/// Headers that are expected: a name, and all its values in order (empty: it is absent).
type HeaderChecks = Vec<(String, Vec<String>)>;

/// What a response must be.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResponseCheck {
    pub(crate) status: Option<u16>,
    body: Option<String>,
    length: Option<usize>,
    headers: HeaderChecks,
    trailers: HeaderChecks,
    is_cut: bool,
    interim: Option<Vec<String>>,
    /// The request was HEAD.
    pub(crate) is_head: bool,
}

/// What a server must have seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestCheck {
    method: Option<String>,
    path: Option<String>,
    headers: HeaderChecks,
    body: Option<String>,
    length: Option<usize>,
    trailers: HeaderChecks,
    is_whole: Option<bool>,
    broke_off: Option<bool>,
    messages: Option<Vec<String>>,
    has_ended: Option<bool>,
    reset: Option<String>,
    server: Option<usize>,
    /// How many requests in all.
    pub(crate) count: Option<usize>,
}

/// What a filter must have logged.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogCheck {
    /// All lines.
    pub(crate) all: Option<Vec<String>>,
    /// Lines that are there.
    has: Vec<String>,
    /// Lines that are not.
    lacks: Vec<String>,
    /// The last lines.
    ends: Vec<String>,
}

/// What a line of the access log must be.
#[derive(Clone, Debug)]
pub(crate) struct AccessCheck {
    fields: Vec<(String, Json)>,
    state: Vec<(String, Json)>,
}

impl ResponseCheck {
    pub(super) fn read(node: &Node) -> Result<Self, Misread> {
        let mut fields = Fields::of(node)?;
        let check = Self {
            status: fields.number("status")?,
            body: fields.text("body")?,
            length: fields.number("length")?,
            headers: header_checks(&mut fields, "headers")?,
            trailers: header_checks(&mut fields, "trailers")?,
            is_cut: fields.truth("cut", false)?,
            interim: fields.take("interim").map(Node::texts).transpose()?,
            is_head: fields.truth("head", false)?,
        };
        fields.finish()?;
        Ok(check)
    }

    /// Why a response is not as told.
    pub(crate) fn flaw(&self, response: &Message) -> Option<String> {
        if response.is_late && self.status != Some(0) {
            return Some("no whole response came in time".to_owned());
        }
        let status = self.status.is_some_and(|status| status != response.status);
        if status {
            let expected = self.status.unwrap_or_default();
            return Some(format!("status {}, expected {expected}", response.status));
        }
        if response.status != 0 && self.is_cut != response.was_cut {
            let observed = if self.is_cut {
                "is whole"
            } else {
                "is cut off"
            };
            return Some(format!("the response {observed}"));
        }
        let interim: Vec<String> = response.interim.iter().map(u16::to_string).collect();
        if self
            .interim
            .as_ref()
            .is_some_and(|expected| *expected != interim)
        {
            return Some(format!("interim responses {interim:?}"));
        }
        text_flaw("body", self.body.as_ref(), &response.body)
            .or_else(|| length_flaw(self.length, response.length))
            .or_else(|| header_flaw("header", &self.headers, &response.head))
            .or_else(|| header_flaw("trailer", &self.trailers, &response.trailers))
    }
}

impl RequestCheck {
    pub(super) fn read(node: &Node) -> Result<Self, Misread> {
        let mut fields = Fields::of(node)?;
        let mut check = Self {
            method: fields.text("method")?,
            path: fields.text("path")?,
            headers: header_checks(&mut fields, "headers")?,
            body: fields.text("body")?,
            length: fields.number("length")?,
            trailers: header_checks(&mut fields, "trailers")?,
            is_whole: fields.take("whole").map(Node::truth).transpose()?,
            broke_off: fields.take("broken_off").map(Node::truth).transpose()?,
            messages: fields.take("messages").map(Node::texts).transpose()?,
            has_ended: fields.take("ended").map(Node::truth).transpose()?,
            reset: fields.text("reset")?,
            server: fields.number("server")?,
            count: fields.number("count")?,
        };
        if fields.truth("none", false)? {
            check.count = Some(0);
        }
        fields.finish()?;
        Ok(check)
    }

    /// Whether only the number of requests is checked.
    fn is_count_only(&self) -> bool {
        let of_one = Self {
            count: None,
            ..self.clone()
        };
        format!("{of_one:?}") == format!("{:?}", Self::default())
    }

    /// Why the requests that a server saw are not as told.
    pub(crate) fn flaw(&self, seen: &[Seen]) -> Option<String> {
        if self.count.is_some_and(|count| count != seen.len()) {
            return Some(format!("{} requests", seen.len()));
        }
        if self.count.is_some() && self.is_count_only() {
            return None;
        }
        let mut flaws = seen.iter().rev().map(|seen| self.flaw_of(seen));
        match flaws.next() {
            None => Some("no request".to_owned()),
            Some(None) => None,
            Some(Some(first)) => flaws.all(|flaw| flaw.is_some()).then_some(first),
        }
    }

    fn flaw_of(&self, seen: &Seen) -> Option<String> {
        // A request that broke off, was reset or still runs need not be whole.
        let usual = self.broke_off.is_none() && self.reset.is_none() && self.has_ended.is_none();
        let is_whole = self
            .is_whole
            .or((usual && self.messages.is_none()).then_some(true));
        let truths = [
            ("whole", is_whole, seen.is_whole),
            ("broken off", self.broke_off, seen.broke_off),
            ("ended", self.has_ended, seen.is_whole),
        ];
        for (what, expected, observed) in truths {
            if expected.is_some_and(|expected| expected != observed) {
                return Some(format!(
                    "the request is {}{what}",
                    if observed { "" } else { "not " }
                ));
            }
        }
        if let Some(messages) = &self.messages
            && !all_match(messages, &seen.messages)
        {
            return Some(format!("messages {:?}", seen.messages));
        }
        if self.server.is_some_and(|server| server != seen.server) {
            return Some(format!("server {} saw it", seen.server));
        }
        let reset = seen.reset.as_deref().unwrap_or("none");
        text_flaw("method", self.method.as_ref(), seen.word(0))
            .or_else(|| text_flaw("path", self.path.as_ref(), seen.word(1)))
            .or_else(|| text_flaw("reset", self.reset.as_ref(), reset))
            .or_else(|| text_flaw("body", self.body.as_ref(), &seen.body))
            .or_else(|| length_flaw(self.length, seen.length))
            .or_else(|| header_flaw("header", &self.headers, &seen.head))
            .or_else(|| header_flaw("trailer", &self.trailers, &seen.trailers))
    }
}

impl LogCheck {
    /// Reads the keys of a step that tell of log lines; `None`: it has none.
    pub(super) fn read(fields: &mut Fields) -> Result<Option<Self>, Misread> {
        let all = fields.take("log");
        let [has, lacks, ends] = ["has", "lacks", "ends"].map(|key| fields.take(key));
        if all.is_none() && has.is_none() && lacks.is_none() && ends.is_none() {
            return Ok(None);
        }
        let lines = |node: Option<&Node>| node.map_or(Ok(Vec::new()), Node::text_or_texts);
        Ok(Some(Self {
            all: all.map(Node::text_or_texts).transpose()?,
            has: lines(has)?,
            lacks: lines(lacks)?,
            ends: lines(ends)?,
        }))
    }

    /// Why lines are not as told.
    pub(crate) fn flaw(&self, lines: &[String]) -> Option<String> {
        let is_there = |pattern: &&String| lines.iter().any(|line| matches(pattern, line));
        if let Some(all) = &self.all
            && !all_match(all, lines)
        {
            let at = all
                .iter()
                .zip(lines)
                .position(|(all, line)| !matches(all, line));
            let at = at.unwrap_or(all.len().min(lines.len()));
            return Some(format!(
                "line {} is {}, expected {}",
                at + 1,
                quoted_or_none(lines.get(at)),
                quoted_or_none(all.get(at)),
            ));
        }
        if let Some(missing) = self.has.iter().find(|pattern| !is_there(pattern)) {
            return Some(format!("no line {missing:?}"));
        }
        let end = &lines[lines.len().saturating_sub(self.ends.len())..];
        if !all_match(&self.ends, end) {
            return Some(format!(
                "the last lines are {end:?}, expected {:?}",
                self.ends
            ));
        }
        let unwanted = self.lacks.iter().find(is_there);
        unwanted.map(|pattern| format!("there is a line {pattern:?}"))
    }

    /// Whether further lines cannot make it hold.
    pub(crate) fn is_lost(&self, lines: &[String]) -> bool {
        let lost =
            |all: &Vec<String>| lines.len() > all.len() || !all_match(&all[..lines.len()], lines);
        self.all.as_ref().is_some_and(lost)
    }
}

impl AccessCheck {
    pub(super) fn read(node: &Node) -> Result<Self, Misread> {
        let mut check = Self {
            fields: Vec::new(),
            state: Vec::new(),
        };
        for (name, value) in node.mapping()? {
            match name.as_str() {
                "status" | "details" | "flags" => check.fields.push((name.clone(), value.json())),
                "state" => {
                    let state = value.mapping()?.iter();
                    check.state = state
                        .map(|(name, value)| (name.clone(), value.json()))
                        .collect();
                }
                _ => {
                    let what = format!("`{name}`: expected status, details, flags or state");
                    return Err(Misread::new(value.line, what));
                }
            }
        }
        Ok(check)
    }

    /// The names of filter state that it asks for.
    pub(crate) fn state_names(&self) -> impl Iterator<Item = &str> {
        self.state.iter().map(|(name, _)| name.as_str())
    }

    /// Why a line of the access log is not as told.
    pub(crate) fn flaw(&self, line: &Map<String, Json>) -> Option<String> {
        let empty = Json::Null;
        let state = line.get("state").unwrap_or(&empty);
        let fields = self
            .fields
            .iter()
            .map(|(name, expected)| (name, expected, line.get(name)));
        let state = self
            .state
            .iter()
            .map(|(name, expected)| (name, expected, state.get(name)));
        fields.chain(state).find_map(|(name, expected, observed)| {
            let observed = plain(observed.unwrap_or(&empty));
            (!matches(&plain(expected), &observed))
                .then(|| format!("{name} is {observed:?}, expected {:?}", plain(expected)))
        })
    }
}

/// A value as a text; empty for none.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) if text == "-" => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn header_checks(fields: &mut Fields, key: &'static str) -> Result<HeaderChecks, Misread> {
    let entries = fields.take(key).map_or(Ok(&[][..]), Node::mapping)?;
    entries
        .iter()
        .map(|(name, values)| {
            let values = match &values.value {
                _ if values.is_null() => Vec::new(),
                Value::Scalar { text, .. } => vec![text.clone()],
                _ => values.texts()?,
            };
            Ok((name.clone(), values))
        })
        .collect()
}

fn all_match(patterns: &[String], texts: &[String]) -> bool {
    patterns.len() == texts.len()
        && patterns
            .iter()
            .zip(texts)
            .all(|(pattern, text)| matches(pattern, text))
}

fn text_flaw(what: &str, expected: Option<&String>, observed: &str) -> Option<String> {
    let expected = expected.filter(|expected| !matches(expected, observed))?;
    Some(format!("{what} {observed:?}, expected {expected:?}"))
}

fn length_flaw(expected: Option<usize>, observed: usize) -> Option<String> {
    let expected = expected.filter(|expected| *expected != observed)?;
    Some(format!("{observed} bytes, expected {expected}"))
}

fn header_flaw(what: &str, checks: &HeaderChecks, head: &str) -> Option<String> {
    checks.iter().find_map(|(name, expected)| {
        let observed: Vec<String> = fields(head, name).into_iter().map(str::to_owned).collect();
        (!all_match(expected, &observed))
            .then(|| format!("{what} {name} is {observed:?}, expected {expected:?}"))
    })
}

fn quoted_or_none(line: Option<&String>) -> String {
    line.map_or_else(|| "missing".to_owned(), |line| format!("{line:?}"))
}

#[cfg(test)]
mod tests;
