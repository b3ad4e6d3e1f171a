//! JSON, protobuf and Avro for the same values: bytes, and time to write and to read them.
//!
//! Two ways of each: with types that the compiler knows (generated code; serde), and with types that
//! are looked up while the program runs, which is what a gateway does that has only the schema.

// As `weir bindgen values.map --lang rust --out src/gen` wrote it.
#[rustfmt::skip]
#[path = "gen"]
mod declared {
    pub mod values;
    pub mod weir_map;
}

use std::hint::black_box;
use std::time::Instant;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use declared::values as types;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use weir_bindgen::codec::{decode, encode};
use weir_bindgen::json::parse;
use weir_bindgen::schema::{Schema, Type, TypeId};

/// Rounds of one measurement; the least time counts, since others use the machine too.
const ROUNDS: usize = 30;
/// Nanoseconds that a round takes at least.
const ROUND_NS: u128 = 5_000_000;

#[derive(Serialize, Deserialize)]
struct User {
    name: String,
    id: i32,
}

#[derive(Serialize, Deserialize)]
struct Item {
    article: String,
    count: u32,
    cents: u64,
}

#[derive(Serialize, Deserialize)]
struct Order {
    number: u64,
    customer: User,
    paid: bool,
    note: Option<String>,
    items: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
struct Series {
    start: u64,
    samples: Vec<f64>,
}

/// One value in all forms that the formats begin with.
struct Case {
    name: &'static str,
    json: Json,
    avro: &'static str,
}

const USER: &str = r#"{"type":"record","name":"user","fields":[{"name":"name","type":"string"},{"name":"id","type":"int"}]}"#;
const ORDER: &str = r#"{"type":"record","name":"order","fields":[
    {"name":"number","type":"long"},
    {"name":"customer","type":{"type":"record","name":"user","fields":[{"name":"name","type":"string"},{"name":"id","type":"int"}]}},
    {"name":"paid","type":"boolean"},
    {"name":"note","type":["null","string"]},
    {"name":"items","type":{"type":"array","items":{"type":"record","name":"item","fields":[
        {"name":"article","type":"string"},{"name":"count","type":"int"},{"name":"cents","type":"long"}]}}}]}"#;
const SERIES: &str = r#"{"type":"record","name":"series","fields":[{"name":"start","type":"long"},{"name":"samples","type":{"type":"array","items":"double"}}]}"#;

fn cases() -> [Case; 3] {
    let items: Vec<Json> = (0..20_u64)
        .map(|at| json!({ "article": format!("article-{at:05}"), "count": at % 7 + 1, "cents": at * at * 37 + 199 }))
        .collect();
    let samples: Vec<f64> = (0..1000_u32)
        .map(|at| (f64::from(at) / 50.0).sin() * 21.5)
        .collect();
    [
        Case {
            name: "user",
            json: json!({ "name": "Ann Example", "id": 4711 }),
            avro: USER,
        },
        Case {
            name: "order",
            json: json!({
                "number": 20_261_123_004_711_u64,
                "customer": { "name": "Ann Example", "id": 4711 },
                "paid": true,
                "note": "leave it with the neighbours",
                "items": items,
            }),
            avro: ORDER,
        },
        Case {
            name: "series",
            json: json!({ "start": 1_795_420_800_000_u64, "samples": samples }),
            avro: SERIES,
        },
    ]
}

/// Nanoseconds of one call.
fn time<T>(mut call: impl FnMut() -> T) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (begun, mut calls) = (Instant::now(), 0_u32);
        let took = loop {
            for _ in 0..16 {
                black_box(call());
            }
            calls += 16;
            let took = begun.elapsed().as_nanos();
            if took >= ROUND_NS {
                break took;
            }
        };
        least = least.min(took as f64 / f64::from(calls));
    }
    least
}

fn row(case: &str, format: &str, bytes: usize, write: f64, read: f64) {
    println!("| {case} | {format} | {bytes} | {write:.0} | {read:.0} |");
}

fn typed<M: declared::weir_map::Message>(case: &Case, bytes: &[u8]) {
    let value = M::decode(bytes).expect("generated code reads it");
    assert_eq!(value.encode(), bytes, "generated code writes the same");
    row(
        case.name,
        "protobuf, generated",
        bytes.len(),
        time(|| value.encode()),
        time(|| M::decode(black_box(bytes))),
    );
}

fn serde<T: Serialize + for<'a> Deserialize<'a>>(case: &Case) {
    let value: T = serde_json::from_value(case.json.clone()).expect("it fits");
    let bytes = serde_json::to_vec(&value).expect("it is JSON");
    let read = || serde_json::from_slice::<T>(black_box(&bytes)).expect("it is JSON");
    row(
        case.name,
        "JSON, serde's derive",
        bytes.len(),
        time(|| serde_json::to_vec(&value)),
        time(read),
    );
}

fn by_schema(case: &Case, schema: &Schema) -> Vec<u8> {
    let at = schema.types.iter().position(|ty| ty.name == case.name);
    let id = TypeId(at.expect("the schema has it"));
    let value = parse(schema, Type::Named(id), &case.json).expect("it fits");
    let bytes = encode(schema, id, &value).expect("it has bytes");
    assert_eq!(decode(schema, id, &bytes).as_ref(), Ok(&value));
    let read = || decode(schema, id, black_box(&bytes));
    row(
        case.name,
        "protobuf, by schema",
        bytes.len(),
        time(|| encode(schema, id, &value)),
        time(read),
    );
    bytes
}

fn json(case: &Case) {
    let bytes = serde_json::to_vec(&case.json).expect("it is JSON");
    let read = || serde_json::from_slice::<Json>(black_box(&bytes)).expect("it is JSON");
    row(
        case.name,
        "JSON, any",
        bytes.len(),
        time(|| serde_json::to_vec(&case.json)),
        time(read),
    );
}

/// A datum without a header: as protobuf, whoever reads it knows the schema.
fn avro(case: &Case) {
    let schema = apache_avro::Schema::parse_str(case.avro).expect("a schema");
    let value = Avro::try_from(case.json.clone()).expect("it is a value");
    let value = value.resolve(&schema).expect("it fits");
    let writer = GenericDatumWriter::builder(&schema)
        .build()
        .expect("a writer");
    let reader = GenericDatumReader::builder(&schema)
        .build()
        .expect("a reader");
    let write = || {
        let mut bytes = Vec::new();
        writer
            .write_value_ref(&mut bytes, black_box(&value))
            .map(|_| bytes)
    };
    let bytes = write().expect("it has bytes");
    let read = || reader.read_value(&mut black_box(&bytes[..]));
    assert_eq!(read().expect("it is read"), value);
    row(
        case.name,
        "Avro, by schema",
        bytes.len(),
        time(write),
        time(read),
    );
}

fn main() {
    let schema = serde_json::from_str(include_str!("../values.json")).expect("the schema is JSON");
    let schema = Schema::from_json(&schema).expect("and a schema");
    println!("| value | format | bytes | write ns | read ns |\n|---|---|--:|--:|--:|");
    for case in &cases() {
        let bytes = by_schema(case, &schema);
        match case.name {
            "user" => (serde::<User>(case), typed::<types::User>(case, &bytes)),
            "order" => (serde::<Order>(case), typed::<types::Order>(case, &bytes)),
            _ => (serde::<Series>(case), typed::<types::Series>(case, &bytes)),
        };
        json(case);
        avro(case);
    }
}
