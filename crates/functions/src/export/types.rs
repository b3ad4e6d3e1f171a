//! Types of arguments and results: how they are called, and what they are made of.

use wasmtime::component::Type;

/// A parameter of a function.
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) ty: Type,
}

/// How a value stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Text,
    /// As they are.
    Bytes,
    /// As JSON.
    Json,
}

/// How a result stands in a body that needs no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlainResult {
    Nothing,
    Text,
    Bytes,
    /// Or text that says what is wrong.
    TextOr,
    BytesOr,
}

impl Form {
    pub(super) fn of(ty: &Type) -> Self {
        match ty {
            Type::String => Self::Text,
            Type::List(list) if matches!(list.ty(), Type::U8) => Self::Bytes,
            _ => Self::Json,
        }
    }

    /// How what a function answers stands, if it answers anything but an error.
    pub(super) fn of_whole(ty: Option<&Type>) -> Option<Self> {
        match ty? {
            Type::Result(result) => result.ok().as_ref().map(Self::of),
            other => Some(Self::of(other)),
        }
    }

    /// `None`: the result, or a part of it, is JSON.
    pub(super) fn of_result(ty: Option<&Type>) -> Option<PlainResult> {
        match ty {
            None => Some(PlainResult::Nothing),
            Some(Type::Result(result)) => {
                let (ok, err) = (result.ok()?, result.err()?);
                match (Self::of(&ok), Self::of(&err)) {
                    (Self::Text, Self::Text) => Some(PlainResult::TextOr),
                    (Self::Bytes, Self::Text) => Some(PlainResult::BytesOr),
                    (_, _) => None,
                }
            }
            Some(other) => match Self::of(other) {
                Self::Text => Some(PlainResult::Text),
                Self::Bytes => Some(PlainResult::Bytes),
                Self::Json => None,
            },
        }
    }
}

/// What is in a type that no JSON can be made of, or made into.
pub(super) fn has_no_json(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Own(_) | Type::Borrow(_) => Some("resource"),
        Type::Future(_) => Some("future"),
        Type::Stream(_) => Some("stream"),
        Type::ErrorContext => Some("error-context"),
        Type::Map(_) => Some("map"),
        other => parts(other).iter().find_map(has_no_json),
    }
}

/// What a type is made of.
fn parts(ty: &Type) -> Vec<Type> {
    match ty {
        Type::List(list) => vec![list.ty()],
        Type::FixedLengthList(list) => vec![list.ty()],
        Type::Record(record) => record.fields().map(|field| field.ty).collect(),
        Type::Tuple(tuple) => tuple.types().collect(),
        Type::Variant(variant) => variant.cases().filter_map(|case| case.ty).collect(),
        Type::Option(option) => vec![option.ty()],
        Type::Result(result) => result.ok().into_iter().chain(result.err()).collect(),
        _ => Vec::new(),
    }
}

/// A type for people, as WIT has it; records and the like by what they are.
pub(super) fn name(ty: &Type) -> String {
    let simple = match ty {
        Type::Bool => "bool",
        Type::S8 => "s8",
        Type::U8 => "u8",
        Type::S16 => "s16",
        Type::U16 => "u16",
        Type::S32 => "s32",
        Type::U32 => "u32",
        Type::S64 => "s64",
        Type::U64 => "u64",
        Type::Float32 => "f32",
        Type::Float64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::Record(record) => {
            let fields: Vec<_> = record.fields().map(|field| field.name).collect();
            return format!("an object with {}", fields.join(", "));
        }
        Type::List(list) => return format!("list<{}>", name(&list.ty())),
        Type::FixedLengthList(list) => {
            return format!("list<{}, {}>", name(&list.ty()), list.len());
        }
        Type::Tuple(tuple) => {
            let types: Vec<_> = tuple.types().map(|ty| name(&ty)).collect();
            return format!("tuple<{}>", types.join(", "));
        }
        Type::Variant(variant) => {
            let cases: Vec<_> = variant.cases().map(|case| case.name).collect();
            return format!("one of {}", cases.join(", "));
        }
        Type::Enum(cases) => {
            return format!("one of {}", cases.names().collect::<Vec<_>>().join(", "));
        }
        Type::Flags(flags) => {
            return format!("some of {}", flags.names().collect::<Vec<_>>().join(", "));
        }
        Type::Option(option) => return format!("option<{}>", name(&option.ty())),
        Type::Result(_) => "an object with ok or err",
        Type::Map(_) => "map",
        Type::Own(_) | Type::Borrow(_) => "resource",
        Type::Future(_) => "future",
        Type::Stream(_) => "stream",
        Type::ErrorContext => "error-context",
    };
    simple.to_owned()
}
