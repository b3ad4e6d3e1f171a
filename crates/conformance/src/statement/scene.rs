//! What stands on the stage before the first step: filters, servers, settings.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::server::{OK, Protocol, Server};
use crate::guest;
use crate::trouble::Misread;
use crate::yaml::{Fields, Node};

/// Bytes held for filters, unless a scene says otherwise.
const BODY_BUFFER: u64 = 1 << 20;

/// A host's configuration and the servers behind it.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) filters: Vec<Filter>,
    pub(crate) upstream: Server,
    pub(crate) side: Server,
    pub(crate) listener: Listener,
    pub(crate) body_buffer: u64,
    pub(crate) workers: u32,
    pub(crate) metadata: Map<String, Json>,
    pub(crate) route_metadata: Map<String, Json>,
    /// The host must refuse the configuration.
    pub(crate) is_refused: bool,
    /// With what text it must; a pattern.
    pub(crate) reason: Option<String>,
    pub(crate) log_level: String,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    Http,
    Tcp,
}

/// Where a filter is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attachment {
    Chain,
    Log,
    Background,
    Network,
}

/// One configured use of a guest.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) name: String,
    /// Which listener of the scene it belongs to; scenes of statements have one.
    pub(crate) group: usize,
    pub(crate) code: Vec<u8>,
    pub(crate) attachment: Attachment,
    /// Null: none.
    pub(crate) configuration: Json,
    pub(crate) vm_configuration: Json,
    pub(crate) vm_id: String,
    pub(crate) root_id: String,
    pub(crate) shares: bool,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) capabilities: Option<Vec<String>>,
    pub(crate) on_failure: String,
    pub(crate) stops_iteration: bool,
    pub(crate) dialect: Option<String>,
    pub(crate) is_tolerant: bool,
}

impl Scene {
    /// A scene without filters, all else as usual.
    pub(crate) fn empty() -> Self {
        Self {
            filters: Vec::new(),
            upstream: Server::plain(Protocol::Http1, OK),
            side: Server::plain(Protocol::Http1, OK),
            listener: Listener::Http,
            body_buffer: BODY_BUFFER,
            workers: 1,
            metadata: Map::new(),
            route_metadata: Map::new(),
            is_refused: false,
            reason: None,
            log_level: "info".to_owned(),
        }
    }

    pub(super) fn read(node: &Node, folder: &Path) -> Result<Self, Misread> {
        let mut fields = Fields::of(node)?;
        let mut filters = Vec::new();
        if let Some(list) = fields.take("filters") {
            for (index, filter) in list.list()?.iter().enumerate() {
                filters.push(Filter::read(filter, index, folder)?);
            }
        }
        let listener = match fields.text("listener")?.as_deref() {
            None | Some("http") => Listener::Http,
            Some("tcp") => Listener::Tcp,
            Some(_) => return Err(node.refuse("listener: http or tcp")),
        };
        let usual = match listener {
            Listener::Http => Protocol::Http1,
            Listener::Tcp => Protocol::Tcp,
        };
        let scene = Self {
            filters,
            upstream: Server::read(fields.take("upstream"), usual)?,
            side: Server::read(fields.take("side"), Protocol::Http1)?,
            listener,
            body_buffer: fields.number("body_buffer")?.unwrap_or(BODY_BUFFER),
            workers: fields.number("workers")?.unwrap_or(1),
            metadata: object(&mut fields, "metadata")?,
            route_metadata: object(&mut fields, "route_metadata")?,
            is_refused: match fields.take("start") {
                None => false,
                Some(start) if start.text() == Ok("refused") => true,
                Some(start) => return Err(start.refuse("refused")),
            },
            reason: fields.text("reason")?,
            log_level: fields
                .text("log_level")?
                .unwrap_or_else(|| "info".to_owned()),
        };
        fields.finish()?;
        Ok(scene)
    }
}

/// A mapping as JSON; empty if it is left out.
fn object(fields: &mut Fields, key: &'static str) -> Result<Map<String, Json>, Misread> {
    match fields.take(key) {
        None => Ok(Map::new()),
        Some(node) => match node.json() {
            Json::Object(object) => Ok(object),
            _ => Err(node.refuse("a mapping")),
        },
    }
}

