//! YAML text to a tree in which everything knows its place.
//!
//! Invariants: the tree is no deeper than `CONFIG_DEPTH_MAX` and, with aliases expanded, no larger
//! than `CONFIG_NODES_MAX`; keys are texts and their order is the author's. Keys may repeat: the
//! walk in [`repeated_keys`] finds them.

mod scalar;

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use weir_model::limits::{CONFIG_DEPTH_MAX, CONFIG_NODES_MAX};

use crate::problem::{Refusal, Span};

pub(crate) use scalar::{Scalar, Sort};

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Span,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Span,
    pub(crate) value: Node,
}

/// A refusal and its place.
pub(crate) type Misread = (Span, Refusal);

/// Reads the one document of a text.
///
/// # Errors
/// The first place at which the text is not YAML, or not the part of YAML that is taken here.
pub(crate) fn compose(text: &str) -> Result<Node, Misread> {
    check_characters(text)?;
    let mut composer = Composer {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut document = None;
    loop {
        let (event, at) = composer.next()?;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            Event::DocumentStart(_) if document.is_some() => {
                let refusal = Refusal::new("a second document", "---", "one document in a file");
                return Err((at, refusal));
            }
            Event::DocumentStart(_) => {
                let (event, at) = composer.next()?;
                document = Some(composer.node(event, at, 0)?);
            }
            _ => return Err((at, Refusal::new("misplaced YAML", "", "one document"))),
        }
    }
    document.ok_or_else(|| {
        (
            Span::FILE,
            Refusal::new("the file is empty", "", "a mapping with listeners"),
        )
    })
}

impl Node {
    /// What it is, for people.
    pub(crate) fn description(&self) -> String {
        match &self.value {
            Value::Scalar(scalar) => scalar.description(),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// The text of a scalar; what it is, otherwise.
    pub(crate) fn found(&self) -> &str {
        match &self.value {
            Value::Scalar(scalar) => &scalar.text,
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    fn count(&self) -> usize {
        match &self.value {
            Value::Scalar(_) => 1,
            Value::Sequence(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Value::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|entry| 1 + entry.value.count())
                    .sum::<usize>()
            }
        }
    }

    fn depth(&self) -> usize {
        match &self.value {
            Value::Scalar(_) => 0,
            Value::Sequence(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|entry| entry.value.depth())
                    .max()
                    .unwrap_or(0)
            }
        }
    }
}

/// Keys that stand in a mapping a second time.
pub(crate) fn repeated_keys(entries: &[Entry]) -> Vec<&Entry> {
    let mut seen = std::collections::HashSet::new();
    entries
        .iter()
        .filter(|entry| !seen.insert(entry.key.as_str()))
        .collect()
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Composer<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Misread> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place(span))),
            Some(Err(error)) => Err(scan_error(&error)),
            None => Ok((Event::StreamEnd, Span::FILE)),
        }
    }

    fn node(&mut self, event: Event<'a>, at: Span, depth: usize) -> Result<Node, Misread> {
        if depth > CONFIG_DEPTH_MAX {
            return Err(too_deep(at));
        }
        self.count(1, at)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = tagged_scalar(text.into_owned(), style, tag.as_deref());
                let scalar = scalar.map_err(|refusal| (at, refusal))?;
                Ok(self.anchored(
                    anchor,
                    Node {
                        at,
                        value: Value::Scalar(scalar),
                    },
                ))
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq").map_err(|refusal| (at, refusal))?;
                let items = self.sequence(depth)?;
                Ok(self.anchored(
                    anchor,
                    Node {
                        at,
                        value: Value::Sequence(items),
                    },
                ))
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map").map_err(|refusal| (at, refusal))?;
                let entries = self.mapping(depth)?;
                Ok(self.anchored(
                    anchor,
                    Node {
                        at,
                        value: Value::Mapping(entries),
                    },
                ))
            }
            Event::Alias(anchor) => self.alias(anchor, at, depth),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err((at, Refusal::new("misplaced YAML", "", "a value"))),
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Misread> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Vec<Entry>, Misread> {
        let mut entries = Vec::new();
        loop {
            let (event, key_at) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = key_text(self.node(event, key_at, depth + 1)?)?;
            let (event, at) = self.next()?;
            let mut value = self.node(event, at, depth + 1)?;
            if matches!(&value.value, Value::Scalar(scalar) if scalar.is_left_out()) {
                value.at = key_at;
            }
            entries.push(Entry { key, key_at, value });
        }
    }

    fn alias(&mut self, anchor: usize, at: Span, depth: usize) -> Result<Node, Misread> {
        let Some(node) = self.anchors.get(&anchor) else {
            let refusal = Refusal::new(
                "an alias inside its own anchor",
                "*",
                "an anchor that ended before",
            );
            return Err((at, refusal));
        };
        if depth + node.depth() > CONFIG_DEPTH_MAX {
            return Err(too_deep(at));
        }
        let (count, node) = (node.count(), node.clone());
        self.count(count, at)?;
        Ok(node)
    }

    fn anchored(&mut self, anchor: usize, node: Node) -> Node {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn count(&mut self, nodes: usize, at: Span) -> Result<(), Misread> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= CONFIG_NODES_MAX {
            return Ok(());
        }
        let expected =
            format!("at most {CONFIG_NODES_MAX}, aliases counted as what they stand for");
        Err((at, Refusal::new("too many values", "", expected)))
    }
}

