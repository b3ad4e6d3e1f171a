//! Servers behind a host's clusters, as scenes describe them.

use std::time::Duration;

use crate::trouble::Misread;
use crate::yaml::{Fields, Node, Value};

/// A plain answer.
pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// Most servers behind one cluster.
const ENDPOINTS_MAX: usize = 8;

/// A server behind a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) protocol: Protocol,
    pub(crate) when: When,
    pub(crate) answer: Answer,
    /// How many equal servers stand behind the cluster.
    pub(crate) endpoints: usize,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Grpc,
    Tcp,
    Redis,
}

/// When a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    AfterBody,
    AfterHead,
    Never,
    AtOnce,
}

/// What a server answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Raw texts: for the first request, the second and so on; the last one for all others.
    Raw(Vec<String>),
    /// gRPC.
    Steps(Vec<GrpcStep>),
    /// Redis: arguments of the program, and commands that are run first.
    Redis {
        arguments: Vec<String>,
        setup: Vec<Vec<String>>,
    },
}

/// What a gRPC server does next.
#[derive(Clone, Debug)]
pub(crate) enum GrpcStep {
    Status(u16),
    Headers(Vec<(String, String)>),
    Message(String),
    Trailers(Vec<(String, String)>),
    Pause(Duration),
    AwaitMessage(usize),
    AwaitEnd,
    Reset(u32),
}

impl Server {
    pub(super) fn plain(protocol: Protocol, answer: &str) -> Self {
        Self {
            protocol,
            when: When::AfterBody,
            answer: Answer::Raw(vec![answer.to_owned()]),
            endpoints: 1,
        }
    }

    pub(super) fn read(node: Option<&Node>, usual: Protocol) -> Result<Self, Misread> {
        let usual_answer = if usual == Protocol::Tcp { "" } else { OK };
        let Some(node) = node else {
            return Ok(Self::plain(usual, usual_answer));
        };
        if let Value::Scalar { text, .. } = &node.value {
            return Ok(Self::plain(usual, text));
        }
        let mut fields = Fields::of(node)?;
        let protocol = match fields.text("protocol")?.as_deref() {
            None => usual,
            Some("http1") => Protocol::Http1,
            Some("grpc") => Protocol::Grpc,
            Some("tcp") => Protocol::Tcp,
            Some("redis") => Protocol::Redis,
            Some(_) => return Err(node.refuse("protocol: http1, grpc, tcp or redis")),
        };
        let when = match fields.text("when")?.as_deref() {
            None | Some("after_body") => When::AfterBody,
            Some("after_head") => When::AfterHead,
            Some("never") => When::Never,
            Some("at_once") => When::AtOnce,
            Some(_) => return Err(node.refuse("when: after_body, after_head, never or at_once")),
        };
        let answer = match (protocol, fields.take("answer")) {
            (Protocol::Redis, None) => Answer::Redis {
                arguments: fields
                    .take("arguments")
                    .map_or(Ok(Vec::new()), Node::texts)?,
                setup: commands(fields.take("setup"))?,
            },
            (Protocol::Redis, Some(answer)) => return Err(answer.refuse("no answer for redis")),
            (Protocol::Grpc, None) => Answer::Steps(Vec::new()),
            (Protocol::Grpc, Some(answer)) => Answer::Steps(grpc_steps(answer)?),
            (Protocol::Http1, None) => Answer::Raw(vec![OK.to_owned()]),
            (Protocol::Tcp, None) => Answer::Raw(vec![String::new()]),
            (_, Some(answer)) => Answer::Raw(answer.text_or_texts()?),
        };
        let endpoints = fields.number("endpoints")?.unwrap_or(1);
        fields.finish()?;
        if !(1..=ENDPOINTS_MAX).contains(&endpoints) {
            return Err(node.refuse(&format!("endpoints: 1 to {ENDPOINTS_MAX}")));
        }
        Ok(Self {
            protocol,
            when,
            answer,
            endpoints,
        })
    }
}

/// Commands for Redis, each a list of words or one text with spaces.
fn commands(node: Option<&Node>) -> Result<Vec<Vec<String>>, Misread> {
    let commands = node.map_or(Ok(&[][..]), Node::list)?;
    commands
        .iter()
        .map(|command| match &command.value {
            Value::Scalar { text, .. } => Ok(text.split(' ').map(str::to_owned).collect()),
            _ => command.texts(),
        })
        .collect()
}

fn grpc_steps(node: &Node) -> Result<Vec<GrpcStep>, Misread> {
    node.list()?.iter().map(grpc_step).collect()
}

fn grpc_step(node: &Node) -> Result<GrpcStep, Misread> {
    let [(kind, value)] = node.mapping()? else {
        return Err(node.refuse("one thing that the server does"));
    };
    Ok(match kind.as_str() {
        "status" => GrpcStep::Status(value.number()?),
        "headers" => GrpcStep::Headers(names_and_values(value)?),
        "message" => GrpcStep::Message(value.text()?.to_owned()),
        "trailers" => GrpcStep::Trailers(names_and_values(value)?),
        "pause" => GrpcStep::Pause(duration(value)?),
        "await_message" => GrpcStep::AwaitMessage(value.number()?),
        "await_end" => GrpcStep::AwaitEnd,
        "reset" => GrpcStep::Reset(reset_code(value)?),
        _ => {
            return Err(Misread::new(
                node.line,
                format!(
                    "`{kind}`: a gRPC server knows status, headers, message, trailers, pause, await_message, await_end, reset"
                ),
            ));
        }
    })
}

/// Codes of RFC 9113 §7, by number or name.
fn reset_code(node: &Node) -> Result<u32, Misread> {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let text = node.text()?.to_ascii_uppercase();
    let known = NAMES.iter().position(|name| *name == text);
    match known.and_then(|at| u32::try_from(at).ok()) {
        Some(code) => Ok(code),
        None => node.number(),
    }
}

/// Names with a value or several.
pub(super) fn names_and_values(node: &Node) -> Result<Vec<(String, String)>, Misread> {
    let mut pairs = Vec::new();
    for (name, values) in node.mapping()? {
        for value in values.text_or_texts()? {
            pairs.push((name.clone(), value));
        }
    }
    Ok(pairs)
}

/// `80ms` or `2s`.
pub(super) fn duration(node: &Node) -> Result<Duration, Misread> {
    let text = node.text()?;
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1000),
        (None, None) => return Err(node.refuse("a duration like 80ms or 2s")),
    };
    let count: u64 = number
        .parse()
        .map_err(|_| node.refuse("a duration like 80ms or 2s"))?;
    Ok(Duration::from_millis(count.saturating_mul(unit)))
}