impl Filter {
    /// A filter in the chain, all else as usual.
    pub(crate) fn plain(name: String, code: Vec<u8>) -> Self {
        Self {
            group: 0,
            code,
            attachment: Attachment::Chain,
            configuration: Json::Null,
            vm_configuration: Json::Null,
            vm_id: name.clone(),
            root_id: String::new(),
            shares: false,
            environment: Vec::new(),
            capabilities: None,
            on_failure: "reload".to_owned(),
            stops_iteration: false,
            dialect: None,
            is_tolerant: false,
            name,
        }
    }

    fn read(node: &Node, index: usize, folder: &Path) -> Result<Self, Misread> {
        let mut fields = Fields::of(node)?;
        let name = format!("f{index}");
        let code = code(&mut fields, folder, node)?;
        let environment = fields
            .take("environment")
            .map_or(Ok(&[][..]), Node::mapping)?;
        let environment = environment
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.text()?.to_owned())));
        let filter = Self {
            group: 0,
            code,
            attachment: attachment(fields.take("use"))?,
            configuration: fields.json("configuration").unwrap_or_default(),
            vm_configuration: fields.json("vm_configuration").unwrap_or_default(),
            vm_id: fields.text("vm_id")?.unwrap_or_else(|| name.clone()),
            root_id: fields.text("root_id")?.unwrap_or_default(),
            shares: fields.truth("share", false)?,
            environment: environment.collect::<Result<_, _>>()?,
            capabilities: fields.take("capabilities").map(Node::texts).transpose()?,
            on_failure: one_of(&mut fields, "on_failure", &["reload", "closed", "open"])?,
            stops_iteration: fields.truth("allow_on_headers_stop_iteration", false)?,
            dialect: fields.text("dialect")?,
            is_tolerant: fields.truth("tolerant", false)?,
            name,
        };
        fields.finish()?;
        Ok(filter)
    }
}

fn one_of(fields: &mut Fields, key: &'static str, known: &[&str]) -> Result<String, Misread> {
    match fields.take(key) {
        None => Ok(known[0].to_owned()),
        Some(node) => match node.text() {
            Ok(text) if known.contains(&text) => Ok(text.to_owned()),
            _ => Err(node.refuse(&format!("one of {}", known.join(", ")))),
        },
    }
}

fn code(fields: &mut Fields, folder: &Path, node: &Node) -> Result<Vec<u8>, Misread> {
    let abi = fields.text("abi")?.unwrap_or_else(|| "0.2.1".to_owned());
    let sources = [
        ("guest", fields.take("guest")),
        ("wat", fields.take("wat")),
        ("module", fields.take("module")),
    ];
    let mut sources = sources
        .into_iter()
        .filter_map(|(kind, node)| Some((kind, node?)));
    let (Some((kind, source)), None) = (sources.next(), sources.next()) else {
        return Err(Misread::new(
            node.line,
            "exactly one of `guest`, `wat` and `module` is expected",
        ));
    };
    let text = source.text()?;
    let placed = |flaw: guest::Flaw| Misread {
        line: source.line + flaw.line - 1,
        what: flaw.what,
    };
    match kind {
        "guest" => guest::compile(&abi, text).map_err(placed),
        "wat" => guest::assemble(text).map_err(placed),
        // Beside the statement, or from the top folder of the repository that it is in.
        _ => std::fs::read(folder.join(text))
            .or_else(|_| std::fs::read(folder.join("../..").join(text)))
            .map_err(|error| Misread::new(source.line, format!("{text}: {error}"))),
    }
}

fn attachment(node: Option<&Node>) -> Result<Attachment, Misread> {
    let Some(node) = node else {
        return Ok(Attachment::Chain);
    };
    match node.text()? {
        "chain" => Ok(Attachment::Chain),
        "log" => Ok(Attachment::Log),
        "background" => Ok(Attachment::Background),
        "network" => Ok(Attachment::Network),
        _ => Err(node.refuse("chain, log, background or network")),
    }
}
