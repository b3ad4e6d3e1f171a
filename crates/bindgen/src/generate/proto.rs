//! Protobuf's own language: what other programs read the values with.

use std::fmt::Write as _;

use super::{Generated, comment, fixed};
use crate::name::{pascal, shouting, snake};
use crate::schema::{
    Case, Definition, Form, Int, Kind, Map, Name, Record, Rule, Schema, Service, Sign, Stored, Type,
};

/// The file of a schema.
pub(super) fn files(schema: &Schema, stem: &str) -> Vec<Generated> {
    let mut out = format!(
        "// Written by `weir bindgen`; do not edit.\nsyntax = \"proto3\";\n\npackage {stem};\n"
    );
    for map in &schema.maps {
        self::map(&mut out, schema, map);
    }
    for definition in &schema.types {
        self::definition(&mut out, schema, definition);
    }
    for service in &schema.services {
        self::service(&mut out, schema, service);
    }
    vec![fixed(&format!("{stem}.proto"), &out)]
}

/// A map is a comment: the language has no word for it.
fn map(out: &mut String, schema: &Schema, map: &Map) {
    let value = match map.value {
        Stored::Message(id) => pascal(&schema.definition(id).name),
        Stored::Layout(id) => {
            format!("{}, laid out as in C", pascal(&schema.definition(id).name))
        }
        Stored::Bytes => "bytes as they are".to_owned(),
        Stored::Text => "text as it is".to_owned(),
        Stored::Counter => "a counter of eight bytes, little-endian".to_owned(),
    };
    let _ = writeln!(out, "// Map `{}`: {} to {value}.", map.name, map.key.text());
}

fn definition(out: &mut String, schema: &Schema, definition: &Definition) {
    let _ = write!(out, "\n{}", comment("", "//", &definition.docs));
    match &definition.kind {
        Kind::Record(record) => self::record(out, schema, &definition.name, record),
        Kind::Variant(cases) => variant(out, schema, &definition.name, cases),
        Kind::Enum(names) => enumeration(out, &definition.name, names),
        Kind::Flags(names) => {
            let _ = writeln!(out, "// Flags `{}`, kept in a uint64:", definition.name);
            for flag in names {
                let _ = writeln!(out, "// bit {}: {}", flag.number, flag.name);
            }
        }
    }
}

fn record(out: &mut String, schema: &Schema, name: &str, record: &Record) {
    let _ = writeln!(out, "message {} {{", pascal(name));
    for field in &record.fields {
        let rule = match field.rule {
            Rule::Plain => "",
            Rule::Optional => "optional ",
            Rule::Repeated => "repeated ",
        };
        out.push_str(&comment("  ", "//", &field.docs));
        let (ty, name) = (ty(schema, field.ty), snake(&field.name));
        let _ = writeln!(out, "  {rule}{ty} {name} = {};", field.number);
    }
    out.push_str("}\n");
}

fn variant(out: &mut String, schema: &Schema, name: &str, cases: &[Case]) {
    let _ = writeln!(out, "message {} {{\n  oneof value {{", pascal(name));
    for case in cases {
        out.push_str(&comment("    ", "//", &case.docs));
        let ty = case
            .ty
            .map_or_else(|| "bool".to_owned(), |of| ty(schema, of));
        let _ = writeln!(out, "    {ty} {} = {};", snake(&case.name), case.number);
    }
    out.push_str("  }\n}\n");
}

fn enumeration(out: &mut String, name: &str, names: &[Name]) {
    let _ = writeln!(out, "enum {} {{", pascal(name));
    let mut names: Vec<_> = names.iter().collect();
    // The first is the default and has to be 0.
    names.sort_by_key(|case| case.number != 0);
    for case in names {
        out.push_str(&comment("  ", "//", &case.docs));
        let (prefix, short) = (shouting(name), shouting(&case.name));
        let _ = writeln!(out, "  {prefix}_{short} = {};", case.number);
    }
    out.push_str("}\n");
}

fn service(out: &mut String, schema: &Schema, service: &Service) {
    let _ = write!(out, "\n{}", comment("", "//", &service.docs));
    let _ = writeln!(out, "service {} {{", pascal(&service.name));
    for method in &service.methods {
        out.push_str(&comment("  ", "//", &method.docs));
        let [input, output] =
            [method.input, method.output].map(|id| pascal(&schema.definition(id).name));
        let name = &method.source_name;
        let _ = writeln!(out, "  rpc {name} ({input}) returns ({output});");
    }
    out.push_str("}\n");
}

fn ty(schema: &Schema, ty: Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Int(int) => integer(int),
        Type::F32 => "float".to_owned(),
        Type::F64 => "double".to_owned(),
        Type::Char => "uint32".to_owned(),
        Type::String => "string".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Named(id) => match schema.definition(id).kind {
            Kind::Flags(_) => "uint64".to_owned(),
            Kind::Record(_) | Kind::Variant(_) | Kind::Enum(_) => {
                pascal(&schema.definition(id).name)
            }
        },
    }
}

fn integer(int: Int) -> String {
    let bits = int.bits.count().max(32);
    let name = match (int.form, int.sign) {
        (Form::Fixed, Sign::Unsigned) => "fixed",
        (Form::Fixed, Sign::Signed) => "sfixed",
        (Form::ZigZag, _) => "sint",
        (Form::Varint, Sign::Unsigned) => "uint",
        (Form::Varint, Sign::Signed) => "int",
    };
    format!("{name}{bits}")
}
