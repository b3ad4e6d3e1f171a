//! Values of components as JSON, by their types.
//!
//! Invariant: what is read must be of the type, to the last field; numbers are exact or refused.

use std::cell::Cell;

use bytes::Bytes;
use serde_json::{Map, Number, Value};
use wasmtime::component::types::{Record, Variant};
use wasmtime::component::{Type, Val};

use weir_model::limits::functions as of;

use super::Answer;
use super::types::{Argument, Form, name};

/// The arguments of a function: one alone is the whole body; several are an object by their names, or
/// an array. Says what is wrong with them otherwise.
pub(super) fn arguments(wanted: &[Argument], body: &[u8]) -> Result<Vec<Val>, String> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let left = Cell::new(of::JSON_VALUES);
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    match (wanted, body) {
        ([only], body) => Ok(vec![read(&only.ty, body, &Path::Root(&only.name, &left))?]),
        (_, Value::Object(mut fields)) => {
            let read = |argument: &Argument| {
                field(
                    &argument.ty,
                    fields.remove(&argument.name),
                    &Path::Root(&argument.name, &left),
                )
            };
            let values = wanted.iter().map(read).collect::<Result<_, _>>()?;
            no_more(&fields, || names(wanted))?;
            Ok(values)
        }
        (_, Value::Array(values)) if values.len() == wanted.len() => wanted
            .iter()
            .zip(values)
            .map(|(argument, value)| read(&argument.ty, value, &Path::Root(&argument.name, &left)))
            .collect(),
        (_, other) => Err(format!(
            "expected an object with {}, or an array of {} values, but found {}",
            names(wanted),
            wanted.len(),
            shown(&other)
        )),
    }
}

/// What a result of this type says.
pub(super) fn answer(ty: Option<&Type>, result: Option<Val>) -> Answer {
    let (ok, err) = match ty {
        Some(Type::Result(result)) => (result.ok(), result.err()),
        ty => (ty.cloned(), None),
    };
    match result {
        None | Some(Val::Result(Ok(None))) => Answer::nothing(),
        Some(Val::Result(Ok(Some(value)))) => Answer::whole(body(ok.as_ref(), *value)),
        Some(Val::Result(Err(value))) => {
            let body = value.map(|value| body(err.as_ref(), *value));
            Answer::refusal(body.unwrap_or_default())
        }
        Some(value) => Answer::whole(body(ok.as_ref(), value)),
    }
}

/// Text and bytes as they are, all else as JSON.
fn body(ty: Option<&Type>, value: Val) -> Bytes {
    let byte = |value: &Val| match value {
        Val::U8(byte) => Some(*byte),
        _ => None,
    };
    match (ty.map(Form::of), value) {
        (Some(Form::Bytes), Val::List(values)) => values.iter().filter_map(byte).collect(),
        (_, Val::String(text)) => text.into(),
        (_, value) => written(value).to_string().into(),
    }
}

/// Where in the arguments a value stands.
pub(super) enum Path<'p> {
    /// With the number of values that may still be made.
    Root(&'p str, &'p Cell<usize>),
    Field(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// Counts values that are about to be made.
    fn count(&self, values: usize) -> Result<(), String> {
        match self {
            Self::Root(_, left) => {
                let rest = left.get().checked_sub(values);
                left.set(rest.ok_or_else(|| {
                    let most = of::JSON_VALUES;
                    format!("more than {most} values, with options that are left out")
                })?);
                Ok(())
            }
            Self::Field(path, _) | Self::Item(path, _) => path.count(values),
        }
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root(name, _) => f.write_str(name),
            Self::Field(path, name) => write!(f, "{path}.{name}"),
            Self::Item(path, index) => write!(f, "{path}[{index}]"),
        }
    }
}

fn names(arguments: &[Argument]) -> String {
    let names: Vec<_> = arguments.iter().map(|argument| &*argument.name).collect();
    names.join(", ")
}

/// A value for people, cut.
fn shown(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST).chain("…".chars()).collect()
}

fn no_more(left: &Map<String, Value>, wanted: impl Fn() -> String) -> Result<(), String> {
    match left.keys().next() {
        None => Ok(()),
        Some(odd) => Err(format!("unknown field {odd:?}, expected {}", wanted())),
    }
}

/// A field that may be left out if it is an option.
fn field(ty: &Type, value: Option<Value>, path: &Path<'_>) -> Result<Val, String> {
    match (ty, value) {
        (ty, Some(value)) => read(ty, value, path),
        (Type::Option(_), None) => Ok(Val::Option(None)),
        (ty, None) => Err(format!("{path}: missing, expected {}", name(ty))),
    }
}

