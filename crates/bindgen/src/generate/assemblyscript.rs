//! AssemblyScript: classes for types and maps.

mod record;

use std::fmt::Write as _;

use super::{Generated, comment, fixed, form, laid_out, plain_integer, route, words};
use crate::name::{camel, kebab, pascal, shouting};
use crate::schema::{
    Case, Key, Kind, Map, Name, Record, Rule, Schema, Service, Sign, Stored, Type, TypeId, layout,
};

/// The files of a schema.
pub(super) fn files(schema: &Schema, stem: &str) -> Vec<Generated> {
    let script = Script {
        schema,
        laid_out: laid_out(schema),
    };
    vec![
        fixed("weir_codec.ts", include_str!("runtime/weir_codec.ts")),
        fixed("weir_map.ts", include_str!("runtime/weir_map.ts")),
        fixed(&format!("{stem}.ts"), &script.source()),
    ]
}

struct Script<'s> {
    schema: &'s Schema,
    laid_out: Vec<TypeId>,
}

impl Script<'_> {
    fn source(&self) -> String {
        let mut out = "// Written by `weir bindgen`; do not edit.\nimport * as codec from \"./weir_codec\";\nimport * as weir from \"./weir_map\";\n".to_owned();
        for id in (0..self.schema.types.len()).map(TypeId) {
            out.push('\n');
            self.definition(&mut out, id);
        }
        for map in &self.schema.maps {
            out.push('\n');
            self.map(&mut out, map);
        }
        for service in &self.schema.services {
            out.push('\n');
            self.service(&mut out, service);
        }
        out
    }

    fn name(&self, id: TypeId) -> String {
        words::assembly(&pascal(&self.schema.definition(id).name))
    }

    fn ty(&self, ty: Type) -> String {
        match ty {
            Type::Bool => "bool".to_owned(),
            Type::Int(int) => plain_integer(int),
            Type::F32 => "f32".to_owned(),
            Type::F64 => "f64".to_owned(),
            Type::Char => "u32".to_owned(),
            Type::String => "string".to_owned(),
            Type::Bytes => "Uint8Array".to_owned(),
            Type::Named(id) => match self.schema.definition(id).kind {
                Kind::Flags(_) => "u64".to_owned(),
                _ => self.name(id),
            },
        }
    }

    /// What the runtime's functions for a type are called.
    fn form(&self, ty: Type) -> (&'static str, u32) {
        match form(self.schema, ty) {
            ("bytes", kind) => ("data", kind),
            other => other,
        }
    }

    /// The value that a type has if nothing is said.
    fn default(&self, ty: Type) -> String {
        match ty {
            Type::Bool => "false".to_owned(),
            Type::String => "\"\"".to_owned(),
            Type::Bytes => "new Uint8Array(0)".to_owned(),
            Type::Named(id) => match self.schema.definition(id).kind {
                Kind::Enum(_) => format!("<{}>0", self.name(id)),
                Kind::Flags(_) => "0".to_owned(),
                _ => format!("new {}()", self.name(id)),
            },
            Type::Int(_) | Type::F32 | Type::F64 | Type::Char => "0".to_owned(),
        }
    }

    fn definition(&self, out: &mut String, id: TypeId) {
        let definition = self.schema.definition(id);
        let name = self.name(id);
        out.push_str(&comment("", "//", &definition.docs));
        match &definition.kind {
            Kind::Enum(names) => numbers(out, &format!("enum {name}"), "", names),
            Kind::Flags(names) => numbers(out, &format!("namespace {name}"), "u64", names),
            Kind::Record(record) => self.record(out, id, &name, record),
            Kind::Variant(cases) => self.variant(out, &name, cases),
        }
    }

    fn map(&self, out: &mut String, map: &Map) {
        let name = format!("{}Map", words::assembly(&pascal(&kebab(&map.name))));
        let (key, to, from) = key(map.key);
        let value = match map.value {
            Stored::Message(id) | Stored::Layout(id) => self.name(id),
            Stored::Bytes => "Uint8Array".to_owned(),
            Stored::Text => "string".to_owned(),
            Stored::Counter => "i64".to_owned(),
        };
        let base = match map.value {
            Stored::Counter => format!("Counters<{key}>"),
            _ => format!("TypedMap<{key}, {value}>"),
        };
        let hash = self.schema.hash(map).short();
        out.push_str(&comment("", "//", &map.docs));
        let _ = writeln!(
            out,
            "export class {name} extends weir.{base} {{\n  static NAME: string = \"{source}\";\n  static SCHEMA: u64 = {hash:#018x};\n\n  /** Opens the map of this use of the module that has the declaration's name. */\n  open(rights: u64): i32 {{\n    return this.openAs(\"{source}\", rights);\n  }}\n\n  keyToBytes(key: {key}): Uint8Array {{\n    {to}\n  }}\n\n  keyFromBytes(bytes: Uint8Array): codec.Decoded<{key}> {{\n    {from}\n  }}",
            source = map.name
        );
        let forms = match map.value {
            Stored::Message(_) => Some(("value.encode()", format!("codec.decode<{value}>(bytes)"))),
            Stored::Layout(_) => Some(("value.toC()", format!("{value}.fromC(bytes)"))),
            Stored::Bytes => Some((
                "value",
                "new codec.Decoded<Uint8Array>(bytes, codec.Fault.NONE, 0)".to_owned(),
            )),
            Stored::Text => Some(("codec.utf8(value)", "weir.fromText(bytes)".to_owned())),
            Stored::Counter => None,
        };
        if let Some((encode, decode)) = forms {
            let _ = writeln!(
                out,
                "\n  encode(value: {value}): Uint8Array {{\n    return {encode};\n  }}\n\n  decode(bytes: Uint8Array): codec.Decoded<{value}> {{\n    return {decode};\n  }}"
            );
        }
        out.push_str("}\n");
    }

    fn service(&self, out: &mut String, service: &Service) {
        let name = words::assembly(&pascal(&service.name));
        out.push_str(&comment("", "//", &service.docs));
        let _ = writeln!(
            out,
            "// Functions give null if they fail.\nexport abstract class {name} {{"
        );
        for method in &service.methods {
            out.push_str(&comment("  ", "//", &method.docs));
            let _ = writeln!(
                out,
                "  abstract {}(request: {}): {} | null;",
                function(&method.name),
                self.name(method.input),
                self.name(method.output)
            );
        }
        out.push_str("\n  /** Calls the function of a path with bytes; null: there is none, or it failed. */\n  dispatch(path: string, request: Uint8Array): Uint8Array | null {\n");
        for method in &service.methods {
            let _ = writeln!(
                out,
                "    if (path == \"{}\") {{\n      const input = codec.decode<{}>(request);\n      const output = input.ok ? this.{}(input.value) : null;\n      return output ? output.encode() : null;\n    }}",
                route(service, method),
                self.name(method.input),
                function(&method.name)
            );
        }
        let _ = writeln!(
            out,
            "    return null;\n  }}\n}}\n\n/** Calls the functions by way of bytes. */\nexport class {name}Client extends {name} {{\n  constructor(public by: (path: string, request: Uint8Array) => Uint8Array | null) {{\n    super();\n  }}"
        );
        for method in &service.methods {
            let output = self.name(method.output);
            let _ = writeln!(
                out,
                "\n  {}(request: {}): {output} | null {{\n    const bytes = this.by(\"{}\", request.encode());\n    if (!bytes) return null;\n    const answer = codec.decode<{output}>(bytes);\n    return answer.ok ? answer.value : null;\n  }}",
                function(&method.name),
                self.name(method.input),
                route(service, method)
            );
        }
        out.push_str("}\n");
    }
}

