//! What maps hold: types, numbers of fields, and how values are stored.
//!
//! Invariants of a schema: a type refers only to types before it, so there is no recursion; numbers
//! of fields and cases are unique; no name is there twice.

mod bounds;
mod canonical;
mod compatible;
mod layout;

pub use canonical::{CanonicalError, Hash};
pub use compatible::{Break, compatible, covers};
pub use layout::{Layout, NoLayout, Slot, layout};

/// Types and maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The types, those without references first.
    pub types: Vec<Definition>,
    /// The maps.
    pub maps: Vec<Map>,
    /// Services of a `.proto` file.
    pub services: Vec<Service>,
}

/// A place in [`Schema::types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub usize);

/// A type with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name, in kebab case.
    pub name: String,
    /// What is said of it, without markers; may be empty.
    pub docs: String,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of types with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Fields, stored as a message.
    Record(Record),
    /// One of several cases, stored as a message with a `oneof`.
    Variant(Vec<Case>),
    /// One of several names, stored as a number.
    Enum(Vec<Name>),
    /// Any of several names, stored as a number with a bit for each.
    Flags(Vec<Name>),
}

/// Fields of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the record stands for.
    pub shape: Shape,
    /// The fields, in the order of their numbers.
    pub fields: Vec<Field>,
}

impl Record {
    /// Whether the record can be shown as what is in it. An optional value in an optional one cannot:
    /// nothing would tell which of them is not there.
    #[must_use]
    pub fn is_transparent(&self) -> bool {
        self.shape == Shape::Wrapper && self.fields.iter().all(|field| field.rule != Rule::Optional)
    }
}

/// What a record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A record of the source.
    Fields,
    /// A tuple: fields `f0`, `f1` and so on.
    Tuple,
    /// A value that needs a message around it, such as a list in a list: one field.
    Wrapper,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, in kebab case.
    pub name: String,
    /// What is said of it.
    pub docs: String,
    /// Its number in the encoding.
    pub number: u32,
    /// How often it is there.
    pub rule: Rule,
    /// The type of each.
    pub ty: Type,
}

/// How often a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Once; what is not stored is the type's default.
    Plain,
    /// Once or not at all.
    Optional,
    /// Any number of times.
    Repeated,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name, in kebab case.
    pub name: String,
    /// What is said of it.
    pub docs: String,
    /// Its number in the encoding.
    pub number: u32,
    /// What it carries. A case without is stored as a `bool` that is true.
    pub ty: Option<Type>,
}

/// A case of an enum, or a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Its name, in kebab case.
    pub name: String,
    /// What is said of it.
    pub docs: String,
    /// Its number; that of its bit for a flag.
    pub number: i32,
}

/// A type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Yes or no.
    Bool,
    /// An integer.
    Int(Int),
    /// A number of 32 bits with a fraction.
    F32,
    /// A number of 64 bits with a fraction.
    F64,
    /// A Unicode scalar value.
    Char,
    /// Text in UTF-8.
    String,
    /// Bytes.
    Bytes,
    /// A type of [`Schema::types`].
    Named(TypeId),
}

/// An integer's range and writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Int {
    /// How many bits it has.
    pub bits: Bits,
    /// Whether it may be negative.
    pub sign: Sign,
    /// How it is written.
    pub form: Form,
}

/// The size of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bits {
    /// 8.
    B8,
    /// 16.
    B16,
    /// 32.
    B32,
    /// 64.
    B64,
}

impl Bits {
    /// The number of bits.
    #[must_use]
    pub const fn count(self) -> u32 {
        match self {
            Self::B8 => 8,
            Self::B16 => 16,
            Self::B32 => 32,
            Self::B64 => 64,
        }
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.count() as usize / 8
    }
}

/// Whether an integer may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// It may.
    Signed,
    /// It may not.
    Unsigned,
}

/// How an integer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// In as many bytes as it needs; negative numbers take ten.
    Varint,
    /// In as many bytes as its distance from zero needs.
    ZigZag,
    /// In four or eight bytes.
    Fixed,
}

