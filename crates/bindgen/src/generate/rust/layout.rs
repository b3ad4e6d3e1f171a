//! Records as C lays them out.

use std::fmt::Write as _;

use super::{Rust, member};
use crate::schema::{Record, Type, TypeId, layout};

impl Rust<'_> {
    pub(super) fn layout(&self, out: &mut String, name: &str, record: &Record, id: TypeId) {
        let Ok(laid) = layout(self.schema, id) else {
            return;
        };
        let _ = writeln!(
            out,
            "impl {name} {{\n    /// Bytes of the record in C.\n    pub const SIZE: usize = {};\n\n    /// The record as C lays it out.\n    pub fn to_c(&self) -> [u8; {}] {{\n        let mut out = [0; {}];",
            laid.size, laid.size, laid.size
        );
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            let name = member(field);
            let bytes = match field.ty {
                Type::Bool => format!("[u8::from(self.{name})]"),
                Type::Char => format!("u32::from(self.{name}).to_le_bytes()"),
                Type::Named(_) if self.is_record(field.ty) => format!("self.{name}.to_c()"),
                Type::Named(_) => format!("self.{name}.0.to_le_bytes()"),
                _ => format!("self.{name}.to_le_bytes()"),
            };
            let _ = writeln!(
                out,
                "        out[{}..{}].copy_from_slice(&{bytes});",
                slot.offset,
                slot.offset + slot.size
            );
        }
        let _ = writeln!(
            out,
            "        out\n    }}\n\n    /// The record in these bytes.\n    pub fn from_c(bytes: &[u8]) -> Result<Self, DecodeError> {{\n        if bytes.len() != Self::SIZE {{\n            return Err(DecodeError {{ fault: Fault::Length, field: 0 }});\n        }}\n        let part = |from: usize| {{\n            let mut part = [0; 8];\n            let end = bytes.len().min(from + 8);\n            part[..end - from].copy_from_slice(&bytes[from..end]);\n            u64::from_le_bytes(part)\n        }};\n        let wrong = |field| DecodeError {{ fault: Fault::Range, field }};\n        Ok(Self {{"
        );
        for (field, slot) in record.fields.iter().zip(&laid.slots) {
            let (at, end) = (slot.offset, slot.offset + slot.size);
            let number = field.number;
            let value = match field.ty {
                Type::Bool => format!(
                    "match bytes[{at}] {{ 0 => false, 1 => true, _ => return Err(wrong({number})) }}"
                ),
                Type::Char => {
                    format!("char::from_u32(part({at}) as u32).ok_or_else(|| wrong({number}))?")
                }
                Type::F32 => format!("f32::from_bits(part({at}) as u32)"),
                Type::F64 => format!("f64::from_bits(part({at}))"),
                Type::Named(id) if self.is_record(field.ty) => {
                    format!("{}::from_c(&bytes[{at}..{end}])?", self.name(id))
                }
                Type::Named(id) => format!("{}(part({at}) as _)", self.name(id)),
                ty => format!("part({at}) as {}", self.ty(ty)),
            };
            let _ = writeln!(out, "            {}: {value},", member(field));
        }
        out.push_str("        })\n    }\n}\n");
    }
}
