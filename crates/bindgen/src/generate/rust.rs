//! Rust, for guests without the standard library too.

mod layout;
mod map;
mod service;

use std::fmt::Write as _;

use super::{
    Generated, comment, embedded, fixed, form, is_packed, laid_out, plain_integer, route, words,
};
use crate::name::{pascal, shouting, snake};
use crate::schema::{Case, Definition, Field, Kind, Name, Record, Rule, Schema, Type, TypeId};

const HEAD: &str = "// Written by `weir bindgen`; do not edit.\n#![allow(dead_code, unused_imports, unused_mut, unused_variables, missing_docs, clippy::all, clippy::pedantic)]\n\nextern crate alloc;\n\nuse self::alloc::string::String;\nuse self::alloc::vec::Vec;\nuse super::weir_map::{Declared, DecodeError, Fault, Map, Message, Reader, Writer};\n";

/// The files of a schema.
pub(super) fn files(schema: &Schema, stem: &str) -> Vec<Generated> {
    let module = words::rust(stem);
    let modules = format!(
        "// Written by `weir bindgen`; do not edit.\npub mod {module};\npub mod weir_map;\n"
    );
    vec![
        fixed("mod.rs", &modules),
        fixed("weir_map.rs", include_str!("runtime/weir_map.rs")),
        fixed(&format!("{stem}.rs"), &source(schema)),
    ]
}

fn source(schema: &Schema) -> String {
    let rust = Rust {
        schema,
        laid_out: laid_out(schema),
    };
    let mut out = HEAD.to_owned();
    for (at, definition) in schema.types.iter().enumerate() {
        out.push('\n');
        rust.definition(&mut out, TypeId(at), definition);
    }
    for map in &schema.maps {
        out.push('\n');
        rust.map(&mut out, map);
    }
    for service in &schema.services {
        out.push('\n');
        rust.service(&mut out, service);
    }
    out.push_str(&embedded::rust(schema));
    out
}

struct Rust<'s> {
    schema: &'s Schema,
    laid_out: Vec<TypeId>,
}