/// The type of keys, and the bodies that write and read one.
fn key(key: Key) -> (String, String, String) {
    let number = |ty: String, size: usize, is_signed: bool| {
        let to = format!("return weir.numberKey(<u64>key, {size}, {is_signed});");
        let from = format!(
            "const key = weir.fromNumberKey(bytes, {size}, {is_signed});\n    return new codec.Decoded<{ty}>(<{ty}>key.value, key.fault, 0);"
        );
        (ty, to, from)
    };
    match key {
        Key::Bool => (
            "bool".to_owned(),
            "return weir.numberKey(<u64>key, 1, false);".to_owned(),
            "const key = weir.fromNumberKey(bytes, 1, false);\n    const fault = key.ok && key.value > 1 ? codec.Fault.RANGE : key.fault;\n    return new codec.Decoded<bool>(key.value != 0, fault, 0);".to_owned(),
        ),
        Key::Int(bits, sign) => {
            let letter = if sign == Sign::Signed { 'i' } else { 'u' };
            number(
                format!("{letter}{}", bits.count()),
                bits.bytes(),
                sign == Sign::Signed,
            )
        }
        Key::String => (
            "string".to_owned(),
            "return codec.utf8(key);".to_owned(),
            "return weir.fromText(bytes);".to_owned(),
        ),
        Key::Bytes => (
            "Uint8Array".to_owned(),
            "return key;".to_owned(),
            "return new codec.Decoded<Uint8Array>(bytes, codec.Fault.NONE, 0);".to_owned(),
        ),
    }
}

/// An enum or flags: numbers, so that unknown ones are kept.
fn numbers(out: &mut String, head: &str, ty: &str, names: &[Name]) {
    let _ = writeln!(out, "export {head} {{");
    for case in names {
        out.push_str(&comment("  ", "//", &case.docs));
        let name = words::script(&shouting(&case.name));
        let _ = if ty.is_empty() {
            writeln!(out, "  {name} = {},", case.number)
        } else {
            writeln!(
                out,
                "  export const {name}: {ty} = (<{ty}>1) << {};",
                case.number
            )
        };
    }
    out.push_str("}\n");
}

fn member(name: &str) -> String {
    match camel(name).as_str() {
        name @ ("unknown" | "encode" | "merge" | "write" | "toC" | "fromC" | "which") => {
            format!("{name}_")
        }
        name => words::script(name),
    }
}

fn function(name: &str) -> String {
    match camel(name).as_str() {
        name @ ("dispatch" | "by") => format!("{name}_"),
        name => words::script(name),
    }
}