/// A value of a type.
pub(super) fn read(ty: &Type, value: Value, path: &Path<'_>) -> Result<Val, String> {
    let odd = |value: &Value| format!("{path}: expected {}, but found {}", name(ty), shown(value));
    let all = |ty: &Type, values: Vec<Value>| -> Result<Vec<Val>, String> {
        let read = |(index, value)| read(ty, value, &Path::Item(path, index));
        values.into_iter().enumerate().map(read).collect()
    };
    Ok(match (ty, value) {
        (Type::Bool, Value::Bool(value)) => Val::Bool(value),
        (Type::String, Value::String(text)) => Val::String(text),
        (Type::Char, Value::String(text)) => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(only), None) => Val::Char(only),
                (_, _) => return Err(odd(&Value::String(text))),
            }
        }
        (Type::Float32 | Type::Float64, value) => float(ty, &value).ok_or_else(|| odd(&value))?,
        (ty, Value::Number(number)) => integer(ty, &number).ok_or_else(|| odd(&number.into()))?,
        (Type::List(list), Value::Array(values)) => Val::List(all(&list.ty(), values)?),
        (Type::FixedLengthList(list), Value::Array(values))
            if values.len() == list.len() as usize =>
        {
            Val::FixedLengthList(all(&list.ty(), values)?)
        }
        (Type::Tuple(tuple), Value::Array(values)) if values.len() == tuple.types().len() => {
            let read = |(index, (ty, value))| read(&ty, value, &Path::Item(path, index));
            let values = tuple.types().zip(values).enumerate().map(read);
            Val::Tuple(values.collect::<Result<_, _>>()?)
        }
        (Type::Record(record), Value::Object(fields)) => read_record(record, fields, path)?,
        (Type::Variant(variant), value) => read_variant(variant, value, path)?,
        (Type::Enum(cases), Value::String(case)) if cases.names().any(|name| name == case) => {
            Val::Enum(case)
        }
        (Type::Flags(flags), Value::Array(names)) => {
            let known = |value: &Value| {
                let name = value
                    .as_str()
                    .filter(|name| flags.names().any(|known| known == *name));
                name.map(str::to_owned)
            };
            let found = names.iter().map(known).collect::<Option<_>>();
            Val::Flags(found.ok_or_else(|| odd(&Value::Array(names)))?)
        }
        (Type::Option(option), value) => read_option(&option.ty(), value, path)?,
        (Type::Result(result), Value::Object(fields)) if fields.len() == 1 => {
            let mut fields = fields.into_iter();
            let (case, value) = fields.next().unwrap_or_default();
            let read =
                |ty: Option<Type>| payload(ty.as_ref(), value.clone(), &Path::Field(path, &case));
            match &*case {
                "ok" => Val::Result(Ok(read(result.ok())?)),
                "err" => Val::Result(Err(read(result.err())?)),
                _ => return Err(format!("{path}: expected ok or err, but found {case:?}")),
            }
        }
        (_, value) => return Err(odd(&value)),
    })
}

fn integer(ty: &Type, number: &Number) -> Option<Val> {
    let (signed, unsigned) = (number.as_i64(), number.as_u64());
    Some(match ty {
        Type::S8 => Val::S8(signed?.try_into().ok()?),
        Type::S16 => Val::S16(signed?.try_into().ok()?),
        Type::S32 => Val::S32(signed?.try_into().ok()?),
        Type::S64 => Val::S64(signed?),
        Type::U8 => Val::U8(unsigned?.try_into().ok()?),
        Type::U16 => Val::U16(unsigned?.try_into().ok()?),
        Type::U32 => Val::U32(unsigned?.try_into().ok()?),
        Type::U64 => Val::U64(unsigned?),
        _ => return None,
    })
}

/// What JSON has no number for stands as text.
const NOT_A_NUMBER: &str = "NaN";
const INFINITE: &str = "Infinity";
const MINUS_INFINITE: &str = "-Infinity";

fn float(ty: &Type, value: &Value) -> Option<Val> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match &**text {
            NOT_A_NUMBER => f64::NAN,
            INFINITE => f64::INFINITY,
            MINUS_INFINITE => f64::NEG_INFINITY,
            _ => return None,
        },
        _ => return None,
    };
    if *ty == Type::Float64 {
        return Some(Val::Float64(number));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "to the nearest, as readers of JSON do"
    )]
    let near = number as f32;
    (near.is_finite() == number.is_finite()).then_some(Val::Float32(near))
}