impl Rust<'_> {
    fn ty(&self, ty: Type) -> String {
        match ty {
            Type::Bool => "bool".to_owned(),
            Type::Int(int) => plain_integer(int),
            Type::F32 => "f32".to_owned(),
            Type::F64 => "f64".to_owned(),
            Type::Char => "char".to_owned(),
            Type::String => "String".to_owned(),
            Type::Bytes => "Vec<u8>".to_owned(),
            Type::Named(id) => self.name(id),
        }
    }

    fn name(&self, id: TypeId) -> String {
        words::rust(&pascal(&self.schema.definition(id).name))
    }

    fn field_type(&self, field: &Field) -> String {
        let ty = self.ty(field.ty);
        match field.rule {
            Rule::Plain => ty,
            Rule::Optional => format!("Option<{ty}>"),
            Rule::Repeated => format!("Vec<{ty}>"),
        }
    }

    fn definition(&self, out: &mut String, id: TypeId, definition: &Definition) {
        out.push_str(&comment("", "///", &definition.docs));
        let name = self.name(id);
        match &definition.kind {
            Kind::Enum(names) => numbers(out, &name, "i32", names),
            Kind::Flags(names) => numbers(out, &name, "u64", names),
            Kind::Record(record) => {
                self.record(out, &name, record, self.laid_out.contains(&id));
                if self.laid_out.contains(&id) {
                    out.push('\n');
                    self.layout(out, &name, record, id);
                }
            }
            Kind::Variant(cases) => self.variant(out, &name, cases),
        }
    }

    fn record(&self, out: &mut String, name: &str, record: &Record, is_laid_out: bool) {
        if is_laid_out {
            out.push_str("#[repr(C)]\n");
        }
        let derives = "#[derive(Clone, Debug, Default, PartialEq)]\npub struct";
        let _ = writeln!(out, "{derives} {name} {{");
        for field in &record.fields {
            out.push_str(&comment("    ", "///", &field.docs));
            let _ = writeln!(
                out,
                "    pub {}: {},",
                member(field),
                self.field_type(field)
            );
        }
        if !is_laid_out {
            out.push_str("    /// Fields that a newer schema has.\n    pub unknown: Vec<u8>,\n");
        }
        let _ = writeln!(out, "}}\n\nimpl Message for {name} {{");
        out.push_str("    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {\n");
        out.push_str(
            "        while let Some((number, kind)) = r.next()? {\n            match number {\n",
        );
        for field in &record.fields {
            let _ = writeln!(
                out,
                "                {} => {}",
                field.number,
                self.read(field)
            );
        }
        let rest = if is_laid_out {
            "r.skip(kind)?"
        } else {
            "r.keep(kind, &mut self.unknown)?"
        };
        let _ = writeln!(out, "                _ => {rest},");
        out.push_str("            }\n        }\n        Ok(())\n    }\n\n    fn write(&self, w: &mut Writer) {\n");
        for field in &record.fields {
            out.push_str(&self.write(field));
        }
        if !is_laid_out {
            out.push_str("        w.out.extend_from_slice(&self.unknown);\n");
        }
        out.push_str("    }\n}\n");
    }

    /// An expression that reads a value.
    fn value(&self, ty: Type) -> String {
        let (suffix, _) = form(self.schema, ty);
        match ty {
            Type::Named(id) if !self.schema.is_message(ty) => {
                format!("{}(r.{suffix}()?)", self.name(id))
            }
            _ => format!("r.{suffix}()?"),
        }
    }

    /// A statement that writes the value of a reference.
    fn put(&self, ty: Type, value: &str) -> String {
        let (suffix, _) = form(self.schema, ty);
        match ty {
            Type::Named(_) if !self.schema.is_message(ty) => format!("w.{suffix}(&{value}.0)"),
            _ => format!("w.{suffix}({value})"),
        }
    }

    fn read(&self, field: &Field) -> String {
        let name = member(field);
        let (_, kind) = form(self.schema, field.ty);
        let value = self.value(field.ty);
        let is_record = self.is_record(field.ty);
        if is_packed(self.schema, field.rule, field.ty) {
            return format!(
                "{{\n                    if kind == 2 {{\n                        let mut packed = Reader::new(r.slice()?);\n                        let r = &mut packed;\n                        while !r.is_at_end() {{\n                            self.{name}.push({value});\n                        }}\n                    }} else {{\n                        r.expect(kind, {kind})?;\n                        self.{name}.push({value});\n                    }}\n                }}"
            );
        }
        let statement = match field.rule {
            Rule::Plain if is_record => format!("self.{name}.merge(&mut Reader::new(r.slice()?))?"),
            Rule::Plain => format!("self.{name} = {value}"),
            Rule::Optional if is_record => format!(
                "self.{name}.get_or_insert_with(Default::default).merge(&mut Reader::new(r.slice()?))?"
            ),
            Rule::Optional => format!("self.{name} = Some({value})"),
            Rule::Repeated => format!("self.{name}.push({value})"),
        };
        format!(
            "{{\n                    r.expect(kind, {kind})?;\n                    {statement};\n                }}"
        )
    }

    fn is_record(&self, ty: Type) -> bool {
        match ty {
            Type::Named(id) => matches!(self.schema.definition(id).kind, Kind::Record(_)),
            _ => false,
        }
    }

    fn write(&self, field: &Field) -> String {
        let name = member(field);
        let number = field.number;
        let (_, kind) = form(self.schema, field.ty);
        let reference = format!("&self.{name}");
        if is_packed(self.schema, field.rule, field.ty) {
            let put = self.put(field.ty, "value");
            return format!(
                "        if !self.{name}.is_empty() {{\n            w.tag({number}, 2);\n            w.piece(|w| {{\n                for value in {reference} {{\n                    {put};\n                }}\n            }});\n        }}\n"
            );
        }
        let put = self.put(field.ty, "value");
        match field.rule {
            Rule::Plain if self.is_record(field.ty) => {
                format!("        w.filled({number}, {reference});\n")
            }
            Rule::Plain => {
                let put = match field.ty {
                    Type::Named(_) if !self.schema.is_message(field.ty) => {
                        self.put(field.ty, &format!("self.{name}"))
                    }
                    ty => self.put(ty, &reference),
                };
                match self.condition(field.ty, &format!("self.{name}")) {
                    Some(condition) => format!(
                        "        if {condition} {{\n            w.tag({number}, {kind});\n            {put};\n        }}\n"
                    ),
                    None => format!("        w.tag({number}, {kind});\n        {put};\n"),
                }
            }
            Rule::Optional => format!(
                "        if let Some(value) = {reference} {{\n            w.tag({number}, {kind});\n            {put};\n        }}\n"
            ),
            Rule::Repeated => format!(
                "        for value in {reference} {{\n            w.tag({number}, {kind});\n            {put};\n        }}\n"
            ),
        }
    }

    /// Whether a field needs to be written, if that depends on its value.
    fn condition(&self, ty: Type, value: &str) -> Option<String> {
        Some(match ty {
            Type::Bool => value.to_owned(),
            Type::Int(_) => format!("{value} != 0"),
            Type::F32 | Type::F64 => format!("{value}.to_bits() != 0"),
            Type::Char => format!("{value} != '\\0'"),
            Type::String | Type::Bytes => format!("!{value}.is_empty()"),
            Type::Named(_) if self.schema.is_message(ty) => return None,
            Type::Named(_) => format!("{value}.0 != 0"),
        })
    }

    fn variant(&self, out: &mut String, name: &str, cases: &[Case]) {
        let _ = writeln!(
            out,
            "#[derive(Clone, Debug, PartialEq)]\npub enum {name} {{"
        );
        for case in cases {
            out.push_str(&comment("    ", "///", &case.docs));
            let carried = case
                .ty
                .map(|ty| format!("({})", self.ty(ty)))
                .unwrap_or_default();
            let _ = writeln!(out, "    {}{carried},", case_name(case));
        }
        out.push_str("    /// A case that a newer schema has.\n    Unknown_(Vec<u8>),\n}\n\n");
        let first = match cases.first() {
            Some(case) if case.ty.is_some() => format!("{}(Default::default())", case_name(case)),
            Some(case) => case_name(case),
            None => "Unknown_(Vec::new())".to_owned(),
        };
        let _ = writeln!(
            out,
            "impl Default for {name} {{\n    fn default() -> Self {{\n        Self::{first}\n    }}\n}}\n"
        );
        let _ = writeln!(
            out,
            "impl Message for {name} {{\n    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {{\n        let mut found = None;\n        while let Some((number, kind)) = r.next()? {{\n            match number {{"
        );
        for case in cases {
            let (case_name, number) = (case_name(case), case.number);
            let (_, kind) = case.ty.map_or(("bool", 0), |ty| form(self.schema, ty));
            let read = match case.ty {
                Some(ty) => format!("found = Some(Self::{case_name}({}));", self.value(ty)),
                None => format!("r.bool()?;\n                    found = Some(Self::{case_name});"),
            };
            let _ = writeln!(
                out,
                "                {number} => {{\n                    r.expect(kind, {kind})?;\n                    {read}\n                }}"
            );
        }
        out.push_str("                _ => r.skip(kind)?,\n            }\n        }\n        *self = found.unwrap_or_else(|| Self::Unknown_(r.all().to_vec()));\n        Ok(())\n    }\n\n    fn write(&self, w: &mut Writer) {\n        match self {\n");
        for case in cases {
            let (case_name, number) = (case_name(case), case.number);
            let (_, kind) = case.ty.map_or(("bool", 0), |ty| form(self.schema, ty));
            let (pattern, put) = match case.ty {
                Some(ty) => ("(value)", self.put(ty, "value")),
                None => ("", "w.bool(&true)".to_owned()),
            };
            let _ = writeln!(
                out,
                "            Self::{case_name}{pattern} => {{\n                w.tag({number}, {kind});\n                {put};\n            }}"
            );
        }
        out.push_str("            Self::Unknown_(bytes) => w.out.extend_from_slice(bytes),\n        }\n    }\n}\n");
    }
}

/// An enum or flags: a number with names, so that unknown ones are kept.
fn numbers(out: &mut String, name: &str, number: &str, names: &[Name]) {
    let _ = writeln!(
        out,
        "#[repr(transparent)]\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub struct {name}(pub {number});\n\nimpl {name} {{"
    );
    for case in names {
        out.push_str(&comment("    ", "///", &case.docs));
        let value = match number {
            "u64" => format!("1 << {}", case.number),
            _ => case.number.to_string(),
        };
        let _ = writeln!(
            out,
            "    pub const {}: Self = Self({value});",
            words::rust(&shouting(&case.name))
        );
    }
    out.push_str("}\n");
    if number == "u64" {
        let _ = writeln!(
            out,
            "\nimpl core::ops::BitOr for {name} {{\n    type Output = Self;\n\n    fn bitor(self, other: Self) -> Self {{\n        Self(self.0 | other.0)\n    }}\n}}"
        );
    }
}

fn member(field: &Field) -> String {
    match snake(&field.name).as_str() {
        "unknown" => "unknown_".to_owned(),
        name => words::rust(name),
    }
}

fn case_name(case: &Case) -> String {
    words::rust(&pascal(&case.name))
}
