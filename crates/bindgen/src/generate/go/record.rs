//! Records and variants.

use std::fmt::Write as _;

use super::{Case, Go, Rule, Type, TypeId, case_name, comment, layout, member};
use crate::schema::{Field, Kind, Record, Slot};

impl Go<'_> {
    pub(super) fn record(&self, out: &mut String, name: &str, record: &Record, is_laid_out: bool) {
        let _ = writeln!(out, "type {name} struct {{");
        for field in &record.fields {
            out.push_str(&comment("\t", "//", &field.docs));
            let ty = self.ty(field.ty);
            let rule = match field.rule {
                Rule::Plain => "",
                Rule::Optional => "*",
                Rule::Repeated => "[]",
            };
            let _ = writeln!(out, "\t{} {rule}{ty}", member(&field.name));
        }
        if !is_laid_out {
            out.push_str("\tUnknown []byte // fields that a newer schema has\n");
        }
        out.push_str("}\n\n");
        functions(out, name);
        let _ = writeln!(
            out,
            "func (v *{name}) merge(r *weirReader) {{\n\tfor number, kind, ok := r.next(); ok; number, kind, ok = r.next() {{\n\t\tswitch number {{"
        );
        for field in &record.fields {
            let _ = writeln!(out, "\t\tcase {}:\n{}", field.number, self.read(field));
        }
        let rest = if is_laid_out {
            "r.skip(kind)"
        } else {
            "r.keep(kind, &v.Unknown)"
        };
        let _ = writeln!(
            out,
            "\t\tdefault:\n\t\t\t{rest}\n\t\t}}\n\t}}\n}}\n\nfunc (v *{name}) write(w *weirWriter) {{"
        );
        for field in &record.fields {
            out.push_str(&self.write(field));
        }
        if !is_laid_out {
            out.push_str("\tw.out = append(w.out, v.Unknown...)\n");
        }
        out.push_str("}\n");
    }

    /// An expression that reads a value that is no message.
    fn value(&self, ty: Type) -> String {
        let (form, _) = self.form(ty);
        match ty {
            Type::Named(id) => format!("{}(r.{form}())", self.name(id)),
            _ => format!("r.{form}()"),
        }
    }

    /// A statement that writes a value.
    fn put(&self, ty: Type, value: &str) -> String {
        let (form, _) = self.form(ty);
        match (ty, form) {
            (Type::Named(_), "message") => format!("w.message(&{value})"),
            (Type::Named(_), "i32") => format!("w.i32(int32({value}))"),
            (Type::Named(_), _) => format!("w.u64(uint64({value}))"),
            _ => format!("w.{form}({value})"),
        }
    }

    /// A function that reads a value of a list.
    fn reader(&self, ty: Type) -> String {
        let (form, _) = self.form(ty);
        match ty {
            Type::Named(_) if self.schema.is_message(ty) => {
                let name = self.ty(ty);
                format!("func(r *weirReader) (item {name}) {{ r.message(&item); return }}")
            }
            Type::Named(_) => format!(
                "func(r *weirReader) {} {{ return {} }}",
                self.ty(ty),
                self.value(ty)
            ),
            _ => format!("(*weirReader).{form}"),
        }
    }

    fn read(&self, field: &Field) -> String {
        let name = member(&field.name);
        let (_, kind) = self.form(field.ty);
        let is_message = self.schema.is_message(field.ty);
        let ty = self.ty(field.ty);
        let statement = match field.rule {
            Rule::Repeated => {
                let read = self.reader(field.ty);
                return format!("\t\t\tweirRepeat(r, kind, {kind}, {read}, &v.{name})");
            }
            Rule::Plain if is_message => format!("r.message(&v.{name})"),
            Rule::Plain => format!("v.{name} = {}", self.value(field.ty)),
            Rule::Optional if is_message => format!(
                "if v.{name} == nil {{\n\t\t\t\t\tv.{name} = new({ty})\n\t\t\t\t}}\n\t\t\t\tr.message(v.{name})"
            ),
            Rule::Optional => {
                format!(
                    "value := {}\n\t\t\t\tv.{name} = &value",
                    self.value(field.ty)
                )
            }
        };
        format!("\t\t\tif r.is(kind, {kind}) {{\n\t\t\t\t{statement}\n\t\t\t}}")
    }

    fn write(&self, field: &Field) -> String {
        let member = format!("v.{}", member(&field.name));
        let number = field.number;
        let (form, kind) = self.form(field.ty);
        let tag = format!("w.tag({number}, {kind})");
        match field.rule {
            Rule::Repeated if super::super::is_packed(self.schema, field.rule, field.ty) => {
                let write = match field.ty {
                    Type::Named(_) => format!(
                        "func(w *weirWriter, value {}) {{ {} }}",
                        self.ty(field.ty),
                        self.put(field.ty, "value")
                    ),
                    _ => format!("(*weirWriter).{form}"),
                };
                format!("\tweirPacked(w, {number}, {member}, {write})\n")
            }
            Rule::Repeated => {
                let put = self.put(field.ty, &format!("{member}[at]"));
                format!("\tfor at := range {member} {{\n\t\t{tag}\n\t\t{put}\n\t}}\n")
            }
            Rule::Optional => {
                let put = match form {
                    "message" => format!("w.message({member})"),
                    _ => self.put(field.ty, &format!("*{member}")),
                };
                format!("\tif {member} != nil {{\n\t\t{tag}\n\t\t{put}\n\t}}\n")
            }
            Rule::Plain if self.is_record(field.ty) => {
                format!("\tw.filled({number}, &{member})\n")
            }
            Rule::Plain => {
                let put = self.put(field.ty, &member);
                match condition(field.ty, form, &member) {
                    Some(condition) => {
                        format!("\tif {condition} {{\n\t\t{tag}\n\t\t{put}\n\t}}\n")
                    }
                    None => format!("\t{tag}\n\t{put}\n"),
                }
            }
        }
    }

    fn is_record(&self, ty: Type) -> bool {
        match ty {
            Type::Named(id) => matches!(self.schema.definition(id).kind, Kind::Record(_)),
            _ => false,
        }
    }

    pub(super) fn variant(&self, out: &mut String, name: &str, cases: &[Case]) {
        let _ = writeln!(
            out,
            "type {name} struct {{\n\t// Case says which of the values it is.\n\tCase {name}Case"
        );
        for case in cases {
            if let Some(ty) = case.ty {
                out.push_str(&comment("\t", "//", &case.docs));
                let _ = writeln!(out, "\t{} {}", member(&case.name), self.ty(ty));
            }
        }
        let _ = writeln!(
            out,
            "\tUnknown []byte // a case that a newer schema has\n}}\n\n// {name}Case is a case of {name}.\ntype {name}Case uint32\n\n// The cases of {name}; the first is the default.\nconst ("
        );
        for (at, case) in cases.iter().enumerate() {
            let iota = if at == 0 {
                format!(" {name}Case = iota")
            } else {
                String::new()
            };
            let _ = writeln!(out, "\t{}{iota}", case_name(name, case));
        }
        let unknown = if cases.is_empty() {
            format!(" {name}Case = iota")
        } else {
            String::new()
        };
        let _ = writeln!(out, "\t{name}Unknown{unknown}\n)\n");
        functions(out, name);
        let _ = writeln!(
            out,
            "func (v *{name}) merge(r *weirReader) {{\n\t*v = {name}{{Case: {name}Unknown}}\n\tfor number, kind, ok := r.next(); ok; number, kind, ok = r.next() {{\n\t\tswitch number {{"
        );
        for case in cases {
            let _ = writeln!(
                out,
                "\t\tcase {}:\n{}",
                case.number,
                self.read_case(name, case)
            );
        }
        let _ = writeln!(
            out,
            "\t\tdefault:\n\t\t\tr.skip(kind)\n\t\t}}\n\t}}\n\tif v.Case == {name}Unknown {{\n\t\tv.Unknown = append([]byte{{}}, r.bytes...)\n\t}}\n}}\n\nfunc (v *{name}) write(w *weirWriter) {{\n\tswitch v.Case {{"
        );
        for case in cases {
            let (_, kind) = case.ty.map_or(("bool", 0), |ty| self.form(ty));
            let put = match case.ty {
                Some(ty) => self.put(ty, &format!("v.{}", member(&case.name))),
                None => "w.bool(true)".to_owned(),
            };
            let _ = writeln!(
                out,
                "\tcase {}:\n\t\tw.tag({}, {kind})\n\t\t{put}",
                case_name(name, case),
                case.number
            );
        }
        out.push_str("\tdefault:\n\t\tw.out = append(w.out, v.Unknown...)\n\t}\n}\n");
    }

    /// The last case that is there counts, and nothing of those before it.
    fn read_case(&self, name: &str, case: &Case) -> String {
        let (_, kind) = case.ty.map_or(("bool", 0), |ty| self.form(ty));
        let member = member(&case.name);
        let read = match case.ty {
            Some(ty) if self.schema.is_message(ty) => format!("\n\t\t\t\tr.message(&v.{member})"),
            Some(ty) => format!("\n\t\t\t\tv.{member} = {}", self.value(ty)),
            None => "\n\t\t\t\tr.bool()".to_owned(),
        };
        format!(
            "\t\t\tif r.is(kind, {kind}) {{\n\t\t\t\t*v = {name}{{Case: {}}}{read}\n\t\t\t}}",
            case_name(name, case)
        )
    }

    pub(super) fn layout(&self, out: &mut String, name: &str, record: &Record, id: TypeId) {
        let Ok(laid) = layout(self.schema, id) else {
            return;
        };
        let _ = writeln!(
            out,
            "\n// ToC gives the record as C lays it out.\nfunc (v *{name}) ToC() []byte {{\n\tout := make([]byte, {})",
            laid.size
        );
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            let _ = writeln!(out, "\t{}", self.lay(field, *slot));
        }
        let _ = writeln!(
            out,
            "\treturn out\n}}\n\n// FromC reads the record from such bytes.\nfunc (v *{name}) FromC(bytes []byte) error {{\n\tif len(bytes) != {} {{\n\t\treturn &WeirDecodeError{{WeirLength, 0}}\n\t}}",
            laid.size
        );
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            let _ = writeln!(out, "\t{}", self.pick(field, *slot));
        }
        out.push_str("\treturn nil\n}\n");
    }

    fn lay(&self, field: &Field, slot: Slot) -> String {
        let (at, size, member) = (slot.offset, slot.size, member(&field.name));
        let value = match field.ty {
            Type::Named(_) if self.is_record(field.ty) => {
                return format!("copy(out[{at}:], v.{member}.ToC())");
            }
            Type::Bool => format!("weirBit(v.{member})"),
            Type::F32 => format!("uint64(math.Float32bits(v.{member}))"),
            Type::F64 => format!("math.Float64bits(v.{member})"),
            _ => format!("uint64(v.{member})"),
        };
        format!("weirPut(out, {at}, {size}, {value})")
    }

    fn pick(&self, field: &Field, slot: Slot) -> String {
        let (at, size, member) = (slot.offset, slot.size, member(&field.name));
        let part = format!("weirPick(bytes, {at}, {size})");
        let check = |wrong: &str| {
            format!(
                "if {wrong} {{\n\t\treturn &WeirDecodeError{{WeirRange, {}}}\n\t}}\n\t",
                field.number
            )
        };
        match field.ty {
            Type::Named(_) if self.is_record(field.ty) => format!(
                "if err := v.{member}.FromC(bytes[{at}:{}]); err != nil {{\n\t\treturn err\n\t}}",
                at + size
            ),
            Type::Bool => check(&format!("{part} > 1")) + &format!("v.{member} = {part} == 1"),
            Type::Char => {
                check(&format!("!weirIsChar({part})")) + &format!("v.{member} = rune({part})")
            }
            Type::F32 => format!("v.{member} = math.Float32frombits(uint32({part}))"),
            Type::F64 => format!("v.{member} = math.Float64frombits({part})"),
            ty => format!("v.{member} = {}({part})", self.ty(ty)),
        }
    }
}

/// What every message can do.
fn functions(out: &mut String, name: &str) {
    let _ = writeln!(
        out,
        "// Encode gives the value's bytes.\nfunc (v *{name}) Encode() []byte {{ return weirEncode(v) }}\n\n// Decode reads a value; what was there is gone.\nfunc (v *{name}) Decode(bytes []byte) error {{\n\t*v = {name}{{}}\n\treturn weirDecode(bytes, v)\n}}\n"
    );
}

/// Whether a field needs to be written, if that depends on its value.
fn condition(ty: Type, form: &str, value: &str) -> Option<String> {
    Some(match ty {
        Type::Bool => value.to_owned(),
        Type::F32 => format!("math.Float32bits({value}) != 0"),
        Type::F64 => format!("math.Float64bits({value}) != 0"),
        Type::String | Type::Bytes => format!("len({value}) != 0"),
        Type::Named(_) if form == "message" => return None,
        Type::Int(_) | Type::Char | Type::Named(_) => format!("{value} != 0"),
    })
}
