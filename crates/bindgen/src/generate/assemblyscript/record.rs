//! Records and variants.

use std::fmt::Write as _;

use super::{Case, Kind, Record, Rule, Script, Type, TypeId, comment, layout, member};
use crate::name::{pascal, shouting};
use crate::schema::{Field, Slot};

impl Script<'_> {
    pub(super) fn record(&self, out: &mut String, id: TypeId, name: &str, record: &Record) {
        let is_laid_out = self.laid_out.contains(&id);
        let _ = writeln!(out, "export class {name} extends codec.Message {{");
        for field in &record.fields {
            out.push_str(&comment("  ", "//", &field.docs));
            out.push_str(&self.declared(field));
        }
        if !is_laid_out {
            out.push_str(
                "  /** Fields that a newer schema has. */\n  unknown: Uint8Array = new Uint8Array(0);\n",
            );
        }
        out.push_str("\n  merge(r: codec.Reader): void {\n    while (r.next()) {\n      switch (r.field) {\n");
        for field in &record.fields {
            let _ = writeln!(
                out,
                "        case {}: {{\n{}          break;\n        }}",
                field.number,
                self.read(field)
            );
        }
        let rest = if is_laid_out {
            "r.skip()"
        } else {
            "this.unknown = r.keep(this.unknown)"
        };
        let _ = writeln!(
            out,
            "        default:\n          {rest};\n      }}\n    }}\n  }}\n\n  write(w: codec.Writer): void {{"
        );
        for field in &record.fields {
            out.push_str(&self.write(field));
        }
        if !is_laid_out {
            out.push_str("    w.put(this.unknown);\n");
        }
        out.push_str("  }\n");
        if is_laid_out {
            self.layout(out, id, name, record);
        }
        out.push_str("}\n");
    }

    /// Whether `null` can stand for a value that is not there.
    fn is_reference(&self, ty: Type) -> bool {
        matches!(ty, Type::String | Type::Bytes) || self.schema.is_message(ty)
    }

    fn declared(&self, field: &Field) -> String {
        let (ty, name) = (self.ty(field.ty), member(&field.name));
        match field.rule {
            Rule::Plain => format!("  {name}: {ty} = {};\n", self.default(field.ty)),
            Rule::Repeated => format!("  {name}: Array<{ty}> = [];\n"),
            Rule::Optional if self.is_reference(field.ty) => {
                format!("  {name}: {ty} | null = null;\n")
            }
            Rule::Optional => format!(
                "  has{}: bool = false;\n  {name}: {ty} = {};\n",
                pascal(&field.name),
                self.default(field.ty)
            ),
        }
    }

    /// An expression that reads a value.
    fn value(&self, ty: Type, reader: &str) -> String {
        let (form, _) = self.form(ty);
        match ty {
            Type::Named(id) if self.schema.is_message(ty) => {
                let name = self.name(id);
                format!("codec.read<{name}>({reader}, new {name}())")
            }
            Type::Named(_) => format!("<{}>{reader}.{form}()", self.ty(ty)),
            _ => format!("{reader}.{form}()"),
        }
    }

    /// A statement that writes a value.
    fn put(&self, ty: Type, value: &str) -> String {
        let (form, _) = self.form(ty);
        match (ty, form) {
            (Type::Named(_), "i32") => format!("w.i32(<i32>{value})"),
            _ => format!("w.{form}({value})"),
        }
    }

    fn is_record(&self, ty: Type) -> bool {
        match ty {
            Type::Named(id) => matches!(self.schema.definition(id).kind, Kind::Record(_)),
            _ => false,
        }
    }

    fn read(&self, field: &Field) -> String {
        let name = format!("this.{}", member(&field.name));
        let (_, kind) = self.form(field.ty);
        let ty = self.ty(field.ty);
        let value = self.value(field.ty, "r");
        let indent = "          ";
        match field.rule {
            Rule::Repeated if kind != 2 => {
                let item = self.value(field.ty, "packed");
                format!(
                    "{indent}if (r.kind == 2) {{\n{indent}  const packed = r.piece();\n{indent}  while (packed.more) {name}.push({item});\n{indent}  r.close(packed);\n{indent}}} else if (r.is({kind})) {{\n{indent}  {name}.push({value});\n{indent}}}\n"
                )
            }
            Rule::Repeated => format!("{indent}if (r.is(2)) {name}.push({value});\n"),
            Rule::Plain if self.is_record(field.ty) => {
                format!("{indent}if (r.is(2)) codec.read<{ty}>(r, {name});\n")
            }
            Rule::Optional if self.is_record(field.ty) => format!(
                "{indent}const known = {name};\n{indent}if (r.is(2)) {name} = codec.read<{ty}>(r, known ? known : new {ty}());\n"
            ),
            Rule::Optional if !self.is_reference(field.ty) => format!(
                "{indent}if (r.is({kind})) {{\n{indent}  this.has{} = true;\n{indent}  {name} = {value};\n{indent}}}\n",
                pascal(&field.name)
            ),
            Rule::Plain | Rule::Optional => {
                format!("{indent}if (r.is({kind})) {name} = {value};\n")
            }
        }
    }

    fn write(&self, field: &Field) -> String {
        let name = format!("this.{}", member(&field.name));
        let number = field.number;
        let (_, kind) = self.form(field.ty);
        match field.rule {
            Rule::Repeated if kind != 2 => {
                let put = self.put(field.ty, &format!("{name}[at]"));
                let put = put.replacen("w.", "packed.", 1);
                format!(
                    "    {{\n      const packed = new codec.Writer();\n      for (let at = 0; at < {name}.length; at++) {put};\n      w.filled({number}, packed);\n    }}\n"
                )
            }
            Rule::Repeated => format!(
                "    for (let at = 0; at < {name}.length; at++) {{\n      w.tag({number}, 2);\n      {};\n    }}\n",
                self.put(field.ty, &format!("{name}[at]"))
            ),
            Rule::Optional if self.is_reference(field.ty) => format!(
                "    {{\n      const value = {name};\n      if (value !== null) {{\n        w.tag({number}, 2);\n        {};\n      }}\n    }}\n",
                self.put(field.ty, "value")
            ),
            Rule::Optional => format!(
                "    if (this.has{}) {{\n      w.tag({number}, {kind});\n      {};\n    }}\n",
                pascal(&field.name),
                self.put(field.ty, &name)
            ),
            Rule::Plain if self.is_record(field.ty) => format!(
                "    {{\n      const inner = new codec.Writer();\n      {name}.write(inner);\n      w.filled({number}, inner);\n    }}\n"
            ),
            Rule::Plain => {
                let put = self.put(field.ty, &name);
                match self.condition(field.ty, &name) {
                    Some(condition) => format!(
                        "    if ({condition}) {{\n      w.tag({number}, {kind});\n      {put};\n    }}\n"
                    ),
                    None => format!("    w.tag({number}, {kind});\n    {put};\n"),
                }
            }
        }
    }

    /// Whether a field needs to be written, if that depends on its value.
    fn condition(&self, ty: Type, value: &str) -> Option<String> {
        Some(match ty {
            Type::Bool => value.to_owned(),
            Type::F32 => format!("reinterpret<u32>({value}) != 0"),
            Type::F64 => format!("reinterpret<u64>({value}) != 0"),
            Type::String | Type::Bytes => format!("{value}.length != 0"),
            Type::Named(_) if self.schema.is_message(ty) => return None,
            Type::Int(_) | Type::Char | Type::Named(_) => format!("{value} != 0"),
        })
    }

    pub(super) fn variant(&self, out: &mut String, name: &str, cases: &[Case]) {
        let _ = writeln!(
            out,
            "// UNKNOWN: a case that a newer schema has.\nexport enum {name}Case {{"
        );
        for case in cases {
            out.push_str(&comment("  ", "//", &case.docs));
            let _ = writeln!(out, "  {},", case_name(case));
        }
        let _ = writeln!(
            out,
            "  UNKNOWN,\n}}\n\nexport class {name} extends codec.Message {{\n  which: {name}Case = <{name}Case>0;"
        );
        for case in cases {
            if let Some(ty) = case.ty {
                // A message that is not there is a default one.
                let declared = if self.schema.is_message(ty) {
                    format!("{} | null = null", self.ty(ty))
                } else {
                    format!("{} = {}", self.ty(ty), self.default(ty))
                };
                let _ = writeln!(out, "  {}: {declared};", member(&case.name));
            }
        }
        let _ = writeln!(
            out,
            "  unknown: Uint8Array = new Uint8Array(0);\n\n  merge(r: codec.Reader): void {{\n    this.which = {name}Case.UNKNOWN;\n    while (r.next()) {{\n      switch (r.field) {{"
        );
        for case in cases {
            let (_, kind) = case.ty.map_or(("bool", 0), |ty| self.form(ty));
            let read = match case.ty {
                Some(ty) => format!("this.{} = {}", member(&case.name), self.value(ty, "r")),
                None => "r.bool()".to_owned(),
            };
            let _ = writeln!(
                out,
                "        case {}: {{\n          if (r.is({kind})) {{\n            {read};\n            this.which = {name}Case.{};\n          }}\n          break;\n        }}",
                case.number,
                case_name(case)
            );
        }
        let _ = writeln!(
            out,
            "        default:\n          r.skip();\n      }}\n    }}\n    if (this.which == {name}Case.UNKNOWN) this.unknown = r.all();\n  }}\n\n  write(w: codec.Writer): void {{\n    switch (this.which) {{"
        );
        for case in cases {
            let (_, kind) = case.ty.map_or(("bool", 0), |ty| self.form(ty));
            let value = format!("this.{}", member(&case.name));
            let put = match case.ty {
                Some(ty) if self.schema.is_message(ty) => format!(
                    "const value = {value};\n        w.message(value ? value : new {}())",
                    self.ty(ty)
                ),
                Some(ty) => self.put(ty, &value),
                None => "w.bool(true)".to_owned(),
            };
            let _ = writeln!(
                out,
                "      case {name}Case.{}: {{\n        w.tag({}, {kind});\n        {put};\n        break;\n      }}",
                case_name(case),
                case.number
            );
        }
        out.push_str("      default:\n        w.put(this.unknown);\n    }\n  }\n}\n");
    }

    fn layout(&self, out: &mut String, id: TypeId, name: &str, record: &Record) {
        let Ok(laid) = layout(self.schema, id) else {
            return;
        };
        let size = laid.size;
        let _ = writeln!(
            out,
            "\n  /** The record as C lays it out. */\n  toC(): Uint8Array {{\n    const out = new Uint8Array({size});\n    this.layOut(out.dataStart);\n    return out;\n  }}\n\n  /** The record in such bytes. */\n  static fromC(bytes: Uint8Array): codec.Decoded<{name}> {{\n    const out = new {name}();\n    if (bytes.length != {size}) return new codec.Decoded<{name}>(out, codec.Fault.LENGTH, 0);\n    const field = out.pickUp(bytes.dataStart);\n    return new codec.Decoded<{name}>(out, field ? codec.Fault.RANGE : codec.Fault.NONE, field);\n  }}\n\n  layOut(at: usize): void {{"
        );
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            let _ = writeln!(out, "    {}", self.lay(field, *slot));
        }
        out.push_str("  }\n\n  /** Reads the members; the number of one that is outside its range, or 0. */\n  pickUp(at: usize): u32 {\n    let wrong: u32 = 0;\n");
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            let _ = writeln!(out, "    {}", self.pick(field, *slot));
        }
        out.push_str("    return wrong;\n  }\n");
    }

    fn lay(&self, field: &Field, slot: Slot) -> String {
        let (at, name) = (slot.offset, format!("this.{}", member(&field.name)));
        match field.ty {
            _ if self.is_record(field.ty) => format!("{name}.layOut(at + {at});"),
            Type::Named(_) => {
                let ty = if slot.size == 8 { "u64" } else { "i32" };
                format!("store<{ty}>(at, <{ty}>{name}, {at});")
            }
            ty => format!("store<{}>(at, {name}, {at});", self.ty(ty)),
        }
    }

    fn pick(&self, field: &Field, slot: Slot) -> String {
        let (at, name) = (slot.offset, format!("this.{}", member(&field.name)));
        let number = field.number;
        match field.ty {
            _ if self.is_record(field.ty) => {
                format!("if ({name}.pickUp(at + {at})) wrong = {number};")
            }
            Type::Named(_) => {
                let ty = if slot.size == 8 { "u64" } else { "i32" };
                format!("{name} = <{}>load<{ty}>(at, {at});", self.ty(field.ty))
            }
            Type::Bool => format!(
                "if (load<u8>(at, {at}) > 1) wrong = {number};\n    {name} = load<u8>(at, {at}) != 0;"
            ),
            Type::Char => format!(
                "if (!codec.isChar(load<u32>(at, {at}))) wrong = {number};\n    {name} = load<u32>(at, {at});"
            ),
            ty => format!("{name} = load<{}>(at, {at});", self.ty(ty)),
        }
    }
}

fn case_name(case: &Case) -> String {
    match shouting(&case.name).as_str() {
        "UNKNOWN" => "UNKNOWN_".to_owned(),
        name => crate::generate::words::script(name),
    }
}
