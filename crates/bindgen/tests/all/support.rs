//! The samples, and random values of any schema.

use weir_bindgen::Schema;
use weir_bindgen::codec::default_record;
use weir_bindgen::read::{Source, Sources, read};
use weir_bindgen::schema::{Field, Kind, Rule, Sign, Type, TypeId};
use weir_bindgen::value::{FieldValue, RecordValue, Value, VariantValue};

pub(crate) fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

pub(crate) fn sources(files: &[(&str, &str)]) -> Sources {
    Sources {
        given: files
            .iter()
            .map(|(name, text)| source(name, text))
            .collect(),
        beside: Vec::new(),
    }
}

pub(crate) const DEMO_MAP: &str = include_str!("../samples/demo.map");
pub(crate) const DEMO_WIT: &str = include_str!("../samples/demo.wit");
pub(crate) const USERS_MAP: &str = include_str!("../samples/users.map");
pub(crate) const USERS_PROTO: &str = include_str!("../samples/users.proto");

pub(crate) fn demo() -> Schema {
    read(&sources(&[("demo.map", DEMO_MAP), ("demo.wit", DEMO_WIT)])).unwrap()
}

pub(crate) fn users() -> Schema {
    read(&sources(&[
        ("users.map", USERS_MAP),
        ("users.proto", USERS_PROTO),
    ]))
    .unwrap()
}

/// The schema of one map over these types.
pub(crate) fn schema(map: &str, wit: &str) -> Schema {
    let wit = format!("interface types {{ {wit} }}");
    read(&sources(&[("a.map", map), ("a.wit", &wit)])).unwrap()
}

pub(crate) fn type_id(schema: &Schema, name: &str) -> TypeId {
    TypeId(schema.types.iter().position(|ty| ty.name == name).unwrap())
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Small numbers and those at the ends are as likely as all others.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(3),
            1 => u64::MAX - self.below(3),
            2 => 1_u64.rotate_left(u32::try_from(self.below(64)).unwrap()),
            _ => self.roll(),
        }
    }

    fn text(&mut self) -> String {
        let chars = ['a', 'z', '\0', '"', '\\', 'é', '→', '🎛'];
        (0..self.below(5))
            .map(|_| chars[usize::try_from(self.below(8)).unwrap()])
            .collect()
    }

    pub(crate) fn value(&mut self, schema: &Schema, ty: Type) -> Value {
        match ty {
            Type::Bool => Value::Bool(self.below(2) == 1),
            Type::Int(int) => {
                let room = 64 - int.bits.count();
                match int.sign {
                    Sign::Unsigned => Value::Unsigned(self.number() << room >> room),
                    Sign::Signed => Value::Signed((self.number() << room).cast_signed() >> room),
                }
            }
            Type::F32 => Value::F32(
                [0.0, -0.0, 0.1, f32::MAX, f32::INFINITY, 1e-40]
                    [usize::try_from(self.below(6)).unwrap()],
            ),
            Type::F64 => Value::F64(
                [0.0, -0.0, 0.1, f64::MIN, f64::NEG_INFINITY, 5e-324]
                    [usize::try_from(self.below(6)).unwrap()],
            ),
            Type::Char => {
                Value::Char(['\0', 'a', 'é', '\u{10ffff}'][usize::try_from(self.below(4)).unwrap()])
            }
            Type::String => Value::String(self.text()),
            Type::Bytes => Value::Bytes(
                (0..self.below(6))
                    .map(|_| self.roll().to_le_bytes()[0])
                    .collect(),
            ),
            Type::Named(id) => self.named(schema, id),
        }
    }

    fn named(&mut self, schema: &Schema, id: TypeId) -> Value {
        match &schema.definition(id).kind {
            Kind::Enum(names) => {
                let at = usize::try_from(self.below(names.len() as u64 + 1)).unwrap();
                Value::Enum(names.get(at).map_or(12_345, |name| name.number))
            }
            Kind::Flags(_) => Value::Flags(self.number()),
            Kind::Variant(cases) => {
                let at = usize::try_from(self.below(cases.len() as u64 + 1)).unwrap();
                Value::Variant(match cases.get(at) {
                    Some(case) => {
                        VariantValue::Case(at, case.ty.map(|ty| Box::new(self.value(schema, ty))))
                    }
                    None => VariantValue::Unknown(vec![0xf8, 0x07, 0x05]),
                })
            }
            Kind::Record(record) => {
                let mut value = default_record(schema, record);
                for (field, slot) in record.fields.iter().zip(&mut value.fields) {
                    if self.below(4) > 0 {
                        *slot = self.field(schema, field);
                    }
                }
                if self.below(4) == 0 {
                    value.unknown = vec![0xf8, 0x3f, 0x2a];
                }
                Value::Record(value)
            }
        }
    }

    fn field(&mut self, schema: &Schema, field: &Field) -> FieldValue {
        match field.rule {
            Rule::Plain => FieldValue::Plain(self.value(schema, field.ty)),
            Rule::Optional => {
                let is_there = self.below(3) > 0;
                FieldValue::Optional(is_there.then(|| self.value(schema, field.ty)))
            }
            Rule::Repeated => {
                let count = self.below(4);
                FieldValue::Repeated((0..count).map(|_| self.value(schema, field.ty)).collect())
            }
        }
    }
}

/// Whether a value holds something beyond its schema, which layouts have no room for.
pub(crate) fn strip_unknown(value: &mut RecordValue) {
    value.unknown.clear();
    for field in &mut value.fields {
        if let FieldValue::Plain(Value::Record(inner)) = field {
            strip_unknown(inner);
        }
    }
}
