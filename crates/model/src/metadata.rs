//! Facts that the operator attaches to things, for plugins to read.

/// Facts by namespace, as Envoy's `core.v3.Metadata`: each namespace holds a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Namespace and its mapping, in the order of the file; no namespace twice.
    pub namespaces: Vec<(String, Vec<(String, Json)>)>,
}

/// A value as JSON has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; finite.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// A mapping in the order of the file; no key twice.
    Map(Vec<(String, Json)>),
}

/// Numbers are finite, so every value equals itself.
impl Eq for Json {}
