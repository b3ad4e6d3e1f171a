//! Whatever a guest does with header maps and bodies, by bytes of its own: no panic, sizes agree, and
//! nothing that HTTP forbids gets into a map for the wire.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the gateway uses the rest")]

use bytes::Bytes;
use http::HeaderMap;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/proxy/src"]
mod proxy {
    pub mod message;
}

use proxy::message::{BodyBuffer, FieldValue, HeaderList, Side};

#[derive(Arbitrary, Debug)]
enum Order {
    Add(Vec<u8>, Vec<u8>),
    Replace(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    Push(Vec<u8>),
    Splice(u32, u32, Vec<u8>),
    Slice(u32, u32),
    Join,
    Pop,
}

fuzz_target!(|input: (bool, Vec<Order>)| {
    let (is_request, orders) = input;
    let side = if is_request { Side::Request } else { Side::Response };
    let mut headers = HeaderList::default();
    let mut body = BodyBuffer::default();
    for order in orders {
        match order {
            Order::Add(name, value) => headers.add(&name, FieldValue::copied(&value), side),
            Order::Replace(name, value) => {
                headers.replace(&name, FieldValue::copied(&value), side);
                let first = headers.first(&name, side).map(FieldValue::as_bytes);
                assert_eq!(first, Some(&value[..]));
            }
            Order::Remove(name) => {
                headers.remove(&name, side);
                assert!(headers.first(&name, side).is_none());
            }
            Order::Push(bytes) => {
                let before = body.len();
                body.push(Bytes::from(bytes.clone()));
                assert_eq!(body.len(), before + bytes.len());
            }
            Order::Splice(start, length, bytes) => {
                let before = body.len();
                let spliced = body.splice(start as usize, length as usize, Bytes::from(bytes));
                assert!(spliced.is_ok() || body.len() == before);
            }
            Order::Slice(start, max) => {
                assert!(body.slice(start as usize, max as usize).len() <= max as usize);
            }
            Order::Join => body.join(),
            Order::Pop => drop(body.pop()),
        }
        let sum: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert_eq!((headers.iter().count(), sum), (headers.len(), headers.bytes()));
    }
    if let Ok(map) = headers.to_map(HeaderMap::new()) {
        let is_clean = |bytes: &[u8]| !bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        assert!(map.values().all(|value| is_clean(value.as_bytes())));
    }
});
