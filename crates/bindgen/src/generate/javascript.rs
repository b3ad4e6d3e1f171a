//! JavaScript modules: classes with tables, for components and for programs beside the gateway.

use std::fmt::Write as _;

use super::python::key;
use super::{Generated, comment, fixed, form, route, words};
use crate::name::{camel, kebab, pascal, shouting};
use crate::schema::{Kind, Map, Rule, Schema, Service, Sign, Stored, Type, TypeId, layout};

/// The files of a schema.
pub(super) fn files(schema: &Schema, stem: &str) -> Vec<Generated> {
    let mut out = "// Written by `weir bindgen`; do not edit.\nimport { Counters, DecodeError, Field, Message, TypedMap, Variant, layOut, pickUp, textCodec } from \"./weir_map.mjs\";\n".to_owned();
    for id in (0..schema.types.len()).map(TypeId) {
        definition(&mut out, schema, id);
    }
    for declared in &schema.maps {
        map(&mut out, schema, declared);
    }
    for declared in &schema.services {
        service(&mut out, schema, declared);
    }
    vec![
        fixed("weir_map.mjs", include_str!("runtime/weir_map.mjs")),
        fixed(&format!("{stem}.mjs"), &out),
    ]
}

fn name(schema: &Schema, id: TypeId) -> String {
    words::script(&pascal(&schema.definition(id).name))
}

fn row(schema: &Schema, number: u32, field: &str, rule: &str, ty: Type) -> String {
    let (form, _) = form(schema, ty);
    let of = match ty {
        Type::Named(id) => format!(", {}", name(schema, id)),
        _ => String::new(),
    };
    format!("    new Field({number}, \"{field}\", \"{rule}\", \"{form}\"{of}),\n")
}

fn member(name: &str) -> String {
    match camel(name).as_str() {
        "unknown" | "encode" | "merge" | "constructor" => format!("{}_", camel(name)),
        name => name.to_owned(),
    }
}

fn definition(out: &mut String, schema: &Schema, id: TypeId) {
    let definition = schema.definition(id);
    let class = name(schema, id);
    let _ = write!(out, "\n{}", comment("", "//", &definition.docs));
    match &definition.kind {
        Kind::Enum(names) | Kind::Flags(names) => {
            let is_flags = matches!(definition.kind, Kind::Flags(_));
            let _ = writeln!(out, "export const {class} = Object.freeze({{");
            for case in names {
                out.push_str(&comment("  ", "//", &case.docs));
                let value = if is_flags {
                    format!("1n << {}n", case.number)
                } else {
                    case.number.to_string()
                };
                let _ = writeln!(out, "  {}: {value},", shouting(&case.name));
            }
            out.push_str("});\n");
        }
        Kind::Record(record) => {
            let _ = writeln!(
                out,
                "export class {class} extends Message {{\n  static FIELDS = ["
            );
            for field in &record.fields {
                let rule = match field.rule {
                    Rule::Plain => "plain",
                    Rule::Optional => "optional",
                    Rule::Repeated => "repeated",
                };
                out.push_str(&comment("    ", "//", &field.docs));
                out.push_str(&row(
                    schema,
                    field.number,
                    &member(&field.name),
                    rule,
                    field.ty,
                ));
            }
            out.push_str("  ];\n}\n");
        }
        Kind::Variant(cases) => {
            let _ = writeln!(
                out,
                "export class {class} extends Variant {{\n  static CASES = ["
            );
            for case in cases {
                let rule = if case.ty.is_some() { "plain" } else { "unit" };
                out.push_str(&comment("    ", "//", &case.docs));
                out.push_str(&row(
                    schema,
                    case.number,
                    &member(&case.name),
                    rule,
                    case.ty.unwrap_or(Type::Bool),
                ));
            }
            out.push_str("  ];\n}\n");
        }
    }
}

