//! What happens in a scene, one thing after another.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value as Json;

use super::server::{duration, names_and_values};
use super::{AccessCheck, LogCheck, RequestCheck, ResponseCheck, Scene};
use crate::trouble::Misread;
use crate::wire::bytes_of;
use crate::yaml::{Fields, Node, Value};

/// One thing that happens, or that is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) only: Option<String>,
    /// Name of the client's connection.
    pub(crate) client: String,
    pub(crate) verbs: Vec<Verb>,
}

/// What a step does; several verbs of one step follow one another.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Ask(Request, ResponseCheck),
    Send(String),
    HangUp,
    HalfClose,
    Response(ResponseCheck),
    Receive(String),
    Closed,
    Await { filter: usize, line: String },
    Log { filter: usize, check: LogCheck },
    Server(ServerName, RequestCheck),
    Access { line: usize, check: AccessCheck },
    Metric { name: String, value: Json },
    Wait(Duration),
    Silence(Duration),
    Until(Request, ResponseCheck),
    Stop,
    LogLevel(String),
}

/// A request on a fresh connection.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) bytes: String,
    pub(crate) is_head: bool,
}

/// A server behind the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerName {
    Up,
    Side,
}

impl Step {
    pub(super) fn read(node: &Node, scene: &Scene) -> Result<Self, Misread> {
        let mut fields = Fields::of(node)?;
        let filter: usize = fields.number("filter")?.unwrap_or(0);
        let mut step = Self {
            line: node.line,
            only: fields.text("only")?,
            client: fields.text("client")?.unwrap_or_default(),
            verbs: Vec::new(),
        };
        step.read_traffic(&mut fields)?;
        if let Some(line) = fields.text("await")? {
            step.verbs.push(Verb::Await { filter, line });
        }
        if let Some(check) = LogCheck::read(&mut fields)? {
            step.verbs.push(Verb::Log { filter, check });
        }
        step.read_observations(&mut fields)?;
        fields.finish()?;
        let needs_filter = |verb: &Verb| matches!(verb, Verb::Await { .. } | Verb::Log { .. });
        if step.verbs.iter().any(needs_filter) && filter >= scene.filters.len() {
            let what = format!("there is no filter {filter}; the first one is 0");
            return Err(Misread::new(node.line, what));
        }
        if step.verbs.is_empty() {
            return Err(Misread::new(
                node.line,
                "a step does something; see the README",
            ));
        }
        Ok(step)
    }

    /// What clients do, in the order in which it happens.
    fn read_traffic(&mut self, fields: &mut Fields) -> Result<(), Misread> {
        let response = fields
            .take("response")
            .map(ResponseCheck::read)
            .transpose()?;
        if let Some(until) = fields.take("until") {
            let mut inner = Fields::of(until)?;
            let request = Request::read(inner.need("ask")?)?;
            let check = ResponseCheck::read(inner.need("response")?)?;
            inner.finish()?;
            self.verbs.push(Verb::Until(request, check));
        }
        if let Some(ask) = fields.take("ask") {
            let check = response.unwrap_or_default();
            self.verbs.push(Verb::Ask(Request::read(ask)?, check));
            return Ok(());
        }
        if let Some(bytes) = fields.text("send")? {
            self.verbs.push(Verb::Send(bytes));
        }
        if fields.truth("half_close", false)? {
            self.verbs.push(Verb::HalfClose);
        }
        if let Some(check) = response {
            self.verbs.push(Verb::Response(check));
        }
        if let Some(bytes) = fields.text("receive")? {
            self.verbs.push(Verb::Receive(bytes));
        }
        if fields.truth("closed", false)? {
            self.verbs.push(Verb::Closed);
        }
        if fields.truth("hang_up", false)? {
            self.verbs.push(Verb::HangUp);
        }
        if let Some(time) = fields.take("silence") {
            self.verbs.push(Verb::Silence(duration(time)?));
        }
        if let Some(time) = fields.take("wait") {
            self.verbs.push(Verb::Wait(duration(time)?));
        }
        Ok(())
    }

    fn read_observations(&mut self, fields: &mut Fields) -> Result<(), Misread> {
        for (key, name) in [("upstream", ServerName::Up), ("side", ServerName::Side)] {
            if let Some(check) = fields.take(key) {
                self.verbs
                    .push(Verb::Server(name, RequestCheck::read(check)?));
            }
        }
        let line = fields.number("line")?.unwrap_or(0);
        if let Some(check) = fields.take("access") {
            let check = AccessCheck::read(check)?;
            self.verbs.push(Verb::Access { line, check });
        }
        let value = fields.json("value");
        if let Some(name) = fields.text("metric")? {
            let value = value.unwrap_or_default();
            self.verbs.push(Verb::Metric { name, value });
        }
        if let Some(level) = fields.text("log_level")? {
            self.verbs.push(Verb::LogLevel(level));
        }
        if fields.truth("stop", false)? {
            self.verbs.push(Verb::Stop);
        }
        Ok(())
    }
}

impl Request {
    /// `METHOD PATH`, or a mapping.
    fn read(node: &Node) -> Result<Self, Misread> {
        if let Value::Scalar { text, .. } = &node.value {
            let Some((method, path)) = text.split_once(' ') else {
                return Err(node.refuse("a method and a path"));
            };
            return Ok(Self::new(method, path, &[], &Body::None));
        }
        let mut fields = Fields::of(node)?;
        let method = fields.text("method")?.unwrap_or_else(|| "GET".to_owned());
        let path = fields.text("path")?.unwrap_or_else(|| "/".to_owned());
        let headers = fields
            .take("headers")
            .map_or(Ok(Vec::new()), names_and_values)?;
        let body = match (fields.take("body"), fields.take("chunks")) {
            (None, None) => Body::None,
            (Some(body), None) => Body::Whole(body.text()?.to_owned()),
            (None, Some(chunks)) => Body::Chunks(chunks.texts()?),
            (Some(_), Some(chunks)) => return Err(chunks.refuse("either body or chunks")),
        };
        fields.finish()?;
        Ok(Self::new(&method, &path, &headers, &body))
    }

    fn new(method: &str, path: &str, headers: &[(String, String)], body: &Body) -> Self {
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            bytes += "host: h\r\n";
        }
        for (name, value) in headers {
            bytes.extend([name, ": ", value, "\r\n"]);
        }
        match body {
            Body::None => bytes += "\r\n",
            Body::Whole(body) => {
                let _ = write!(
                    bytes,
                    "content-length: {}\r\n\r\n{body}",
                    bytes_of(body).len()
                );
            }
            Body::Chunks(chunks) => {
                bytes += "transfer-encoding: chunked\r\n\r\n";
                for chunk in chunks {
                    let _ = write!(bytes, "{:x}\r\n{chunk}\r\n", bytes_of(chunk).len());
                }
                bytes += "0\r\n\r\n";
            }
        }
        Self {
            bytes,
            is_head: method == "HEAD",
        }
    }
}

enum Body {
    None,
    Whole(String),
    Chunks(Vec<String>),
}
