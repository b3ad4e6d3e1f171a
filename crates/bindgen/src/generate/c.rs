//! C11: structures, tables that describe them, and functions for each map.

mod service;

use std::fmt::Write as _;

use super::{Generated, comment, embedded, fixed, form, laid_out, words};
use crate::name::{kebab, shouting, snake};
use crate::schema::{
    Bits, Case, Field, Key, Kind, Map, Record, Rule, Schema, Sign, Stored, Type, TypeId, layout,
};

/// The files of a schema.
pub(super) fn files(schema: &Schema, stem: &str) -> Vec<Generated> {
    let c = C {
        schema,
        stem,
        laid_out: laid_out(schema),
    };
    vec![
        fixed("weir_map.h", include_str!("runtime/weir_map.h")),
        fixed(&format!("{stem}.h"), &c.header()),
    ]
}

struct C<'s> {
    schema: &'s Schema,
    stem: &'s str,
    laid_out: Vec<TypeId>,
}

impl C<'_> {
    fn header(&self) -> String {
        let guard = format!("WEIR_{}_H", self.stem.to_uppercase());
        let mut out = format!(
            "/* Written by `weir bindgen`; do not edit. */\n#ifndef {guard}\n#define {guard}\n\n#include \"weir_map.h\"\n\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n"
        );
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
        out.push_str("\n#ifdef __cplusplus\n}\n#endif\n");
        out.push_str(&embedded::c(self.schema));
        out.push_str("#endif\n");
        out
    }

    fn name(&self, id: TypeId) -> String {
        format!("{}_{}", self.stem, snake(&self.schema.definition(id).name))
    }

    fn ty(&self, ty: Type) -> String {
        match ty {
            Type::Bool => "bool".to_owned(),
            Type::Int(int) => {
                let sign = if int.sign == Sign::Unsigned { "u" } else { "" };
                format!("{sign}int{}_t", int.bits.count())
            }
            Type::F32 => "float".to_owned(),
            Type::F64 => "double".to_owned(),
            Type::Char => "uint32_t".to_owned(),
            Type::String | Type::Bytes => "weir_bytes".to_owned(),
            Type::Named(id) => self.name(id),
        }
    }

    fn definition(&self, out: &mut String, id: TypeId) {
        let definition = self.schema.definition(id);
        let name = self.name(id);
        out.push_str(&comment("", "//", &definition.docs));
        match &definition.kind {
            Kind::Enum(names) | Kind::Flags(names) => {
                let is_flags = matches!(definition.kind, Kind::Flags(_));
                let ty = if is_flags { "uint64_t" } else { "int32_t" };
                let _ = writeln!(out, "typedef {ty} {name};");
                for case in names {
                    let value = if is_flags {
                        format!("(UINT64_C(1) << {})", case.number)
                    } else {
                        format!("({})", case.number)
                    };
                    let _ = writeln!(
                        out,
                        "#define {}_{} {value}",
                        name.to_uppercase(),
                        shouting(&case.name)
                    );
                }
            }
            Kind::Record(record) => self.record(out, id, &name, record),
            Kind::Variant(cases) => self.variant(out, &name, cases),
        }
    }

    fn record(&self, out: &mut String, id: TypeId, name: &str, record: &Record) {
        let is_laid_out = self.laid_out.contains(&id);
        let _ = writeln!(out, "typedef struct {name} {{");
        for field in &record.fields {
            out.push_str(&comment("  ", "//", &field.docs));
            let (ty, member) = (self.ty(field.ty), member(&field.name));
            let _ = match field.rule {
                Rule::Plain => writeln!(out, "  {ty} {member};"),
                Rule::Optional => writeln!(out, "  bool has_{member};\n  {ty} {member};"),
                Rule::Repeated => writeln!(out, "  {ty} *{member};\n  size_t {member}_count;"),
            };
        }
        if !is_laid_out {
            out.push_str("  weir_bytes unknown; // fields that a newer schema has\n");
        }
        let _ = writeln!(out, "}} {name};");
        let unknown = if is_laid_out {
            "WEIR_NONE".to_owned()
        } else {
            format!("offsetof({name}, unknown)")
        };
        let fields: Vec<String> = record
            .fields
            .iter()
            .map(|field| self.field(name, field))
            .collect();
        tables(out, name, &fields, &format!("{unknown}, WEIR_NONE"));
        if is_laid_out {
            self.asserts(out, id, name, record);
        }
    }

    /// A row of a record's table.
    fn field(&self, name: &str, field: &Field) -> String {
        let member = member(&field.name);
        let (rule, has) = match field.rule {
            Rule::Plain => ("WEIR_PLAIN", "0".to_owned()),
            Rule::Optional => ("WEIR_OPTIONAL", format!("offsetof({name}, has_{member})")),
            Rule::Repeated => ("WEIR_REPEATED", format!("offsetof({name}, {member}_count)")),
        };
        let (form, size, of) = self.parts(field.ty);
        format!(
            "{{{}, {form}, {rule}, {size}, offsetof({name}, {member}), {has}, {of}}}",
            field.number
        )
    }

    fn parts(&self, ty: Type) -> (String, String, String) {
        let (form, _) = form(self.schema, ty);
        let form = match form {
            "text" | "bytes" => format!("WEIR_{form}_"),
            other => format!("WEIR_{other}"),
        };
        let of = match ty {
            Type::Named(id) if self.schema.is_message(ty) => format!("&{}_type", self.name(id)),
            _ => "NULL".to_owned(),
        };
        (form, format!("sizeof({})", self.ty(ty)), of)
    }

    fn asserts(&self, out: &mut String, id: TypeId, name: &str, record: &Record) {
        let Ok(laid) = layout(self.schema, id) else {
            return;
        };
        let mut claims = vec![format!("sizeof({name}) == {}", laid.size)];
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            claims.push(format!(
                "offsetof({name}, {}) == {}",
                member(&field.name),
                slot.offset
            ));
        }
        for claim in claims {
            let _ = writeln!(
                out,
                "typedef char {name}_is_laid_out_{}[({claim}) ? 1 : -1];",
                out.len()
            );
        }
    }

    fn variant(&self, out: &mut String, name: &str, cases: &[Case]) {
        let _ = writeln!(
            out,
            "typedef struct {name} {{\n  uint32_t which; // 0: a case that a newer schema has, in `unknown`\n  union {{\n    char none;"
        );
        for case in cases {
            if let Some(ty) = case.ty {
                let _ = writeln!(out, "    {} {};", self.ty(ty), member(&case.name));
            }
        }
        let _ = writeln!(out, "  }} as;\n  weir_bytes unknown;\n}} {name};");
        for case in cases {
            let _ = writeln!(
                out,
                "#define {}_{} {}u",
                name.to_uppercase(),
                shouting(&case.name),
                case.number
            );
        }
        let rows = cases.iter().map(|case| match case.ty {
            Some(ty) => {
                let (form, size, of) = self.parts(ty);
                let member = member(&case.name);
                format!(
                    "{{{}, {form}, WEIR_CASE, {size}, offsetof({name}, as.{member}), 0, {of}}}",
                    case.number
                )
            }
            None => format!(
                "{{{}, WEIR_bool, WEIR_CASE, 0, offsetof({name}, as), 0, NULL}}",
                case.number
            ),
        });
        let rows: Vec<String> = rows.collect();
        tables(
            out,
            name,
            &rows,
            &format!("offsetof({name}, unknown), offsetof({name}, which)"),
        );
    }

    fn map(&self, out: &mut String, map: &Map) {
        let name = format!("{}_map_{}", self.stem, snake(&kebab(&map.name)));
        let upper = name.to_uppercase();
        let _ = writeln!(out, "// The map `{}`.", map.name);
        out.push_str(&comment("", "//", &map.docs));
        let hash = self.schema.hash(map).short();
        let _ = writeln!(
            out,
            "#define {upper}_SCHEMA UINT64_C({hash:#018x})\ntypedef struct {name} {{ uint32_t handle; }} {name};"
        );
        let _ = writeln!(
            out,
            "static inline int {name}_open(int64_t rights, {name} *map) {{ return wasi_map_open((const uint8_t *)\"{}\", {}, rights, &map->handle); }}\nstatic inline int {name}_close({name} map) {{ return wasi_map_close(map.handle); }}",
            map.name,
            map.name.len()
        );
        let (key, to, from) = key(map.key);
        let _ = writeln!(
            out,
            "static inline weir_bytes {name}_key({key} key, uint8_t *room) {{ (void)room; {to} }}\nstatic inline int {name}_from_key(weir_bytes bytes, {key} *key) {{ {from} return 0; }}"
        );
        let (value, encode, decode) = self.stored(map.value);
        let _ = writeln!(
            out,
            "static inline int {name}_decode(weir_bytes bytes, weir_arena *arena, {value} *value) {{ (void)arena; {decode} }}\nstatic inline void {name}_encode(const {value} *value, weir_writer *w) {{ {encode} }}"
        );
        let head = "uint8_t room[8]; weir_bytes bytes = ";
        let _ = writeln!(
            out,
            "static inline int {name}_get({name} map, {key} key, weir_arena *arena, {value} *value, uint64_t *version) {{\n  {head}{name}_key(key, room);\n  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);\n  return error ? error : {name}_decode(bytes, arena, value);\n}}\nstatic inline int {name}_set({name} map, {key} key, const {value} *value) {{\n  {head}{name}_key(key, room);\n  weir_writer w = {{0}};\n  int error;\n  {name}_encode(value, &w);\n  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);\n  free(w.data);\n  return error;\n}}"
        );
        let _ = writeln!(
            out,
            "// WEIR_AGAIN: the entry has another version, which is in `version` then.\nstatic inline int {name}_compare_and_swap({name} map, {key} key, uint64_t expected, const {value} *value, uint64_t *version) {{\n  {head}{name}_key(key, room);\n  weir_writer w = {{0}};\n  int error;\n  {name}_encode(value, &w);\n  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);\n  free(w.data);\n  return error;\n}}\nstatic inline int {name}_delete({name} map, {key} key) {{\n  {head}{name}_key(key, room);\n  return wasi_map_delete(map.handle, bytes.data, bytes.size);\n}}\nstatic inline int {name}_exists({name} map, {key} key, uint32_t *out) {{\n  {head}{name}_key(key, room);\n  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);\n}}"
        );
        if map.value == Stored::Counter {
            let _ = writeln!(
                out,
                "static inline int {name}_increment({name} map, {key} key, int64_t delta, int64_t *value) {{\n  {head}{name}_key(key, room);\n  return wasi_map_increment(map.handle, bytes.data, bytes.size, delta, value);\n}}"
            );
        }
        let _ = writeln!(
            out,
            "static inline weir_scan {name}_scan({name} map, weir_bytes prefix, weir_arena *arena) {{\n  weir_scan scan = {{0}};\n  scan.map = map.handle;\n  scan.prefix = prefix;\n  scan.arena = arena;\n  return scan;\n}}\nstatic inline int {name}_next(weir_scan *scan, {key} *key, {value} *value, uint64_t *version) {{\n  weir_bytes k, v;\n  int error = weir_scan_next(scan, &k, &v, version);\n  if (!error) error = {name}_from_key(k, key);\n  return error ? error : {name}_decode(v, scan->arena, value);\n}}"
        );
    }

    /// The type of a map's values in C, and the bodies that write and read one.
    fn stored(&self, value: Stored) -> (String, String, String) {
        match value {
            Stored::Message(id) => {
                let name = self.name(id);
                let encode = format!("{name}_encode(value, w);");
                let decode = format!("return {name}_decode(bytes, arena, value);");
                (name, encode, decode)
            }
            Stored::Layout(id) => {
                let name = self.name(id);
                let encode = format!(
                    "uint8_t out[sizeof *value]; weir_clean(&{name}_type, value, out); weir_put(w, out, sizeof out);"
                );
                let decode = format!(
                    "if (bytes.size != sizeof *value) return WEIR_LENGTH; if (weir_check(&{name}_type, bytes.data)) return WEIR_RANGE; memcpy(value, bytes.data, sizeof *value); return 0;"
                );
                (name, encode, decode)
            }
            Stored::Bytes => (
                "weir_bytes".to_owned(),
                "weir_put(w, value->data, value->size);".to_owned(),
                "*value = bytes; return 0;".to_owned(),
            ),
            Stored::Text => (
                "weir_bytes".to_owned(),
                "weir_put(w, value->data, value->size);".to_owned(),
                "*value = bytes; return weir_is_utf8(bytes) ? 0 : WEIR_UTF8;".to_owned(),
            ),
            Stored::Counter => (
                "int64_t".to_owned(),
                "weir_put(w, value, 8);".to_owned(),
                "if (bytes.size != 8) return WEIR_LENGTH; memcpy(value, bytes.data, 8); return 0;"
                    .to_owned(),
            ),
        }
    }
}