fn key_text(key: Node) -> Result<String, Misread> {
    match key.value {
        Value::Scalar(scalar) if scalar.is_merge_key() => {
            let refusal = Refusal::new(
                "the merge key \"<<\" is not part of YAML 1.2",
                "<<",
                "the keys themselves, or an alias for the whole value",
            );
            Err((key.at, refusal))
        }
        Value::Scalar(scalar) => Ok(scalar.text),
        Value::Sequence(_) | Value::Mapping(_) => {
            let what = format!("{} as a key", key.description());
            Err((key.at, Refusal::new(what, key.found(), "a text")))
        }
    }
}

fn tagged_scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar, Refusal> {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        return Ok(Scalar { text, plain });
    };
    let wanted: &[Sort] = match core_tag(tag)? {
        "str" => return Ok(Scalar { text, plain: false }),
        "int" => &[Sort::Integer],
        "float" => &[Sort::Integer, Sort::Float],
        "bool" => &[Sort::Bool],
        "null" => &[Sort::Null],
        _ => return Err(unknown_tag(tag)),
    };
    let scalar = Scalar { text, plain: true };
    if wanted.contains(&scalar.sort()) {
        return Ok(scalar);
    }
    let what = format!(
        "{} is not what its tag !!{} says",
        scalar.description(),
        tag.suffix
    );
    Err(Refusal::new(what, &scalar.text, "a value without a tag"))
}

fn check_tag(tag: Option<&Tag>, wanted: &str) -> Result<(), Refusal> {
    match tag {
        Some(tag) if core_tag(tag)? != wanted => Err(unknown_tag(tag)),
        _ => Ok(()),
    }
}

fn core_tag(tag: &Tag) -> Result<&str, Refusal> {
    if tag.is_yaml_core_schema() {
        Ok(&tag.suffix)
    } else {
        Err(unknown_tag(tag))
    }
}

fn unknown_tag(tag: &Tag) -> Refusal {
    let found = Cow::from(format!("{}{}", tag.handle, tag.suffix));
    Refusal::new(
        format!("unknown tag \"{found}\""),
        &found,
        "a value without a tag",
    )
}

/// A NUL would end the parser's input without a word, and YAML forbids the other ones too.
fn check_characters(text: &str) -> Result<(), Misread> {
    let refused = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let Some(offset) = text.find(refused) else {
        return Ok(());
    };
    let found = text[offset..].chars().next().unwrap_or_default();
    let what = format!("control character U+{:04X}", u32::from(found));
    let refusal = Refusal::new(
        what,
        &found.to_string(),
        "text, or \"\\x00\" escapes in quotes",
    );
    Err((place_of(&text[..offset]), refusal))
}

/// The place after some text.
pub(crate) fn place_of(before: &str) -> Span {
    let before = before.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    Span {
        line: 1 + before.matches(['\n', '\r']).count(),
        column: 1 + before[line_start..].chars().count(),
        width: 1,
    }
}

fn too_deep(at: Span) -> Misread {
    (
        at,
        Refusal::new(
            "nested too deep",
            "",
            format!("at most {CONFIG_DEPTH_MAX} levels"),
        ),
    )
}

fn scan_error(error: &ScanError) -> Misread {
    let at = Span {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        width: 1,
    };
    (
        at,
        Refusal::new(format!("not YAML: {}", error.info()), "", ""),
    )
}

fn place(span: saphyr_parser::Span) -> Span {
    let width = if span.end.line() == span.start.line() {
        span.end.col().saturating_sub(span.start.col()).max(1)
    } else {
        usize::MAX
    };
    Span {
        line: span.start.line(),
        column: span.start.col() + 1,
        width,
    }
}