fn read_record(
    record: &Record,
    mut fields: Map<String, Value>,
    path: &Path<'_>,
) -> Result<Val, String> {
    path.count(record.fields().len())?;
    let mut values = Vec::with_capacity(record.fields().len());
    for wanted in record.fields() {
        let path = Path::Field(path, wanted.name);
        let value = field(&wanted.ty, fields.remove(wanted.name), &path)?;
        values.push((wanted.name.to_owned(), value));
    }
    let wanted = || name(&Type::Record(record.clone()));
    no_more(&fields, wanted).map_err(|error| format!("{path}: {error}"))?;
    Ok(Val::Record(values))
}

/// A case without a value is its name, one with a value an object with that one field.
fn read_variant(variant: &Variant, value: Value, path: &Path<'_>) -> Result<Val, String> {
    let wanted = || name(&Type::Variant(variant.clone()));
    let (found, value) = match value {
        Value::String(case) => (case, Value::Null),
        Value::Object(fields) if fields.len() == 1 => fields.into_iter().next().unwrap_or_default(),
        other => {
            return Err(format!(
                "{path}: expected {}, but found {}",
                wanted(),
                shown(&other)
            ));
        }
    };
    let case = variant.cases().find(|case| case.name == found);
    let case = case.ok_or_else(|| format!("{path}: expected {}, but found {found:?}", wanted()))?;
    let value = payload(case.ty.as_ref(), value, &Path::Field(path, &found))?;
    Ok(Val::Variant(found.clone(), value))
}

/// What belongs to a case. One that has nothing has `null`.
fn payload(ty: Option<&Type>, value: Value, path: &Path<'_>) -> Result<Option<Box<Val>>, String> {
    match (ty, value) {
        (Some(ty), value) => Ok(Some(Box::new(read(ty, value, path)?))),
        (None, Value::Null) => Ok(None),
        (None, value) => Err(format!(
            "{path}: expected null, but found {}",
            shown(&value)
        )),
    }
}

/// `null` or the value. In an option of an option the inner one stands in an array, or nobody could
/// tell which of them is nothing.
fn read_option(ty: &Type, value: Value, path: &Path<'_>) -> Result<Val, String> {
    let value = match (ty, value) {
        (_, Value::Null) => return Ok(Val::Option(None)),
        (Type::Option(_), Value::Array(mut inner)) if inner.len() == 1 => {
            inner.pop().unwrap_or_default()
        }
        (Type::Option(_), other) => {
            return Err(format!(
                "{path}: expected null or an array of one value, but found {}",
                shown(&other)
            ));
        }
        (_, value) => value,
    };
    Ok(Val::Option(Some(Box::new(read(ty, value, path)?))))
}

/// A value as JSON.
fn written(value: Val) -> Value {
    let all = |values: Vec<Val>| Value::Array(values.into_iter().map(written).collect());
    let payload = |value: Option<Box<Val>>| value.map_or(Value::Null, |value| written(*value));
    let object = |name: &str, value| Value::Object(Map::from_iter([(name.to_owned(), value)]));
    match value {
        Val::Bool(value) => value.into(),
        Val::S8(number) => number.into(),
        Val::U8(number) => number.into(),
        Val::S16(number) => number.into(),
        Val::U16(number) => number.into(),
        Val::S32(number) => number.into(),
        Val::U32(number) => number.into(),
        Val::S64(number) => number.into(),
        Val::U64(number) => number.into(),
        Val::Float32(number) => short(number),
        Val::Float64(number) => of_float(number),
        Val::Char(char) => char.to_string().into(),
        Val::String(text) | Val::Enum(text) => text.into(),
        Val::List(values) | Val::FixedLengthList(values) | Val::Tuple(values) => all(values),
        Val::Record(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name, written(value)));
            Value::Object(fields.collect())
        }
        Val::Variant(case, None) => case.into(),
        Val::Variant(case, value) => object(&case, payload(value)),
        Val::Option(None) => Value::Null,
        Val::Option(Some(value)) => match *value {
            inner @ Val::Option(_) => Value::Array(vec![written(inner)]),
            value => written(value),
        },
        Val::Result(Ok(value)) => object("ok", payload(value)),
        Val::Result(Err(value)) => object("err", payload(value)),
        Val::Flags(names) => names.into(),
        // No function has these: it would not have been loaded.
        Val::Map(_) | Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
            Value::Null
        }
    }
}

/// With as many digits as it has itself, not those that it gets by becoming a double.
fn short(number: f32) -> Value {
    match number.to_string().parse() {
        Ok(near) => of_float(near),
        Err(_) => of_float(number.into()),
    }
}

fn of_float(number: f64) -> Value {
    let text = if number.is_nan() {
        NOT_A_NUMBER
    } else if number > 0.0 {
        INFINITE
    } else {
        MINUS_INFINITE
    };
    Number::from_f64(number).map_or_else(|| text.into(), Value::Number)
}
