// Written by `weir bindgen`; do not edit.
#![allow(dead_code, unused_imports, unused_mut, unused_variables, missing_docs, clippy::all, clippy::pedantic)]

extern crate alloc;

use self::alloc::string::String;
use self::alloc::vec::Vec;
use super::weir_map::{Declared, DecodeError, Fault, Map, Message, Reader, Writer};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    pub name: String,
    pub id: i32,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for User {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 2)?;
                    self.name = r.text()?;
                }
                2 => {
                    r.expect(kind, 0)?;
                    self.id = r.s32()?;
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if !self.name.is_empty() {
            w.tag(1, 2);
            w.text(&self.name);
        }
        if self.id != 0 {
            w.tag(2, 0);
            w.s32(&self.id);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    pub article: String,
    pub count: u32,
    pub cents: u64,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for Item {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 2)?;
                    self.article = r.text()?;
                }
                2 => {
                    r.expect(kind, 0)?;
                    self.count = r.u32()?;
                }
                3 => {
                    r.expect(kind, 0)?;
                    self.cents = r.u64()?;
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if !self.article.is_empty() {
            w.tag(1, 2);
            w.text(&self.article);
        }
        if self.count != 0 {
            w.tag(2, 0);
            w.u32(&self.count);
        }
        if self.cents != 0 {
            w.tag(3, 0);
            w.u64(&self.cents);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

/// A text, some numbers, twenty records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    pub number: u64,
    pub customer: User,
    pub paid: bool,
    pub note: Option<String>,
    pub items: Vec<Item>,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for Order {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    self.number = r.u64()?;
                }
                2 => {
                    r.expect(kind, 2)?;
                    self.customer.merge(&mut Reader::new(r.slice()?))?;
                }
                3 => {
                    r.expect(kind, 0)?;
                    self.paid = r.bool()?;
                }
                4 => {
                    r.expect(kind, 2)?;
                    self.note = Some(r.text()?);
                }
                5 => {
                    r.expect(kind, 2)?;
                    self.items.push(r.message()?);
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if self.number != 0 {
            w.tag(1, 0);
            w.u64(&self.number);
        }
        w.filled(2, &self.customer);
        if self.paid {
            w.tag(3, 0);
            w.bool(&self.paid);
        }
        if let Some(value) = &self.note {
            w.tag(4, 2);
            w.text(value);
        }
        for value in &self.items {
            w.tag(5, 2);
            w.message(value);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

/// A thousand measurements.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub start: u64,
    pub samples: Vec<f64>,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for Series {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    self.start = r.u64()?;
                }
                2 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.samples.push(r.f64()?);
                        }
                    } else {
                        r.expect(kind, 1)?;
                        self.samples.push(r.f64()?);
                    }
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if self.start != 0 {
            w.tag(1, 0);
            w.u64(&self.start);
        }
        if !self.samples.is_empty() {
            w.tag(2, 2);
            w.piece(|w| {
                for value in &self.samples {
                    w.f64(value);
                }
            });
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

/// The declaration of the map `users`.
pub enum UsersMap {}

impl Declared for UsersMap {
    type Key = String;
    type Value = User;
    const NAME: &'static str = "users";
    const SCHEMA: u64 = 0x065edcd93956cb6b;

    fn encode(value: &User) -> Vec<u8> {
        value.encode()
    }

    fn decode(bytes: &[u8]) -> Result<User, DecodeError> {
        Message::decode(bytes)
    }
}

#[cfg(target_family = "wasm")]
pub type Users<S = super::weir_map::Host> = Map<UsersMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Users<S> = Map<UsersMap, S>;

/// The declaration of the map `orders`.
pub enum OrdersMap {}

impl Declared for OrdersMap {
    type Key = String;
    type Value = Order;
    const NAME: &'static str = "orders";
    const SCHEMA: u64 = 0xb17348dbf613a9d1;

    fn encode(value: &Order) -> Vec<u8> {
        value.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Order, DecodeError> {
        Message::decode(bytes)
    }
}

#[cfg(target_family = "wasm")]
pub type Orders<S = super::weir_map::Host> = Map<OrdersMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Orders<S> = Map<OrdersMap, S>;

/// The declaration of the map `measured`.
pub enum MeasuredMap {}

impl Declared for MeasuredMap {
    type Key = String;
    type Value = Series;
    const NAME: &'static str = "measured";
    const SCHEMA: u64 = 0x642487faa74898f4;

    fn encode(value: &Series) -> Vec<u8> {
        value.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Series, DecodeError> {
        Message::decode(bytes)
    }
}

#[cfg(target_family = "wasm")]
pub type Measured<S = super::weir_map::Host> = Map<MeasuredMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Measured<S> = Map<MeasuredMap, S>;

/// What the gateway compares with its own declarations when it loads the module.
#[cfg(target_family = "wasm")]
#[unsafe(link_section = "weir:map-schema")]
static SCHEMA: [u8; 1108] = *b"{\"weir-schema\":1,\"types\":[{\"name\":\"user\",\"kind\":\"record\",\"parts\":[{\"name\":\"name\",\"number\":1,\"rule\":\"plain\",\"type\":\"string\"},{\"name\":\"id\",\"number\":2,\"rule\":\"plain\",\"type\":\"s32 zigzag\"}]},{\"name\":\"item\",\"kind\":\"record\",\"parts\":[{\"name\":\"article\",\"number\":1,\"rule\":\"plain\",\"type\":\"string\"},{\"name\":\"count\",\"number\":2,\"rule\":\"plain\",\"type\":\"u32 varint\"},{\"name\":\"cents\",\"number\":3,\"rule\":\"plain\",\"type\":\"u64 varint\"}]},{\"name\":\"order\",\"kind\":\"record\",\"parts\":[{\"name\":\"number\",\"number\":1,\"rule\":\"plain\",\"type\":\"u64 varint\"},{\"name\":\"customer\",\"number\":2,\"rule\":\"plain\",\"type\":0},{\"name\":\"paid\",\"number\":3,\"rule\":\"plain\",\"type\":\"bool\"},{\"name\":\"note\",\"number\":4,\"rule\":\"optional\",\"type\":\"string\"},{\"name\":\"items\",\"number\":5,\"rule\":\"repeated\",\"type\":1}]},{\"name\":\"series\",\"kind\":\"record\",\"parts\":[{\"name\":\"start\",\"number\":1,\"rule\":\"plain\",\"type\":\"u64 varint\"},{\"name\":\"samples\",\"number\":2,\"rule\":\"repeated\",\"type\":\"f64\"}]}],\"maps\":[{\"name\":\"users\",\"key\":\"string\",\"value\":\"message\",\"type\":0},{\"name\":\"orders\",\"key\":\"string\",\"value\":\"message\",\"type\":2},{\"name\":\"measured\",\"key\":\"string\",\"value\":\"message\",\"type\":3}]}";
