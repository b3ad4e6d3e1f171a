//! Python: classes with tables, for components and for programs beside the gateway.

use std::fmt::Write as _;

use super::{Generated, fixed, form, route, words};
use crate::name::{kebab, pascal, shouting, snake};
use crate::schema::{
    Bits, Int, Key, Kind, Map, Rule, Schema, Service, Sign, Stored, Type, TypeId, layout,
};

/// The files of a schema.
pub(super) fn files(schema: &Schema, stem: &str) -> Vec<Generated> {
    let mut out = "# Written by `weir bindgen`; do not edit.\nimport struct\n\nfrom weir_map import Counters, DecodeError, Field, IntEnum, IntFlag, Map, Message, Variant\n".to_owned();
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
        fixed("weir_map.py", include_str!("runtime/weir_map.py")),
        fixed(&format!("{stem}.py"), &out),
    ]
}

fn name(schema: &Schema, id: TypeId) -> String {
    words::python(&pascal(&schema.definition(id).name))
}

fn said(indent: &str, docs: &str) -> String {
    super::comment(indent, "#", docs)
}

fn row(schema: &Schema, number: u32, field: &str, rule: &str, ty: Type) -> String {
    let (form, _) = form(schema, ty);
    let of = match ty {
        Type::Named(id) => format!(", {}", name(schema, id)),
        _ => String::new(),
    };
    format!("        Field({number}, \"{field}\", \"{rule}\", \"{form}\"{of}),\n")
}

fn definition(out: &mut String, schema: &Schema, id: TypeId) {
    let definition = schema.definition(id);
    let class = name(schema, id);
    let _ = write!(out, "\n\n{}", said("", &definition.docs));
    match &definition.kind {
        Kind::Enum(names) | Kind::Flags(names) => {
            let is_flags = matches!(definition.kind, Kind::Flags(_));
            let base = if is_flags { "IntFlag" } else { "IntEnum" };
            let _ = writeln!(out, "class {class}({base}):");
            for case in names {
                let shift = if is_flags { "1 << " } else { "" };
                let _ = writeln!(
                    out,
                    "    {} = {shift}{}",
                    words::python(&shouting(&case.name)),
                    case.number
                );
            }
            if names.is_empty() {
                out.push_str("    pass\n");
            }
        }
        Kind::Record(record) => {
            let _ = writeln!(out, "class {class}(Message):\n    FIELDS = (");
            for field in &record.fields {
                let rule = match field.rule {
                    Rule::Plain => "plain",
                    Rule::Optional => "optional",
                    Rule::Repeated => "repeated",
                };
                out.push_str(&said("        ", &field.docs));
                out.push_str(&row(
                    schema,
                    field.number,
                    &member(&field.name),
                    rule,
                    field.ty,
                ));
            }
            out.push_str("    )\n");
        }
        Kind::Variant(cases) => {
            let _ = writeln!(out, "class {class}(Variant):\n    CASES = (");
            for case in cases {
                let rule = if case.ty.is_some() { "plain" } else { "unit" };
                out.push_str(&said("        ", &case.docs));
                out.push_str(&row(
                    schema,
                    case.number,
                    &member(&case.name),
                    rule,
                    case.ty.unwrap_or(Type::Bool),
                ));
            }
            out.push_str("    )\n");
        }
    }
}

fn member(name: &str) -> String {
    match snake(name).as_str() {
        "unknown" | "encode" | "decode" => format!("{}_", snake(name)),
        name => words::python(name),
    }
}

/// What the runtimes of scripts call a type of keys.
pub(super) fn key(key: Key) -> String {
    match key {
        Key::Bool => "bool".to_owned(),
        Key::Int(..) => key.text().replace('s', "i"),
        Key::String => "text".to_owned(),
        Key::Bytes => "bytes".to_owned(),
    }
}

fn map(out: &mut String, schema: &Schema, map: &Map) {
    let class = format!("{}Map", pascal(&kebab(&map.name)));
    let base = if map.value == Stored::Counter {
        "Counters"
    } else {
        "Map"
    };
    let hash = schema.hash(map).short();
    let _ = write!(
        out,
        "\n\n{}class {class}({base}):\n    NAME = \"{}\"\n    SCHEMA = {hash:#018x}\n    KEY = \"{}\"\n",
        said("", &map.docs),
        map.name,
        key(map.key)
    );
    let (encode, decode) = match map.value {
        Stored::Message(id) => (
            "value.encode()".to_owned(),
            format!("{}.decode(data)", name(schema, id)),
        ),
        Stored::Bytes => ("bytes(value)".to_owned(), "bytes(data)".to_owned()),
        Stored::Text => (
            "value.encode()".to_owned(),
            "bytes(data).decode()".to_owned(),
        ),
        Stored::Counter => return,
        Stored::Layout(id) => {
            let mut laid = LaidOut::default();
            laid.record(schema, id, "value");
            let LaidOut {
                formats, unpacked, ..
            } = &laid;
            let _ = writeln!(out, "    LAYOUT = struct.Struct(\"<{formats}\")");
            (
                format!("self.LAYOUT.pack({})", laid.packed.join(", ")),
                format!(
                    "self.unpack(data)\n\n    def unpack(self, data):\n        if len(data) != self.LAYOUT.size:\n            raise DecodeError(\"C's layout has another length\")\n        p = self.LAYOUT.unpack(data)\n        return {unpacked}"
                ),
            )
        }
    };
    let _ = write!(
        out,
        "\n    def encode(self, value):\n        return {encode}\n\n    def decode(self, data):\n        return {decode}\n"
    );
}