fn map(out: &mut String, schema: &Schema, map: &Map) {
    let class = format!("{}Map", pascal(&kebab(&map.name)));
    let base = if map.value == Stored::Counter {
        "Counters"
    } else {
        "TypedMap"
    };
    let hash = schema.hash(map).short();
    let _ = write!(
        out,
        "\n{}export class {class} extends {base} {{\n  static NAME = \"{}\";\n  static SCHEMA = {hash:#018x}n;\n  static KEY = \"{}\";\n",
        comment("", "//", &map.docs),
        map.name,
        key(map.key)
    );
    let parts = match map.value {
        Stored::Message(id) => Some((
            "value.encode()".to_owned(),
            format!("{}.decode(bytes)", name(schema, id)),
        )),
        Stored::Bytes => Some(("value".to_owned(), "bytes".to_owned())),
        Stored::Text => Some((
            "textCodec.encode(value)".to_owned(),
            "textCodec.decode(bytes)".to_owned(),
        )),
        Stored::Counter => None,
        Stored::Layout(id) => {
            let _ = writeln!(out, "  static LAYOUT = {};", laid(schema, id));
            Some((
                format!("layOut({class}.LAYOUT.size, {class}.LAYOUT.members, value)"),
                format!(
                    "pickUp({class}.LAYOUT.type, {class}.LAYOUT.size, {class}.LAYOUT.members, bytes)"
                ),
            ))
        }
    };
    if let Some((encode, decode)) = parts {
        let _ = write!(
            out,
            "  encode(value) {{\n    return {encode};\n  }}\n  decode(bytes) {{\n    return {decode};\n  }}\n"
        );
    }
    out.push_str("}\n");
}

/// The table of a record's layout: name, offset, what a `DataView` calls it, the record inside, what
/// it becomes.
fn laid(schema: &Schema, id: TypeId) -> String {
    let (Kind::Record(record), Ok(laid)) = (&schema.definition(id).kind, layout(schema, id)) else {
        return "{}".to_owned();
    };
    let mut rows = Vec::new();
    for (field, slot) in record.fields.iter().zip(&laid.slots) {
        let (method, rest) = match field.ty {
            Type::Named(inner) if schema.is_message(field.ty) => {
                (String::new(), self::laid(schema, inner))
            }
            Type::Named(inner) => match schema.definition(inner).kind {
                Kind::Flags(_) => ("BigUint64".to_owned(), "null".to_owned()),
                _ => ("Int32".to_owned(), "null".to_owned()),
            },
            Type::Bool => (
                "Uint8".to_owned(),
                "null, (value) => value !== 0".to_owned(),
            ),
            Type::F32 => ("Float32".to_owned(), "null".to_owned()),
            Type::F64 => ("Float64".to_owned(), "null".to_owned()),
            Type::Char => (
                "Uint32".to_owned(),
                "null, (value) => String.fromCodePoint(value)".to_owned(),
            ),
            Type::Int(int) => {
                let big = if int.bits.count() == 64 { "Big" } else { "" };
                let sign = if int.sign == Sign::Signed {
                    "Int"
                } else {
                    "Uint"
                };
                (
                    format!("{big}{sign}{}", int.bits.count()),
                    "null".to_owned(),
                )
            }
            Type::String | Type::Bytes => continue,
        };
        rows.push(format!(
            "[\"{}\", {}, \"{method}\", {rest}]",
            member(&field.name),
            slot.offset
        ));
    }
    format!(
        "{{ type: {}, size: {}, members: [{}] }}",
        name(schema, id),
        laid.size,
        rows.join(", ")
    )
}

fn service(out: &mut String, schema: &Schema, service: &Service) {
    let class = pascal(&service.name);
    let _ = write!(
        out,
        "\n{}export class {class} {{\n",
        comment("", "//", &service.docs)
    );
    for method in &service.methods {
        let _ = write!(
            out,
            "{}  {}(request) {{\n    throw new Error(\"{} is not there\");\n  }}\n",
            comment("  ", "//", &method.docs),
            words::script(&camel(&method.name)),
            method.source_name
        );
    }
    out.push_str("  /** Calls the function of a path with bytes; undefined: there is none. */\n  dispatch(path, request) {\n    switch (path) {\n");
    for method in &service.methods {
        let _ = writeln!(
            out,
            "      case \"{}\":\n        return this.{}({}.decode(request)).encode();",
            route(service, method),
            words::script(&camel(&method.name)),
            name(schema, method.input)
        );
    }
    let _ = write!(
        out,
        "      default:\n        return undefined;\n    }}\n  }}\n}}\n\n/** Calls the functions by way of bytes: `call(path, request)`. */\nexport class {class}Client extends {class} {{\n  constructor(call) {{\n    super();\n    this.call = call;\n  }}\n"
    );
    for method in &service.methods {
        let _ = writeln!(
            out,
            "  {}(request) {{\n    return {}.decode(this.call(\"{}\", request.encode()));\n  }}",
            words::script(&camel(&method.name)),
            name(schema, method.output),
            route(service, method)
        );
    }
    out.push_str("}\n");
}
