//! Texts with a grammar: names, addresses, hosts, methods, headers, paths.
//!
//! Each has a regular expression for the schema and a parser for the reader; a test holds the two
//! together. Where a pattern cannot say all (the numbers of an IP address), the parser is stricter.

mod http;
mod net;

use std::path::PathBuf;

use serde_json::{Value, json};
use weir_model::{Endpoint, HostPattern, Name, limits};

use crate::problem::{Refusal, shortened};
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::{self, Node};

pub(crate) use http::{HeaderName, HeaderValue, Method, UrlPath};
pub(crate) use net::{Address, HostGrantName};

/// A text with a grammar.
pub(crate) trait Grammar: Sized {
    /// Like `header name`.
    const TITLE: &'static str;
    /// Matches at least every text that is taken.
    const PATTERN: &'static str;
    /// What is expected, for people.
    const EXPECTED: &'static str;

    /// The value of a text.
    ///
    /// # Errors
    /// What was probably meant, if that can be told.
    fn parse(text: &str) -> Result<Self, Option<String>>;

    /// The value as text.
    fn written(&self) -> String;
}

/// Any text, as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text(pub(crate) String);

/// A text, number or truth value, taken as the text that stands there.
#[derive(Clone, Debug)]
pub(crate) struct Loose(pub(crate) String);

/// A name given by the operator.
#[derive(Clone, Debug)]
pub(crate) struct NameText(pub(crate) Name);

/// A path of a file.
#[derive(Clone, Debug)]
pub(crate) struct FilePath(pub(crate) PathBuf);

/// A name of an environment variable.
#[derive(Clone, Debug)]
pub(crate) struct VariableName(pub(crate) String);

/// Gives a grammar its shape. (One `impl` for all would overlap with the other shapes.)
macro_rules! grammar_shapes {
    ($($type:ty),+ $(,)?) => { $(
        impl Shape for $type {
            fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                read_text::<Self>(node, reader)
            }

            fn sort(_: &mut Catalog) -> Sort {
                Sort::pattern(Self::TITLE, Self::PATTERN)
            }

            fn show(&self) -> Value {
                json!(self.written())
            }
        }
    )+ };
}
grammar_shapes!(
    NameText,
    Address,
    UrlPath,
    Method,
    HeaderName,
    HeaderValue,
    HostPattern,
    HostGrantName,
    Endpoint,
    FilePath,
    VariableName,
);

/// Reads a text by its grammar.
pub(crate) fn read_text<T: Grammar>(node: &Node, reader: &mut Reader<'_>) -> Option<T> {
    let yaml::Value::Scalar(scalar) = &node.value else {
        reader.refuse_kind(node, T::EXPECTED);
        return None;
    };
    match T::parse(&scalar.text) {
        Ok(value) if scalar.sort() == yaml::Sort::Text => Some(value),
        Ok(_) => {
            let refusal = unquoted(scalar, T::EXPECTED);
            reader.refuse(node.at, refusal);
            None
        }
        Err(suggestion) => {
            let refusal = malformed::<T>(&scalar.text, suggestion);
            reader.refuse(node.at, refusal);
            None
        }
    }
}

/// A refusal of a text that does not follow its grammar.
pub(crate) fn malformed<T: Grammar>(text: &str, suggestion: Option<String>) -> Refusal {
    let what = format!("bad {} \"{}\"", T::TITLE, shortened(text));
    Refusal::new(what, text, T::EXPECTED).suggest(suggestion)
}

fn unquoted(scalar: &yaml::Scalar, expected: &str) -> Refusal {
    let what = format!("found {}", scalar.description());
    let expected = match scalar.sort() {
        yaml::Sort::Null => expected.to_owned(),
        yaml::Sort::Bool | yaml::Sort::Integer | yaml::Sort::Float | yaml::Sort::Text => {
            format!(
                "{expected}, in quotes if that is meant: \"{}\"",
                shortened(&scalar.text)
            )
        }
    };
    Refusal::new(what, &scalar.text, expected)
}

impl Shape for Text {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let yaml::Value::Scalar(scalar) = &node.value else {
            reader.refuse_kind(node, "a text");
            return None;
        };
        if scalar.sort() == yaml::Sort::Text {
            return Some(Self(scalar.text.clone()));
        }
        let refusal = unquoted(scalar, "a text");
        reader.refuse(node.at, refusal);
        None
    }

    fn sort(_: &mut Catalog) -> Sort {
        Sort::new("text", json!({ "type": "string" }))
    }

    fn show(&self) -> Value {
        json!(self.0)
    }
}

impl Shape for Loose {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Scalar(scalar) if scalar.sort() != yaml::Sort::Null => {
                Some(Self(scalar.text.clone()))
            }
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => {
                reader.refuse_kind(node, "a text; an empty one is \"\"");
                None
            }
        }
    }

    fn sort(_: &mut Catalog) -> Sort {
        Sort::new("text", json!({ "type": ["string", "number", "boolean"] }))
    }
}

impl Grammar for NameText {
    const TITLE: &'static str = "name";
    const PATTERN: &'static str = "^[^\\x00-\\x20\\x7f]{1,255}$";
    const EXPECTED: &'static str = "a name of 1 to 255 characters without spaces";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        let refused = |c: char| c <= ' ' || c.is_control();
        let length = text.chars().count();
        if (1..=limits::NAME_CHARS_MAX).contains(&length) && !text.contains(refused) {
            return Ok(Self(text.into()));
        }
        let joined = text.split_whitespace().collect::<Vec<_>>().join("-");
        Err((!joined.is_empty() && length <= limits::NAME_CHARS_MAX).then_some(joined))
    }

    fn written(&self) -> String {
        self.0.to_string()
    }
}

impl Grammar for FilePath {
    const TITLE: &'static str = "file";
    const PATTERN: &'static str = "^[^\\x00]+$";
    const EXPECTED: &'static str = "a path of a file";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if text.is_empty() || text.contains('\0') {
            Err(None)
        } else {
            Ok(Self(text.into()))
        }
    }

    fn written(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Grammar for VariableName {
    const TITLE: &'static str = "variable name";
    const PATTERN: &'static str = "^[^=\\x00]+$";
    const EXPECTED: &'static str = "a name without \"=\"";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if text.is_empty() || text.contains(['=', '\0']) {
            return Err(None);
        }
        Ok(Self(text.to_owned()))
    }

    fn written(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text that is taken matches the pattern; refused ones have the expected suggestion.
    pub(crate) fn check<T: Grammar>(taken: &[(&str, &str)], refused: &[(&str, Option<&str>)]) {
        let pattern = regex_lite::Regex::new(T::PATTERN).unwrap();
        for (text, written) in taken {
            let value = T::parse(text).ok().map(|value| value.written());
            assert_eq!(value.as_deref(), Some(*written), "{text}");
            assert!(
                pattern.is_match(text),
                "{text} does not match {}",
                T::PATTERN
            );
        }
        for (text, suggestion) in refused {
            let refusal = T::parse(text).map(|value| value.written());
            assert_eq!(refusal, Err(suggestion.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn names() {
        check::<NameText>(
            &[
                ("a", "a"),
                ("outbound|80||svc.ns", "outbound|80||svc.ns"),
                ("größe", "größe"),
            ],
            &[("", None), ("my cluster", Some("my-cluster")), (" ", None)],
        );
    }
}