/// A record's layout in the words of `struct`.
#[derive(Default)]
struct LaidOut {
    /// The format. The padding is written out, since a layout in a layout has some of its own.
    formats: String,
    /// The values in order.
    packed: Vec<String>,
    /// How they become a record.
    unpacked: String,
}

impl LaidOut {
    /// Appends a record that is found under a path.
    fn record(&mut self, schema: &Schema, id: TypeId, path: &str) {
        let (Kind::Record(record), Ok(laid)) = (&schema.definition(id).kind, layout(schema, id))
        else {
            return;
        };
        let mut at = 0;
        let _ = write!(self.unpacked, "{}(", name(schema, id));
        for (index, (field, slot)) in record.fields.iter().zip(&laid.slots).enumerate() {
            self.pad(slot.offset - at);
            at = slot.offset + slot.size;
            let member = member(&field.name);
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(self.unpacked, "{comma}{member}=");
            self.field(schema, field.ty, format!("{path}.{member}"));
        }
        self.pad(laid.size - at);
        self.unpacked.push(')');
    }

    fn pad(&mut self, bytes: usize) {
        if bytes > 0 {
            let _ = write!(self.formats, "{bytes}x");
        }
    }

    fn field(&mut self, schema: &Schema, ty: Type, path: String) {
        let code = match ty {
            Type::Named(inner) => match schema.definition(inner).kind {
                Kind::Flags(_) => 'Q',
                Kind::Enum(_) => 'i',
                Kind::Record(_) | Kind::Variant(_) => return self.record(schema, inner, &path),
            },
            Type::Bool => '?',
            Type::F32 => 'f',
            Type::F64 => 'd',
            Type::Char => 'I',
            Type::Int(int) => integer(int),
            // What has no size is in no layout.
            Type::String | Type::Bytes => return,
        };
        self.formats.push(code);
        let index = self.packed.len();
        let (to, from) = match ty {
            Type::Char => (format!("ord({path})"), format!("chr(p[{index}])")),
            _ => (path, format!("p[{index}]")),
        };
        self.packed.push(to);
        self.unpacked.push_str(&from);
    }
}

const fn integer(int: Int) -> char {
    let code = match int.bits {
        Bits::B8 => 'b',
        Bits::B16 => 'h',
        Bits::B32 => 'i',
        Bits::B64 => 'q',
    };
    match int.sign {
        Sign::Signed => code,
        Sign::Unsigned => code.to_ascii_uppercase(),
    }
}

fn service(out: &mut String, schema: &Schema, service: &Service) {
    let class = pascal(&service.name);
    let _ = write!(out, "\n\n{}class {class}:\n", said("", &service.docs));
    for method in &service.methods {
        let _ = write!(
            out,
            "{}    def {}(self, request):\n        raise NotImplementedError\n\n",
            said("    ", &method.docs),
            words::python(&snake(&method.name))
        );
    }
    out.push_str("    def dispatch(self, path, request):\n        \"\"\"Calls the function of a path with bytes; `KeyError`: there is none.\"\"\"\n        decode, call = {\n");
    for method in &service.methods {
        let _ = writeln!(
            out,
            "            \"{}\": ({}.decode, self.{}),",
            route(service, method),
            name(schema, method.input),
            words::python(&snake(&method.name))
        );
    }
    out.push_str("        }[path]\n        return call(decode(request)).encode()\n");
    let _ = write!(
        out,
        "\n\nclass {class}Client({class}):\n    \"\"\"Calls the functions by way of bytes: `call(path, request)`.\"\"\"\n\n    def __init__(self, call):\n        self.call = call\n"
    );
    for method in &service.methods {
        let _ = write!(
            out,
            "\n    def {}(self, request):\n        return {}.decode(self.call(\"{}\", request.encode()))\n",
            words::python(&snake(&method.name)),
            name(schema, method.output),
            route(service, method)
        );
    }
}