/// The table of a type, and its functions.
fn tables(out: &mut String, name: &str, fields: &[String], rest: &str) {
    let (table, count) = if fields.is_empty() {
        ("NULL".to_owned(), 0)
    } else {
        let rows = fields.join(",\n  ");
        let _ = writeln!(
            out,
            "static const weir_field {name}_fields[] = {{\n  {rows},\n}};"
        );
        (format!("{name}_fields"), fields.len())
    };
    let _ = writeln!(
        out,
        "static const weir_type {name}_type = {{sizeof({name}), {table}, {count}, {rest}}};"
    );
    let _ = writeln!(
        out,
        "static inline void {name}_init({name} *value) {{ weir_init(&{name}_type, value); }}\nstatic inline int {name}_decode(weir_bytes bytes, weir_arena *arena, {name} *value) {{ return weir_decode(&{name}_type, bytes, arena, value); }}\nstatic inline void {name}_encode(const {name} *value, weir_writer *w) {{ weir_write(&{name}_type, value, w); }}"
    );
}

/// The type of keys in C, and the bodies that write and read one.
fn key(key: Key) -> (String, String, String) {
    match key {
        Key::Bool => ("bool".to_owned(), "return weir_number_key(room, key, 1, false);".to_owned(), "if (bytes.size != 1 || bytes.data[0] > 1) return WEIR_RANGE; *key = bytes.data[0] != 0;".to_owned()),
        Key::Int(bits, sign) => {
            let (size, is_signed) = (bits.bytes(), sign == Sign::Signed);
            let prefix = if is_signed { "" } else { "u" };
            let ty = format!("{prefix}int{}_t", bits.count());
            let to = format!("return weir_number_key(room, (uint64_t){}key, {size}, {is_signed});", if is_signed && bits != Bits::B64 { "(int64_t)" } else { "" });
            let from = format!("if (bytes.size != {size}) return WEIR_LENGTH; *key = ({ty})weir_key_number(bytes.data, {size}, {is_signed});");
            (ty, to, from)
        }
        Key::String => ("weir_bytes".to_owned(), "return key;".to_owned(), "if (!weir_is_utf8(bytes)) return WEIR_UTF8; *key = bytes;".to_owned()),
        Key::Bytes => ("weir_bytes".to_owned(), "return key;".to_owned(), "*key = bytes;".to_owned()),
    }
}

fn member(name: &str) -> String {
    match snake(name).as_str() {
        "unknown" => "unknown_".to_owned(),
        name => words::c(name),
    }
}
