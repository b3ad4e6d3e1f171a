//! How deep, large and broad types are: what schemas of strangers are bounded by.

use super::{Kind, Rule, Type};

impl Kind {
    /// How many types are in each other from this one on, given the same of all types before it.
    pub(crate) fn depth(&self, before: &[usize]) -> usize {
        let depth = |ty: Type| match ty {
            Type::Named(id) => before.get(id.0).copied().unwrap_or(0),
            _ => 0,
        };
        let parts = match self {
            Self::Record(record) => record.fields.iter().map(|field| depth(field.ty)).max(),
            Self::Variant(cases) => cases.iter().filter_map(|case| case.ty).map(depth).max(),
            Self::Enum(_) | Self::Flags(_) => None,
        };
        1 + parts.unwrap_or(0)
    }

    /// How many values a default value is made of, given the same of all types before it.
    pub(crate) fn default_parts(&self, before: &[usize]) -> usize {
        let parts = |ty: Type| match ty {
            Type::Named(id) => before.get(id.0).copied().unwrap_or(1),
            _ => 1,
        };
        let sum = |sum: usize, parts: usize| sum.saturating_add(parts);
        match self {
            Self::Record(record) => {
                let plain = record.fields.iter().filter(|f| f.rule == Rule::Plain);
                plain.map(|field| parts(field.ty)).fold(1, sum)
            }
            Self::Variant(cases) => 1 + cases.first().and_then(|case| case.ty).map_or(0, parts),
            Self::Enum(_) | Self::Flags(_) => 1,
        }
    }

    /// Fields, cases or names.
    #[cfg(feature = "codegen")]
    pub(crate) fn parts(&self) -> usize {
        match self {
            Self::Record(record) => record.fields.len(),
            Self::Variant(cases) => cases.len(),
            Self::Enum(names) | Self::Flags(names) => names.len(),
        }
    }
}
