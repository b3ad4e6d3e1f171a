//! C++17: structures that say their fields to what reads and writes them, and classes for maps.

use std::fmt::Write as _;

use super::{Generated, comment, embedded, fixed, form, laid_out, plain_integer, route, words};
use crate::name::{kebab, pascal, snake};
use crate::schema::{
    Case, Field, Key, Kind, Map, Name, Record, Rule, Schema, Service, Sign, Stored, Type, TypeId,
    layout,
};

/// The files of a schema.
pub(super) fn files(schema: &Schema, stem: &str) -> Vec<Generated> {
    let cpp = Cpp {
        schema,
        laid_out: laid_out(schema),
    };
    vec![
        fixed("weir_codec.hpp", include_str!("runtime/weir_codec.hpp")),
        fixed("weir_map.hpp", include_str!("runtime/weir_map.hpp")),
        fixed(&format!("{stem}.hpp"), &cpp.header(stem)),
    ]
}

struct Cpp<'s> {
    schema: &'s Schema,
    laid_out: Vec<TypeId>,
}

impl Cpp<'_> {
    fn header(&self, stem: &str) -> String {
        let guard = format!("WEIR_{}_HPP", stem.to_uppercase());
        let namespace = words::cpp(stem);
        let mut out = format!(
            "// Written by `weir bindgen`; do not edit.\n#ifndef {guard}\n#define {guard}\n\n#include \"weir_map.hpp\"\n\nnamespace {namespace} {{\n"
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
        let _ = writeln!(out, "\n}}  // namespace {namespace}");
        out.push_str(&embedded::c(self.schema));
        out.push_str("#endif\n");
        out
    }

    fn name(&self, id: TypeId) -> String {
        words::cpp(&pascal(&self.schema.definition(id).name))
    }

    fn ty(&self, ty: Type) -> String {
        match ty {
            Type::Bool => "bool".to_owned(),
            Type::Int(int) => format!("{}_t", cpp_integer(&plain_integer(int))),
            Type::F32 => "float".to_owned(),
            Type::F64 => "double".to_owned(),
            Type::Char => "char32_t".to_owned(),
            Type::String | Type::Bytes => "std::string".to_owned(),
            Type::Named(id) => self.name(id),
        }
    }

    /// What reads and writes a type.
    fn form(&self, ty: Type) -> String {
        let (form, _) = form(self.schema, ty);
        match (ty, form) {
            (Type::Named(id), "message") => format!("weir::Message<{}>", self.name(id)),
            (Type::Named(id), _) => format!("weir::Named<{}>", self.name(id)),
            (_, "bool") => "weir::Boolean".to_owned(),
            (_, "char") => "weir::Char".to_owned(),
            (_, "text") => "weir::Text".to_owned(),
            (_, "bytes") => "weir::Bytes".to_owned(),
            (Type::F32 | Type::F64, _) => format!("weir::Fixed<{}>", self.ty(ty)),
            (_, form) if form.contains("fixed") => format!("weir::Fixed<{}>", self.ty(ty)),
            (_, form) if form.starts_with('s') => format!("weir::ZigZag<{}>", self.ty(ty)),
            _ => format!("weir::Varint<{}>", self.ty(ty)),
        }
    }

    fn definition(&self, out: &mut String, id: TypeId) {
        let definition = self.schema.definition(id);
        let name = self.name(id);
        out.push_str(&comment("", "//", &definition.docs));
        match &definition.kind {
            Kind::Enum(names) => numbers(out, &name, "std::int32_t", names),
            Kind::Flags(names) => numbers(out, &name, "std::uint64_t", names),
            Kind::Record(record) => self.record(out, id, &name, record),
            Kind::Variant(cases) => self.variant(out, &name, cases),
        }
    }

    fn record(&self, out: &mut String, id: TypeId, name: &str, record: &Record) {
        let is_laid_out = self.laid_out.contains(&id);
        let _ = writeln!(out, "struct {name} {{");
        for field in &record.fields {
            out.push_str(&comment("  ", "//", &field.docs));
            let (ty, member) = (self.ty(field.ty), member(&field.name));
            let _ = match field.rule {
                Rule::Plain => writeln!(out, "  {ty} {member}{{}};"),
                Rule::Optional => writeln!(out, "  std::optional<{ty}> {member};"),
                Rule::Repeated => writeln!(out, "  std::vector<{ty}> {member};"),
            };
        }
        let mut equal: Vec<String> = record
            .fields
            .iter()
            .map(|field| member(&field.name))
            .collect();
        if !is_laid_out {
            out.push_str("  std::string unknown;  // fields that a newer schema has\n");
            equal.push("unknown".to_owned());
        }
        let _ = writeln!(
            out,
            "\n  static constexpr bool is_variant = false, has_unknown = {};",
            !is_laid_out
        );
        self.visit(out, &record.fields);
        if is_laid_out {
            self.lay(out, id, record);
        }
        functions(out, name, &equal);
        if is_laid_out {
            self.asserts(out, id, name, record);
        }
    }

    fn visit(&self, out: &mut String, fields: &[Field]) {
        out.push_str("  template <class Self, class Visitor>\n  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {\n");
        for field in fields {
            let _ = writeln!(
                out,
                "    visitor.template field<{}>({}, self.{});",
                self.form(field.ty),
                field.number,
                member(&field.name)
            );
        }
        out.push_str("  }\n");
    }

    fn lay(&self, out: &mut String, id: TypeId, record: &Record) {
        let Ok(laid) = layout(self.schema, id) else {
            return;
        };
        let _ = writeln!(
            out,
            "\n  static constexpr std::size_t c_size = {};\n  template <class Self, class Visitor>\n  static void lay(Self &self, Visitor &visitor) {{",
            laid.size
        );
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            let _ = writeln!(
                out,
                "    visitor.at({}, self.{});",
                slot.offset,
                member(&field.name)
            );
        }
        out.push_str("  }\n");
    }

    fn asserts(&self, out: &mut String, id: TypeId, name: &str, record: &Record) {
        let Ok(laid) = layout(self.schema, id) else {
            return;
        };
        let _ = writeln!(out, "static_assert(sizeof({name}) == {});", laid.size);
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            let _ = writeln!(
                out,
                "static_assert(offsetof({name}, {}) == {});",
                member(&field.name),
                slot.offset
            );
        }
    }

    fn variant(&self, out: &mut String, name: &str, cases: &[Case]) {
        let _ = writeln!(
            out,
            "struct {name} {{\n  enum Case : std::size_t {{\n    kUnknown,  // a case that a newer schema has"
        );
        for case in cases {
            out.push_str(&comment("    ", "//", &case.docs));
            let _ = writeln!(out, "    {},", case_name(case));
        }
        let types = cases.iter().fold(String::new(), |mut types, case| {
            let ty = case.ty.map_or("weir::Unit".to_owned(), |ty| self.ty(ty));
            let _ = write!(types, ", {ty}");
            types
        });
        let first = usize::from(!cases.is_empty());
        let _ = writeln!(
            out,
            "  }};\n  std::variant<weir::Unknown{types}> held{{std::in_place_index<{first}>}};\n\n  Case which() const {{ return static_cast<Case>(held.index()); }}\n  // The value of a case, if that is it.\n  template <Case which>\n  const auto *get() const {{ return std::get_if<static_cast<std::size_t>(which)>(&held); }}\n  template <Case which, class... Value>\n  auto &set(Value &&...value) {{ return held.template emplace<static_cast<std::size_t>(which)>(std::forward<Value>(value)...); }}\n\n  static constexpr bool is_variant = true, has_unknown = false;\n  template <class Self, class Visitor>\n  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {{"
        );
        for (at, case) in cases.iter().enumerate() {
            let form = case
                .ty
                .map_or("weir::Nothing".to_owned(), |ty| self.form(ty));
            let _ = writeln!(
                out,
                "    visitor.template one<{}, {form}>({}, self.held);",
                at + 1,
                case.number
            );
        }
        out.push_str("  }\n");
        functions(out, name, &["held".to_owned()]);
    }

    fn map(&self, out: &mut String, map: &Map) {
        let name = format!("{}Map", pascal(&kebab(&map.name)));
        let key = match map.key {
            Key::Bool => "weir::BoolKey".to_owned(),
            Key::Int(bits, sign) => {
                let sign = if sign == Sign::Signed { "" } else { "u" };
                format!("weir::IntKey<std::{sign}int{}_t>", bits.count())
            }
            Key::String => "weir::TextKey".to_owned(),
            Key::Bytes => "weir::BytesKey".to_owned(),
        };
        let (value, encode, decode) = match map.value {
            Stored::Message(id) => (
                self.name(id),
                "weir::encode(value)",
                "weir::decode(bytes, value)",
            ),
            Stored::Layout(id) => (
                self.name(id),
                "weir::to_c(value)",
                "weir::from_c(bytes, value)",
            ),
            Stored::Bytes => (
                "std::string".to_owned(),
                "value",
                "weir::Error{(value = bytes, 0)}",
            ),
            Stored::Text => (
                "std::string".to_owned(),
                "value",
                "weir::Error{weir::is_utf8(value = bytes) ? 0 : weir::kUtf8}",
            ),
            Stored::Counter => (
                "std::int64_t".to_owned(),
                "std::string(reinterpret_cast<const char *>(&value), sizeof value)",
                "bytes.size() == 8 ? (std::memcpy(&value, bytes.data(), 8), weir::Error{}) : weir::Error{weir::kLength}",
            ),
        };
        let hash = self.schema.hash(map).short();
        let _ = writeln!(
            out,
            "struct {name}Declared {{\n  using Key = {key};\n  using Value = {value};\n  static constexpr std::string_view name = \"{}\";\n  static constexpr std::uint64_t schema = {hash:#018x};\n  static std::string encode(const Value &value) {{ return {encode}; }}\n  static weir::Error decode(std::string_view bytes, Value &value) {{ return {decode}; }}\n}};",
            map.name
        );
        out.push_str(&comment("", "//", &map.docs));
        let _ = writeln!(out, "using {name} = weir::Map<{name}Declared>;");
    }

    fn service(&self, out: &mut String, service: &Service) {
        let name = words::cpp(&pascal(&service.name));
        out.push_str(&comment("", "//", &service.docs));
        let _ = writeln!(out, "struct {name} {{\n  virtual ~{name}() = default;");
        for method in &service.methods {
            out.push_str(&comment("  ", "//", &method.docs));
            let _ = writeln!(
                out,
                "  virtual weir::Result<{}> {}(const {} &request) = 0;",
                self.name(method.output),
                function(&method.name),
                self.name(method.input)
            );
        }
        out.push_str("\n  // Calls the function of a path with bytes; the error 44: there is none.\n  weir::Result<std::string> dispatch(std::string_view path, std::string_view request) {\n");
        for method in &service.methods {
            let _ = writeln!(
                out,
                "    if (path == \"{}\") return weir::serve<{}>(request, [this](const auto &value) {{ return {}(value); }});",
                route(service, method),
                self.name(method.input),
                function(&method.name)
            );
        }
        let _ = writeln!(
            out,
            "    return {{{{}}, {{weir::errors::no_entry}}}};\n  }}\n}};\n\n// Calls the functions by way of bytes: call(path, request) gives a weir::Result<std::string>.\ntemplate <class Call>\nstruct {name}Client final : {name} {{\n  explicit {name}Client(Call call) : call(std::move(call)) {{}}\n  Call call;"
        );
        for method in &service.methods {
            let output = self.name(method.output);
            let _ = writeln!(
                out,
                "  weir::Result<{output}> {}(const {} &request) override {{ return weir::ask<{output}>(call, \"{}\", request); }}",
                function(&method.name),
                self.name(method.input),
                route(service, method)
            );
        }
        out.push_str("};\n");
    }
}

