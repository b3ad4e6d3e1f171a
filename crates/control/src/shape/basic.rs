//! Shapes that many keys share: truth, text, lists, switches, choices.

use serde_json::{Value, json};

use crate::problem::Refusal;
use crate::shape::{Catalog, Reader, Shape, Sort};
use crate::yaml::{self, Node};

/// A list with at least `MIN` and at most `MAX` items.
#[derive(Clone, Debug, Default)]
pub(crate) struct List<T, const MIN: usize, const MAX: usize>(pub(crate) Vec<T>);

/// `off`, or a value.
#[derive(Clone, Debug)]
pub(crate) enum Switch<T> {
    Off,
    On(T),
}

/// Only `true`: the key is a mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark;

/// Defines how the variants of an enum are written.
macro_rules! choices {
    (
        $type:ty: $title:literal { $( $name:literal => $variant:path ),+ $(,)? }
        $( later { $( $later:literal ),+ } )?
    ) => {
        impl $crate::shape::Shape for $type {
            fn read(
                node: &$crate::yaml::Node,
                reader: &mut $crate::shape::Reader<'_>,
            ) -> Option<Self> {
                match $crate::shape::basic::choice(
                    node,
                    ($title, &[$( $name ),+], &[$($( $later ),+)?]),
                    reader,
                )? {
                    $( $name => Some($variant), )+
                    _ => None,
                }
            }

            fn sort(_: &mut $crate::shape::Catalog) -> $crate::shape::Sort {
                let names = [$( $name ),+];
                let text = names.map(|name| format!("`{name}`")).join(", ");
                $crate::shape::Sort::new(text, serde_json::json!({ "enum": names }))
            }

            fn show(&self) -> serde_json::Value {
                match self {
                    $( $variant => serde_json::json!($name), )+
                }
            }
        }
    };
}
pub(crate) use choices;

/// Which of the names a node is. The names: what is chosen, what it may be, what later releases bring.
pub(crate) fn choice(
    node: &Node,
    (title, names, later): (&str, &[&'static str], &[&str]),
    reader: &mut Reader<'_>,
) -> Option<&'static str> {
    let expected = crate::problem::alternatives(names.iter().copied());
    if let yaml::Value::Mapping(entries) = &node.value
        && let [entry] = entries.as_slice()
        && later.contains(&entry.key.as_str())
    {
        let subject = format!("{title} \"{}\"", entry.key);
        reader.refuse(
            entry.key_at,
            crate::shape::section::not_available(&subject, &entry.key),
        );
        return None;
    }
    let yaml::Value::Scalar(scalar) = &node.value else {
        reader.refuse_kind(node, expected);
        return None;
    };
    if let Some(name) = names.iter().find(|name| **name == scalar.text) {
        return Some(name);
    }
    let refusal = if later.contains(&scalar.text.as_str()) {
        let subject = format!("{title} \"{}\"", scalar.text);
        let mut refusal = crate::shape::section::not_available(&subject, &scalar.text);
        refusal.expected = expected;
        refusal
    } else {
        let what = format!(
            "unknown {title} \"{}\"",
            crate::problem::shortened(&scalar.text)
        );
        Refusal::new(what, &scalar.text, expected)
            .suggest(crate::problem::nearest(&scalar.text, names.iter().copied()))
    };
    reader.refuse(node.at, refusal);
    None
}

impl Shape for bool {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let yaml::Value::Scalar(scalar) = &node.value {
            if let Some(truth) = scalar.truth() {
                return Some(truth);
            }
            let suggestion = match scalar.text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "1" | "true" => Some("true".to_owned()),
                "no" | "off" | "0" | "false" => Some("false".to_owned()),
                _ => None,
            };
            let what = format!("found {}", scalar.description());
            let refusal = Refusal::new(what, &scalar.text, "true or false").suggest(suggestion);
            reader.refuse(node.at, refusal);
            return None;
        }
        reader.refuse_kind(node, "true or false");
        None
    }

    fn sort(_: &mut Catalog) -> Sort {
        Sort::new("`true`, `false`", json!({ "type": "boolean" }))
    }

    fn show(&self) -> Value {
        json!(self)
    }
}

impl Shape for Mark {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Scalar(scalar) if scalar.truth() == Some(true) => Some(Self),
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => {
                reader.refuse_kind(node, "true, or the key left out");
                None
            }
        }
    }

    fn sort(_: &mut Catalog) -> Sort {
        Sort::new("`true`", json!({ "const": true }))
    }
}

/// `None` only stands for a key that is left out.
impl<T: Shape> Shape for Option<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node, reader).map(Some)
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        T::sort(catalog)
    }

    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::show)
    }
}

/// What a shape takes, for messages.
fn kind<T: Shape>() -> String {
    T::sort(&mut Catalog::default()).text.replace('`', "")
}

impl<T: Shape, const MIN: usize, const MAX: usize> Shape for List<T, MIN, MAX> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let yaml::Value::Sequence(items) = &node.value else {
            reader.refuse_kind(
                node,
                format!("a list with items of the kind {}", kind::<T>()),
            );
            return None;
        };
        if items.len() < MIN {
            let expected = format!("at least {MIN} of the kind {}", kind::<T>());
            let refusal = Refusal::new("empty list", "", expected);
            reader.refuse(node.at, refusal);
            return None;
        }
        if let Some(first) = items.get(MAX) {
            let what = format!("{} items", items.len());
            reader.refuse(first.at, Refusal::new(what, "", format!("at most {MAX}")));
            return None;
        }
        let values = items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| reader.under_index(index, |reader| T::read(item, reader)));
        Some(Self(values.collect()))
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let item = T::sort(catalog);
        let mut schema = json!({ "type": "array", "items": item.schema, "maxItems": MAX });
        if MIN > 0 {
            schema["minItems"] = json!(MIN);
        }
        let text = format!("list of {}", item.text);
        item.wrapped(text, schema)
    }
}

impl<T: Shape> Shape for Switch<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Scalar(scalar) if scalar.text == "off" => Some(Self::Off),
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => {
                reader.read_or_word(node, "off").map(Self::On)
            }
        }
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let on = T::sort(catalog);
        let schema = json!({ "anyOf": [{ "const": "off" }, on.schema] });
        let text = format!("`off`, {}", on.text);
        on.wrapped(text, schema)
    }

    fn show(&self) -> Value {
        match self {
            Self::Off => json!("off"),
            Self::On(value) => value.show(),
        }
    }
}

impl<T> Switch<T> {
    /// The value, if it is on.
    pub(crate) fn on(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }
}
