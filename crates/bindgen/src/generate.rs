//! Code for guests, from a schema.
//!
//! What is generated needs nothing but itself: types with their bytes, and for each map a class over
//! the functions of `wasi_map_v1`. The same schema gives the same files.

mod assemblyscript;
mod c;
mod cpp;
mod embedded;
mod go;
mod javascript;
mod proto;
mod python;
mod rust;
mod words;

use crate::name;
use crate::schema::{Form, Int, Kind, Rule, Schema, Sign, Stored, Type, TypeId};

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust without its standard library.
    Rust,
    /// C11.
    C,
    /// C++17, also without exceptions.
    Cpp,
    /// Go 1.24 and later.
    Go,
    /// AssemblyScript.
    AssemblyScript,
    /// Python 3.9 and later.
    Python,
    /// JavaScript modules.
    JavaScript,
    /// Protobuf's own.
    Proto,
}

/// A file that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its name in the folder.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// The files of a schema. `stem` is the name of the module or package, such as `users`.
#[must_use]
pub fn generate(schema: &Schema, language: Language, stem: &str) -> Vec<Generated> {
    let stem = module_name(stem);
    match language {
        Language::Rust => rust::files(schema, &stem),
        Language::C => c::files(schema, &stem),
        Language::Cpp => cpp::files(schema, &stem),
        Language::Go => go::files(schema, &stem),
        Language::AssemblyScript => assemblyscript::files(schema, &stem),
        Language::Python => python::files(schema, &stem),
        Language::JavaScript => javascript::files(schema, &stem),
        Language::Proto => proto::files(schema, &stem),
    }
}

/// A name that every language takes for a module and every system for a file.
fn module_name(stem: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name = name::snake(&name::kebab(&stem.chars().map(plain).collect::<String>()));
    if name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name
    } else {
        format!("maps_{name}").trim_end_matches('_').to_owned()
    }
}

/// A file of the runtime, as it is.
fn fixed(name: &str, text: &str) -> Generated {
    Generated {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

/// What the functions of every runtime are called that read and write a type, and how its field ends.
fn form(schema: &Schema, ty: Type) -> (&'static str, u32) {
    match ty {
        Type::Bool => ("bool", 0),
        Type::F32 => ("f32", 5),
        Type::F64 => ("f64", 1),
        Type::Char => ("char", 0),
        Type::String => ("text", 2),
        Type::Bytes => ("bytes", 2),
        Type::Int(int) => integer(int),
        Type::Named(id) => match schema.definition(id).kind {
            Kind::Enum(_) => ("i32", 0),
            Kind::Flags(_) => ("u64", 0),
            Kind::Record(_) | Kind::Variant(_) => ("message", 2),
        },
    }
}

fn integer(int: Int) -> (&'static str, u32) {
    match (int.form, int.sign, int.bits.count()) {
        (Form::Fixed, Sign::Unsigned, 64) => ("fixed64", 1),
        (Form::Fixed, Sign::Signed, 64) => ("sfixed64", 1),
        (Form::Fixed, Sign::Unsigned, _) => ("fixed32", 5),
        (Form::Fixed, Sign::Signed, _) => ("sfixed32", 5),
        (Form::ZigZag, _, 8) => ("s8", 0),
        (Form::ZigZag, _, 16) => ("s16", 0),
        (Form::ZigZag, _, 32) => ("s32", 0),
        (Form::ZigZag, ..) => ("s64", 0),
        (Form::Varint, Sign::Unsigned, 8) => ("u8", 0),
        (Form::Varint, Sign::Unsigned, 16) => ("u16", 0),
        (Form::Varint, Sign::Unsigned, 32) => ("u32", 0),
        (Form::Varint, Sign::Unsigned, _) => ("u64", 0),
        (Form::Varint, Sign::Signed, 64) => ("i64", 0),
        (Form::Varint, Sign::Signed, _) => ("i32", 0),
    }
}

/// The integer that a language calls by its size: `u8`, `i32` and the like.
fn plain_integer(int: Int) -> String {
    let sign = match int.sign {
        Sign::Signed => 'i',
        Sign::Unsigned => 'u',
    };
    format!("{sign}{}", int.bits.count())
}

/// The records that some map stores as C lays them out, and those in them: they hold nothing but
/// their fields.
fn laid_out(schema: &Schema) -> Vec<TypeId> {
    let mut reached = std::collections::BTreeSet::new();
    for map in &schema.maps {
        if let Stored::Layout(id) = map.value {
            schema.reach(id, &mut reached);
        }
    }
    let is_record = |id: &TypeId| matches!(schema.definition(*id).kind, Kind::Record(_));
    reached.into_iter().filter(is_record).collect()
}

/// Whether a field is stored in one piece.
fn is_packed(schema: &Schema, rule: Rule, ty: Type) -> bool {
    rule == Rule::Repeated && schema.is_packed(ty)
}

/// What a service's functions are asked for by.
fn route(service: &crate::schema::Service, method: &crate::schema::Method) -> String {
    format!("/{}/{}", service.full_name, method.source_name)
}

/// A comment's lines behind a mark.
fn comment(indent: &str, mark: &str, docs: &str) -> String {
    let lines = docs
        .lines()
        .map(|line| format!("{indent}{mark} {line}").trim_end().to_owned() + "\n");
    lines.collect()
}
