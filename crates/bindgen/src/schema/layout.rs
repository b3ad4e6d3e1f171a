//! Where C puts the members of a record, the same in Rust (`repr(C)`), C and C++, on a guest of 32
//! bits and on a machine of 64.
//!
//! A record that has a layout holds only what has a size: numbers, bools, chars, enums, flags and
//! records of such. Members stand in the order of their numbers, each at a multiple of its alignment;
//! the size is a multiple of the greatest. Bytes are little-endian, and padding is zero.

use thiserror::Error;
use weir_model::limits::bindgen as limits;

use super::{Field, Kind, Rule, Schema, Type, TypeId};

/// Where the members of a record are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of the record, padding at its end included.
    pub size: usize,
    /// What its address is a multiple of.
    pub align: usize,
    /// Its members, in the order of the record's fields.
    pub slots: Vec<Slot>,
}

/// The place of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Bytes before it.
    pub offset: usize,
    /// Bytes of it.
    pub size: usize,
}

/// Why a record has no layout.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoLayout {
    /// A field has no size of its own.
    #[error("`{field}` of `{record}` has no fixed size")]
    Field {
        /// The record.
        record: String,
        /// The field.
        field: String,
    },
    /// It is no record, or one without fields.
    #[error("`{0}` has no fields")]
    Empty(String),
    /// It is too large.
    #[error("`{0}` takes more than {max} bytes", max = limits::LAYOUT_BYTES_MAX)]
    Large(String),
}

/// The layout of a record.
///
/// # Errors
/// If a field has no size of its own, there is none, or there are too many.
pub fn layout(schema: &Schema, id: TypeId) -> Result<Layout, NoLayout> {
    let definition = schema.definition(id);
    let Kind::Record(record) = &definition.kind else {
        return Err(NoLayout::Empty(definition.name.clone()));
    };
    let mut laid = Layout {
        size: 0,
        align: 1,
        slots: Vec::new(),
    };
    for field in &record.fields {
        let (size, align) = measure(schema, &definition.name, field)?;
        let offset = laid.size.next_multiple_of(align);
        laid.slots.push(Slot { offset, size });
        laid.size = offset + size;
        laid.align = laid.align.max(align);
        if laid.size > limits::LAYOUT_BYTES_MAX {
            return Err(NoLayout::Large(definition.name.clone()));
        }
    }
    if laid.slots.is_empty() {
        return Err(NoLayout::Empty(definition.name.clone()));
    }
    laid.size = laid.size.next_multiple_of(laid.align);
    Ok(laid)
}

fn measure(schema: &Schema, record: &str, field: &Field) -> Result<(usize, usize), NoLayout> {
    let bytes = match (field.rule, field.ty) {
        (Rule::Plain, Type::Bool) => 1,
        (Rule::Plain, Type::Int(int)) => int.bits.bytes(),
        (Rule::Plain, Type::F32 | Type::Char) => 4,
        (Rule::Plain, Type::F64) => 8,
        (Rule::Plain, Type::Named(id)) => match schema.definition(id).kind {
            Kind::Enum(_) => 4,
            Kind::Flags(_) => 8,
            Kind::Record(_) => {
                let inner = layout(schema, id)?;
                return Ok((inner.size, inner.align));
            }
            Kind::Variant(_) => 0,
        },
        _ => 0,
    };
    if bytes == 0 {
        return Err(NoLayout::Field {
            record: record.to_owned(),
            field: field.name.clone(),
        });
    }
    Ok((bytes, bytes))
}