/// A typed map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Its name, as the configuration has it.
    pub name: String,
    /// What is said of it.
    pub docs: String,
    /// The type of its keys.
    pub key: Key,
    /// What its values are and how they are stored.
    pub value: Stored,
    /// When its back end is opened, if that is said.
    pub policy: Option<Policy>,
    /// Where it is kept, if that is said: `memory`, `ssd_backed`, `durable` or a back end's name.
    pub storage: Option<String>,
    /// Milliseconds after which an entry ends, if that is said.
    pub ttl_ms: Option<u64>,
}

/// A type whose stored bytes are in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `false` before `true`.
    Bool,
    /// An integer.
    Int(Bits, Sign),
    /// Text, in the order of its scalar values.
    String,
    /// Bytes.
    Bytes,
}

/// How the values of a map are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// As a message: a record or a variant.
    Message(TypeId),
    /// As C lays the record out.
    Layout(TypeId),
    /// Bytes, as they are.
    Bytes,
    /// Text, as it is.
    Text,
    /// A counter of eight bytes, which can be incremented.
    Counter,
}

/// When a map's back end is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// With the configuration.
    Eager,
    /// When the map is used first.
    LazyInit,
}

/// Functions of a `.proto` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, in kebab case.
    pub name: String,
    /// Its name with its package, as its source writes it.
    pub full_name: String,
    /// What is said of it.
    pub docs: String,
    /// Its functions.
    pub methods: Vec<Method>,
}

/// A function from one message to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name, in kebab case.
    pub name: String,
    /// Its name, as its source writes it.
    pub source_name: String,
    /// What is said of it.
    pub docs: String,
    /// What it takes.
    pub input: TypeId,
    /// What it gives.
    pub output: TypeId,
}

impl Schema {
    /// The definition of a type.
    ///
    /// # Panics
    /// If the id is of another schema.
    #[must_use]
    pub fn definition(&self, id: TypeId) -> &Definition {
        &self.types[id.0]
    }

    /// The map of a name.
    #[must_use]
    pub fn map(&self, name: &str) -> Option<&Map> {
        self.maps.iter().find(|map| map.name == name)
    }

    /// Whether values of a type are messages of their own.
    #[must_use]
    pub fn is_message(&self, ty: Type) -> bool {
        match ty {
            Type::Named(id) => match self.definition(id).kind {
                Kind::Record(_) | Kind::Variant(_) => true,
                Kind::Enum(_) | Kind::Flags(_) => false,
            },
            Type::Bool
            | Type::Int(_)
            | Type::F32
            | Type::F64
            | Type::Char
            | Type::String
            | Type::Bytes => false,
        }
    }

    /// Whether several values of a type are stored in one piece.
    #[must_use]
    pub fn is_packed(&self, ty: Type) -> bool {
        !self.is_message(ty) && !matches!(ty, Type::String | Type::Bytes)
    }
}

impl Type {
    /// The name that a `.map` file has for it.
    #[must_use]
    pub fn text(self, schema: &Schema) -> String {
        match self {
            Self::Bool => "bool".to_owned(),
            Self::Int(int) => int.text(),
            Self::F32 => "f32".to_owned(),
            Self::F64 => "f64".to_owned(),
            Self::Char => "char".to_owned(),
            Self::String => "string".to_owned(),
            Self::Bytes => "list<u8>".to_owned(),
            Self::Named(id) => schema.definition(id).name.clone(),
        }
    }
}

impl Int {
    fn text(self) -> String {
        let sign = match self.sign {
            Sign::Signed => 's',
            Sign::Unsigned => 'u',
        };
        format!("{sign}{}", self.bits.count())
    }
}

impl Key {
    /// The name that a `.map` file has for it.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Bool => "bool".to_owned(),
            Self::Int(bits, sign) => Int {
                bits,
                sign,
                form: Form::Varint,
            }
            .text(),
            Self::String => "string".to_owned(),
            Self::Bytes => "list<u8>".to_owned(),
        }
    }
}
