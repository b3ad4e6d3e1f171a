//! YAML with line numbers: what statement files are read from.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::{Map, Number, Value as Json};

use crate::trouble::Misread;

/// A value and the line where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A text; `plain`: without quotes, so that it may stand for a number, a truth value or null.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

/// Deepest nesting of a file.
const DEPTH_MAX: usize = 32;

/// Reads the one document of a file.
pub(crate) fn read(text: &str) -> Result<Node, Misread> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
    };
    let mut document = None;
    loop {
        let (event, line) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(_) if document.is_some() => {
                return Err(Misread::new(line, "a second document; one is expected"));
            }
            Event::DocumentStart(_) => {
                let (event, line) = reader.next()?;
                document = Some(reader.node(&event, line, 0)?);
            }
            _ => {}
        }
    }
    document.ok_or_else(|| Misread::new(1, "the file is empty; a mapping is expected"))
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, usize), Misread> {
        let line = |span: Span| span.start.line();
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, line(span))),
            Some(Err(error)) => {
                let what = format!("not YAML: {}", error.info());
                Err(Misread::new(error.marker().line(), what))
            }
            None => Ok((Event::StreamEnd, 1)),
        }
    }

    fn node(&mut self, event: &Event<'t>, line: usize, depth: usize) -> Result<Node, Misread> {
        if depth > DEPTH_MAX {
            let what = format!("nested too deep; at most {DEPTH_MAX} levels");
            return Err(Misread::new(line, what));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let text = text.clone().into_owned();
                let plain = *style == ScalarStyle::Plain;
                (Value::Scalar { text, plain }, *anchor)
            }
            Event::SequenceStart(anchor, _) => (self.list(depth)?, *anchor),
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, *anchor),
            Event::Alias(anchor) => {
                let known = self.anchors.get(anchor).cloned();
                let what = "an alias inside its own anchor";
                return known.ok_or_else(|| Misread::new(line, what));
            }
            _ => return Err(Misread::new(line, "misplaced YAML; a value is expected")),
        };
        let node = Node { line, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Misread> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, line) => items.push(self.node(&event, line, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Misread> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Mapping(entries));
            }
            let Value::Scalar { text: key, .. } = self.node(&event, line, depth + 1)?.value else {
                return Err(Misread::new(line, "a key that is no text"));
            };
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(Misread::new(line, format!("`{key}` stands here twice")));
            }
            let (event, at) = self.next()?;
            let mut value = self.node(&event, at, depth + 1)?;
            if value.is_null() {
                value.line = line;
            }
            entries.push((key, value));
        }
    }
}

