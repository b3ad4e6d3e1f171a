//! Values of a schema's types, whatever the schema.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// An integer that is not negative by its type.
    Unsigned(u64),
    /// An integer that may be negative.
    Signed(i64),
    /// 32 bits with a fraction.
    F32(f32),
    /// 64 bits with a fraction.
    F64(f64),
    /// A Unicode scalar value.
    Char(char),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A case of an enum by its number, which may be one that the schema does not know.
    Enum(i32),
    /// Flags, a bit for each; bits that the schema does not know are kept.
    Flags(u64),
    /// Fields.
    Record(RecordValue),
    /// A case.
    Variant(VariantValue),
}

/// The fields of a record, in the schema's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordValue {
    /// One slot for each field of the type.
    pub fields: Vec<FieldValue>,
    /// Fields that the schema does not know, as they were stored.
    pub unknown: Vec<u8>,
}

/// What a field holds, according to its rule.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// The one value.
    Plain(Value),
    /// A value or none.
    Optional(Option<Value>),
    /// Any number of values.
    Repeated(Vec<Value>),
}

/// A case with what it carries.
#[derive(Clone, Debug, PartialEq)]
pub enum VariantValue {
    /// A case of the type, by its place there.
    Case(usize, Option<Box<Value>>),
    /// A case that the schema does not know, as it was stored.
    Unknown(Vec<u8>),
}