/// What every message can do.
fn functions(out: &mut String, name: &str, members: &[String]) {
    let equal: Vec<String> = members
        .iter()
        .map(|member| format!("a.{member} == b.{member}"))
        .collect();
    let _ = writeln!(
        out,
        "  // Reads a value; what was here is gone.\n  weir::Error decode(std::string_view bytes) {{ return weir::decode(bytes, *this); }}\n  std::string encode() const {{ return weir::encode(*this); }}\n  friend bool operator==(const {name} &a, const {name} &b) {{ return {}; }}\n  friend bool operator!=(const {name} &a, const {name} &b) {{ return !(a == b); }}\n}};",
        equal.join(" && ")
    );
}

/// An enum or flags: its type holds numbers without a name too.
fn numbers(out: &mut String, name: &str, number: &str, names: &[Name]) {
    let _ = writeln!(out, "enum class {name} : {number} {{");
    for case in names {
        out.push_str(&comment("  ", "//", &case.docs));
        let value = match number {
            "std::uint64_t" => format!("std::uint64_t{{1}} << {}", case.number),
            _ => case.number.to_string(),
        };
        let _ = writeln!(out, "  {} = {value},", words::cpp(&pascal(&case.name)));
    }
    out.push_str("};\n");
    if number == "std::uint64_t" {
        for operator in ['|', '&'] {
            let _ = writeln!(
                out,
                "constexpr {name} operator{operator}({name} a, {name} b) {{ return static_cast<{name}>(static_cast<std::uint64_t>(a) {operator} static_cast<std::uint64_t>(b)); }}"
            );
        }
    }
}

/// `std::int32` of `i32`.
fn cpp_integer(plain: &str) -> String {
    let bits = &plain[1..];
    let sign = if plain.starts_with('u') { "u" } else { "" };
    format!("std::{sign}int{bits}")
}

fn member(name: &str) -> String {
    match snake(name).as_str() {
        name @ ("unknown" | "encode" | "decode" | "visit" | "lay" | "is_variant"
        | "has_unknown" | "c_size") => format!("{name}_"),
        name => words::cpp(name),
    }
}

fn function(name: &str) -> String {
    match snake(name).as_str() {
        name @ ("dispatch" | "call") => format!("{name}_"),
        name => words::cpp(name),
    }
}

fn case_name(case: &Case) -> String {
    match pascal(&case.name).as_str() {
        "Unknown" => "kUnknown_".to_owned(),
        name => format!("k{name}"),
    }
}