impl Node {
    /// What it is, for people.
    fn description(&self) -> String {
        match &self.value {
            Value::Scalar { text, .. } => format!("`{text}`"),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// An error here: something else is expected.
    pub(crate) fn refuse(&self, expected: &str) -> Misread {
        let what = format!("{}: expected {expected}", self.description());
        Misread::new(self.line, what)
    }

    pub(crate) fn text(&self) -> Result<&str, Misread> {
        match &self.value {
            Value::Scalar { text, .. } => Ok(text),
            _ => Err(self.refuse("a text")),
        }
    }

    pub(crate) fn number<N: std::str::FromStr>(&self) -> Result<N, Misread> {
        let number = self.text().ok().and_then(|text| text.parse().ok());
        number.ok_or_else(|| self.refuse("a number"))
    }

    pub(crate) fn truth(&self) -> Result<bool, Misread> {
        match self.text() {
            Ok("true") => Ok(true),
            Ok("false") => Ok(false),
            _ => Err(self.refuse("true or false")),
        }
    }

    /// Whether it is left out: an empty plain scalar or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    pub(crate) fn list(&self) -> Result<&[Node], Misread> {
        match &self.value {
            Value::List(items) => Ok(items),
            _ => Err(self.refuse("a list")),
        }
    }

    /// The texts of a list.
    pub(crate) fn texts(&self) -> Result<Vec<String>, Misread> {
        let texts = self.list()?.iter();
        texts.map(|item| item.text().map(str::to_owned)).collect()
    }

    /// The texts of a list, or the one text.
    pub(crate) fn text_or_texts(&self) -> Result<Vec<String>, Misread> {
        match &self.value {
            Value::Scalar { text, .. } => Ok(vec![text.clone()]),
            _ => self.texts(),
        }
    }

    pub(crate) fn mapping(&self) -> Result<&[(String, Node)], Misread> {
        match &self.value {
            Value::Mapping(entries) => Ok(entries),
            _ => Err(self.refuse("a mapping")),
        }
    }

    /// The value as JSON, by the rules of YAML's core schema.
    pub(crate) fn json(&self) -> Json {
        match &self.value {
            Value::Scalar { text, plain: true } => plain_json(text),
            Value::Scalar { text, .. } => Json::String(text.clone()),
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Mapping(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.json()));
                Json::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// The same with other texts.
    pub(crate) fn map_texts(&self, change: &impl Fn(&str) -> String) -> Self {
        let value = match &self.value {
            Value::Scalar { text, plain } => Value::Scalar {
                text: change(text),
                plain: *plain,
            },
            Value::List(items) => {
                Value::List(items.iter().map(|item| item.map_texts(change)).collect())
            }
            Value::Mapping(entries) => Value::Mapping(
                entries
                    .iter()
                    .map(|(key, value)| (change(key), value.map_texts(change)))
                    .collect(),
            ),
        };
        Self {
            line: self.line,
            value,
        }
    }
}

fn plain_json(text: &str) -> Json {
    match text {
        "" | "~" | "null" => Json::Null,
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        _ => {
            if let Ok(number) = text.parse::<i64>() {
                return number.into();
            }
            let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
            let number = text.parse::<f64>().ok().filter(|_| is_number);
            number
                .and_then(Number::from_f64)
                .map_or_else(|| Json::String(text.to_owned()), Json::Number)
        }
    }
}

/// The keys of a mapping, of which each must be asked for.
pub(crate) struct Fields<'n> {
    line: usize,
    entries: &'n [(String, Node)],
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub(crate) fn of(node: &'n Node) -> Result<Self, Misread> {
        Ok(Self {
            line: node.line,
            entries: node.mapping()?,
            asked: Vec::new(),
        })
    }

    /// The value of a key, if it is there.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        let entry = self.entries.iter().find(|(known, _)| known == key);
        entry.map(|(_, value)| value)
    }

    /// The value of a key that must be there.
    pub(crate) fn need(&mut self, key: &'static str) -> Result<&'n Node, Misread> {
        let line = self.line;
        self.take(key)
            .ok_or_else(|| Misread::new(line, format!("`{key}` is missing")))
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<String>, Misread> {
        let node = self.take(key);
        node.map(|node| node.text().map(str::to_owned)).transpose()
    }

    pub(crate) fn truth(&mut self, key: &'static str, usual: bool) -> Result<bool, Misread> {
        self.take(key).map_or(Ok(usual), Node::truth)
    }

    pub(crate) fn number<N: std::str::FromStr>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<N>, Misread> {
        self.take(key).map(Node::number).transpose()
    }

    pub(crate) fn json(&mut self, key: &'static str) -> Option<Json> {
        self.take(key).map(Node::json)
    }

    /// Refuses keys that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Misread> {
        let unknown = self
            .entries
            .iter()
            .find(|(key, _)| !self.asked.contains(&key.as_str()));
        match unknown {
            None => Ok(()),
            Some((key, node)) => Err(Misread::new(
                node.line,
                format!("unknown key `{key}`; known: {}", self.asked.join(", ")),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_lines() {
        let node = read("a: 1\nb:\n  - x\n  - {c: \"2\"}\n").unwrap();
        let entries = node.mapping().unwrap();
        assert_eq!(entries[0].1.number::<u32>().unwrap(), 1);
        assert_eq!(entries[1].1.list().unwrap()[1].line, 4);
        assert_eq!(node.json().to_string(), r#"{"a":1,"b":["x",{"c":"2"}]}"#);
    }

    #[test]
    fn unknown_and_repeated_keys_are_refused() {
        let node = read("a: 1\nb: 2\n").unwrap();
        let mut fields = Fields::of(&node).unwrap();
        fields.take("a");
        let error = fields.finish().unwrap_err();
        assert_eq!(error, Misread::new(2, "unknown key `b`; known: a"));
        assert!(read("a: 1\na: 2\n").is_err());
    }
}
