//! Types as sources write them, before they are lowered to a schema.

use crate::problem::Place;

/// A type with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expression {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `u32`, `string` and the like.
    Primitive(Primitive),
    /// `list<T>`.
    List(Box<Expression>),
    /// `option<T>`.
    Option(Box<Expression>),
    /// `tuple<A, B>`.
    Tuple(Vec<Expression>),
    /// `result<T, E>`; either may be missing.
    Result(Option<Box<Expression>>, Option<Box<Expression>>),
    /// The name of a declared type, as written.
    Name(String),
}

/// A type without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Bool,
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    Char,
    String,
}

impl Primitive {
    const ALL: [(&'static str, Self); 13] = [
        ("bool", Self::Bool),
        ("s8", Self::S8),
        ("s16", Self::S16),
        ("s32", Self::S32),
        ("s64", Self::S64),
        ("u8", Self::U8),
        ("u16", Self::U16),
        ("u32", Self::U32),
        ("u64", Self::U64),
        ("f32", Self::F32),
        ("f64", Self::F64),
        ("char", Self::Char),
        ("string", Self::String),
    ];

    /// The type of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (_, primitive) = Self::ALL.iter().find(|(known, _)| *known == name)?;
        Some(*primitive)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, primitive)| *primitive == self)
            .map_or("", |(name, _)| name)
    }
}

impl Expression {
    /// As a `.map` file writes it.
    pub(crate) fn text(&self) -> String {
        let optional = |part: &Option<Box<Self>>| {
            part.as_ref()
                .map_or_else(|| "_".to_owned(), |part| part.text())
        };
        match &self.kind {
            Kind::Primitive(primitive) => primitive.name().to_owned(),
            Kind::List(item) => format!("list<{}>", item.text()),
            Kind::Option(item) => format!("option<{}>", item.text()),
            Kind::Tuple(items) => {
                let items: Vec<_> = items.iter().map(Self::text).collect();
                format!("tuple<{}>", items.join(", "))
            }
            Kind::Result(None, None) => "result".to_owned(),
            Kind::Result(ok, None) => format!("result<{}>", optional(ok)),
            Kind::Result(ok, error) => format!("result<{}, {}>", optional(ok), optional(error)),
            Kind::Name(name) => name.clone(),
        }
    }
}
