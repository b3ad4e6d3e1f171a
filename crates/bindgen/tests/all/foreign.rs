//! Another implementation of protobuf reads what this one writes, by the `.proto` file that this
//! crate writes, sees the same values, and is read again.

use protox::file::{File, FileResolver};
use protox::prost::Message as _;
use protox::prost_reflect::{DynamicMessage, Value as Foreign};
use weir_bindgen::Schema;
use weir_bindgen::codec::{decode, encode};
use weir_bindgen::generate::{Language, generate};
use weir_bindgen::name::pascal;
use weir_bindgen::schema::{Kind, Type, TypeId};
use weir_bindgen::value::{FieldValue, Value, VariantValue};

use crate::programs::messages;
use crate::support::{Dice, demo, users};

struct One(String);

impl FileResolver for One {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        File::from_source(name, &self.0)
    }
}

/// Whether a foreign value is this one.
fn is_same(schema: &Schema, ty: Type, ours: &Value, theirs: &Foreign) -> bool {
    match (ours, theirs) {
        (Value::Bool(ours), Foreign::Bool(theirs)) => ours == theirs,
        (Value::Unsigned(ours), Foreign::U32(theirs)) => *ours == u64::from(*theirs),
        (Value::Unsigned(ours) | Value::Flags(ours), Foreign::U64(theirs)) => ours == theirs,
        (Value::Signed(ours), Foreign::I32(theirs)) => *ours == i64::from(*theirs),
        (Value::Signed(ours), Foreign::I64(theirs)) => ours == theirs,
        (Value::F32(ours), Foreign::F32(theirs)) => ours.to_bits() == theirs.to_bits(),
        (Value::F64(ours), Foreign::F64(theirs)) => ours.to_bits() == theirs.to_bits(),
        (Value::Char(ours), Foreign::U32(theirs)) => u32::from(*ours) == *theirs,
        (Value::String(ours), Foreign::String(theirs)) => ours == theirs,
        (Value::Bytes(ours), Foreign::Bytes(theirs)) => ours[..] == theirs[..],
        (Value::Enum(ours), Foreign::EnumNumber(theirs)) => ours == theirs,
        (ours, Foreign::Message(theirs)) => match ty {
            Type::Named(id) => is_same_message(schema, id, ours, theirs),
            _ => false,
        },
        _ => false,
    }
}

fn is_same_message(schema: &Schema, id: TypeId, ours: &Value, theirs: &DynamicMessage) -> bool {
    match (&schema.definition(id).kind, ours) {
        (Kind::Record(record), Value::Record(ours)) => {
            let fields = record.fields.iter().zip(&ours.fields);
            fields.into_iter().all(|(field, ours)| {
                let number = field.number;
                let found = theirs.get_field_by_number(number);
                let found = found.expect("the field is declared");
                match (ours, &*found) {
                    (FieldValue::Plain(ours), found) => is_same(schema, field.ty, ours, found),
                    (FieldValue::Optional(None), _) => !theirs.has_field_by_number(number),
                    (FieldValue::Optional(Some(ours)), found) => {
                        theirs.has_field_by_number(number) && is_same(schema, field.ty, ours, found)
                    }
                    (FieldValue::Repeated(ours), Foreign::List(theirs)) => {
                        let pairs = ours.iter().zip(theirs);
                        ours.len() == theirs.len()
                            && pairs
                                .into_iter()
                                .all(|(a, b)| is_same(schema, field.ty, a, b))
                    }
                    (FieldValue::Repeated(_), _) => false,
                }
            })
        }
        (Kind::Variant(cases), Value::Variant(VariantValue::Case(at, carried))) => {
            let case = &cases[*at];
            let others = cases.iter().filter(|other| other.number != case.number);
            let is_alone = others
                .into_iter()
                .all(|other| !theirs.has_field_by_number(other.number));
            let found = theirs.get_field_by_number(case.number).expect("a case");
            let is_it = match (case.ty, carried) {
                (Some(ty), Some(ours)) => is_same(schema, ty, ours, &found),
                _ => *found == Foreign::Bool(true),
            };
            is_alone && theirs.has_field_by_number(case.number) && is_it
        }
        (Kind::Variant(cases), Value::Variant(VariantValue::Unknown(_))) => cases
            .iter()
            .all(|case| !theirs.has_field_by_number(case.number)),
        _ => false,
    }
}

#[track_caller]
fn check(schema: &Schema, stem: &str) {
    let file = generate(schema, Language::Proto, stem).remove(0);
    let name = format!("{stem}.proto");
    let mut compiler = protox::Compiler::with_file_resolver(One(file.text));
    compiler.open_file(&name).expect("the file is protobuf");
    let pool = compiler.descriptor_pool();
    let mut dice = Dice(11);
    for _ in 0..500 {
        for id in messages(schema) {
            let full = format!("{stem}.{}", pascal(&schema.definition(id).name));
            let descriptor = pool.get_message_by_name(&full).expect("it is declared");
            let value = dice.value(schema, Type::Named(id));
            let bytes = encode(schema, id, &value).unwrap();
            let theirs = DynamicMessage::decode(descriptor, &bytes[..]).expect("they read it");
            assert!(
                is_same_message(schema, id, &value, &theirs),
                "{full}\nours {value:?}\ntheirs {theirs:?}"
            );
            let again = theirs.encode_to_vec();
            assert_eq!(decode(schema, id, &again).as_ref(), Ok(&value), "{full}");
        }
    }
}

#[test]
fn another_implementation_reads_and_writes_the_same_values() {
    check(&demo(), "demo");
    check(&users(), "users");
}
