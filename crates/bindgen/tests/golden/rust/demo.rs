// Written by `weir bindgen`; do not edit.
#![allow(dead_code, unused_imports, unused_mut, unused_variables, missing_docs, clippy::all, clippy::pedantic)]

extern crate alloc;

use self::alloc::string::String;
use self::alloc::vec::Vec;
use super::weir_map::{Declared, DecodeError, Fault, Map, Message, Reader, Writer};

/// Who somebody is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    /// What they are called.
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

#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Colour(pub i32);

impl Colour {
    pub const RED: Self = Self(0);
    pub const GREEN: Self = Self(1);
    pub const BLUE: Self = Self(7);
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rights(pub u64);

impl Rights {
    pub const READ: Self = Self(1 << 0);
    pub const WRITE: Self = Self(1 << 1);
    pub const ADMIN: Self = Self(1 << 40);
}

impl core::ops::BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for Point {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 1)?;
                    self.x = r.f64()?;
                }
                2 => {
                    r.expect(kind, 1)?;
                    self.y = r.f64()?;
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if self.x.to_bits() != 0 {
            w.tag(1, 1);
            w.f64(&self.x);
        }
        if self.y.to_bits() != 0 {
            w.tag(2, 1);
            w.f64(&self.y);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShapePolygonItems {
    pub items: Vec<Point>,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for ShapePolygonItems {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 2)?;
                    self.items.push(r.message()?);
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        for value in &self.items {
            w.tag(1, 2);
            w.message(value);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Nothing,
    Circle(f32),
    Polygon(ShapePolygonItems),
    Label(String),
    Owner(User),
    /// A case that a newer schema has.
    Unknown_(Vec<u8>),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Nothing
    }
}

impl Message for Shape {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut found = None;
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    r.bool()?;
                    found = Some(Self::Nothing);
                }
                2 => {
                    r.expect(kind, 5)?;
                    found = Some(Self::Circle(r.f32()?));
                }
                3 => {
                    r.expect(kind, 2)?;
                    found = Some(Self::Polygon(r.message()?));
                }
                4 => {
                    r.expect(kind, 2)?;
                    found = Some(Self::Label(r.text()?));
                }
                5 => {
                    r.expect(kind, 2)?;
                    found = Some(Self::Owner(r.message()?));
                }
                _ => r.skip(kind)?,
            }
        }
        *self = found.unwrap_or_else(|| Self::Unknown_(r.all().to_vec()));
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Nothing => {
                w.tag(1, 0);
                w.bool(&true);
            }
            Self::Circle(value) => {
                w.tag(2, 5);
                w.f32(value);
            }
            Self::Polygon(value) => {
                w.tag(3, 2);
                w.message(value);
            }
            Self::Label(value) => {
                w.tag(4, 2);
                w.text(value);
            }
            Self::Owner(value) => {
                w.tag(5, 2);
                w.message(value);
            }
            Self::Unknown_(bytes) => w.out.extend_from_slice(bytes),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleMaybeListItems {
    pub items: Vec<u32>,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for SampleMaybeListItems {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.items.push(r.u32()?);
                        }
                    } else {
                        r.expect(kind, 0)?;
                        self.items.push(r.u32()?);
                    }
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if !self.items.is_empty() {
            w.tag(1, 2);
            w.piece(|w| {
                for value in &self.items {
                    w.u32(value);
                }
            });
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleGridItems {
    pub items: Vec<u32>,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for SampleGridItems {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.items.push(r.u32()?);
                        }
                    } else {
                        r.expect(kind, 0)?;
                        self.items.push(r.u32()?);
                    }
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if !self.items.is_empty() {
            w.tag(1, 2);
            w.piece(|w| {
                for value in &self.items {
                    w.u32(value);
                }
            });
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplePair {
    pub f0: u32,
    pub f1: String,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for SamplePair {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    self.f0 = r.u32()?;
                }
                2 => {
                    r.expect(kind, 2)?;
                    self.f1 = r.text()?;
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if self.f0 != 0 {
            w.tag(1, 0);
            w.u32(&self.f0);
        }
        if !self.f1.is_empty() {
            w.tag(2, 2);
            w.text(&self.f1);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum SampleOutcome {
    Ok(u32),
    Err(String),
    /// A case that a newer schema has.
    Unknown_(Vec<u8>),
}

impl Default for SampleOutcome {
    fn default() -> Self {
        Self::Ok(Default::default())
    }
}

impl Message for SampleOutcome {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut found = None;
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    found = Some(Self::Ok(r.u32()?));
                }
                2 => {
                    r.expect(kind, 2)?;
                    found = Some(Self::Err(r.text()?));
                }
                _ => r.skip(kind)?,
            }
        }
        *self = found.unwrap_or_else(|| Self::Unknown_(r.all().to_vec()));
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Ok(value) => {
                w.tag(1, 0);
                w.u32(value);
            }
            Self::Err(value) => {
                w.tag(2, 2);
                w.text(value);
            }
            Self::Unknown_(bytes) => w.out.extend_from_slice(bytes),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum SampleDone {
    Ok,
    Err,
    /// A case that a newer schema has.
    Unknown_(Vec<u8>),
}

impl Default for SampleDone {
    fn default() -> Self {
        Self::Ok
    }
}

impl Message for SampleDone {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut found = None;
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    r.bool()?;
                    found = Some(Self::Ok);
                }
                2 => {
                    r.expect(kind, 0)?;
                    r.bool()?;
                    found = Some(Self::Err);
                }
                _ => r.skip(kind)?,
            }
        }
        *self = found.unwrap_or_else(|| Self::Unknown_(r.all().to_vec()));
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Ok => {
                w.tag(1, 0);
                w.bool(&true);
            }
            Self::Err => {
                w.tag(2, 0);
                w.bool(&true);
            }
            Self::Unknown_(bytes) => w.out.extend_from_slice(bytes),
        }
    }
}

/// A value with a field of every type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    pub flag: bool,
    pub tiny: i8,
    pub small: i16,
    pub medium: i32,
    pub big: i64,
    pub utiny: u8,
    pub usmall: u16,
    pub umedium: u32,
    pub ubig: u64,
    pub single: f32,
    pub double: f64,
    pub letter: char,
    pub text: String,
    pub raw: Vec<u8>,
    pub colour: Colour,
    pub rights: Rights,
    pub user: User,
    pub shape: Shape,
    pub maybe_number: Option<u32>,
    pub maybe_text: Option<String>,
    pub maybe_user: Option<User>,
    pub maybe_list: Option<SampleMaybeListItems>,
    pub numbers: Vec<i64>,
    pub ratios: Vec<f64>,
    pub colours: Vec<Colour>,
    pub texts: Vec<String>,
    pub users: Vec<User>,
    pub shapes: Vec<Shape>,
    pub grid: Vec<SampleGridItems>,
    pub pair: SamplePair,
    pub outcome: SampleOutcome,
    pub done: SampleDone,
    /// Given later.
    pub r#type: String,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for Sample {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    self.flag = r.bool()?;
                }
                2 => {
                    r.expect(kind, 0)?;
                    self.tiny = r.s8()?;
                }
                3 => {
                    r.expect(kind, 0)?;
                    self.small = r.s16()?;
                }
                4 => {
                    r.expect(kind, 0)?;
                    self.medium = r.s32()?;
                }
                5 => {
                    r.expect(kind, 0)?;
                    self.big = r.s64()?;
                }
                6 => {
                    r.expect(kind, 0)?;
                    self.utiny = r.u8()?;
                }
                7 => {
                    r.expect(kind, 0)?;
                    self.usmall = r.u16()?;
                }
                8 => {
                    r.expect(kind, 0)?;
                    self.umedium = r.u32()?;
                }
                9 => {
                    r.expect(kind, 0)?;
                    self.ubig = r.u64()?;
                }
                10 => {
                    r.expect(kind, 5)?;
                    self.single = r.f32()?;
                }
                11 => {
                    r.expect(kind, 1)?;
                    self.double = r.f64()?;
                }
                12 => {
                    r.expect(kind, 0)?;
                    self.letter = r.char()?;
                }
                13 => {
                    r.expect(kind, 2)?;
                    self.text = r.text()?;
                }
                14 => {
                    r.expect(kind, 2)?;
                    self.raw = r.bytes()?;
                }
                15 => {
                    r.expect(kind, 0)?;
                    self.colour = Colour(r.i32()?);
                }
                16 => {
                    r.expect(kind, 0)?;
                    self.rights = Rights(r.u64()?);
                }
                17 => {
                    r.expect(kind, 2)?;
                    self.user.merge(&mut Reader::new(r.slice()?))?;
                }
                18 => {
                    r.expect(kind, 2)?;
                    self.shape = r.message()?;
                }
                19 => {
                    r.expect(kind, 0)?;
                    self.maybe_number = Some(r.u32()?);
                }
                20 => {
                    r.expect(kind, 2)?;
                    self.maybe_text = Some(r.text()?);
                }
                21 => {
                    r.expect(kind, 2)?;
                    self.maybe_user.get_or_insert_with(Default::default).merge(&mut Reader::new(r.slice()?))?;
                }
                22 => {
                    r.expect(kind, 2)?;
                    self.maybe_list.get_or_insert_with(Default::default).merge(&mut Reader::new(r.slice()?))?;
                }
                23 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.numbers.push(r.s64()?);
                        }
                    } else {
                        r.expect(kind, 0)?;
                        self.numbers.push(r.s64()?);
                    }
                }
                24 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.ratios.push(r.f64()?);
                        }
                    } else {
                        r.expect(kind, 1)?;
                        self.ratios.push(r.f64()?);
                    }
                }
                25 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.colours.push(Colour(r.i32()?));
                        }
                    } else {
                        r.expect(kind, 0)?;
                        self.colours.push(Colour(r.i32()?));
                    }
                }
                26 => {
                    r.expect(kind, 2)?;
                    self.texts.push(r.text()?);
                }
                27 => {
                    r.expect(kind, 2)?;
                    self.users.push(r.message()?);
                }
                28 => {
                    r.expect(kind, 2)?;
                    self.shapes.push(r.message()?);
                }
                29 => {
                    r.expect(kind, 2)?;
                    self.grid.push(r.message()?);
                }
                30 => {
                    r.expect(kind, 2)?;
                    self.pair.merge(&mut Reader::new(r.slice()?))?;
                }
                31 => {
                    r.expect(kind, 2)?;
                    self.outcome = r.message()?;
                }
                32 => {
                    r.expect(kind, 2)?;
                    self.done = r.message()?;
                }
                100 => {
                    r.expect(kind, 2)?;
                    self.r#type = r.text()?;
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if self.flag {
            w.tag(1, 0);
            w.bool(&self.flag);
        }
        if self.tiny != 0 {
            w.tag(2, 0);
            w.s8(&self.tiny);
        }
        if self.small != 0 {
            w.tag(3, 0);
            w.s16(&self.small);
        }
        if self.medium != 0 {
            w.tag(4, 0);
            w.s32(&self.medium);
        }
        if self.big != 0 {
            w.tag(5, 0);
            w.s64(&self.big);
        }
        if self.utiny != 0 {
            w.tag(6, 0);
            w.u8(&self.utiny);
        }
        if self.usmall != 0 {
            w.tag(7, 0);
            w.u16(&self.usmall);
        }
        if self.umedium != 0 {
            w.tag(8, 0);
            w.u32(&self.umedium);
        }
        if self.ubig != 0 {
            w.tag(9, 0);
            w.u64(&self.ubig);
        }
        if self.single.to_bits() != 0 {
            w.tag(10, 5);
            w.f32(&self.single);
        }
        if self.double.to_bits() != 0 {
            w.tag(11, 1);
            w.f64(&self.double);
        }
        if self.letter != '\0' {
            w.tag(12, 0);
            w.char(&self.letter);
        }
        if !self.text.is_empty() {
            w.tag(13, 2);
            w.text(&self.text);
        }
        if !self.raw.is_empty() {
            w.tag(14, 2);
            w.bytes(&self.raw);
        }
        if self.colour.0 != 0 {
            w.tag(15, 0);
            w.i32(&self.colour.0);
        }
        if self.rights.0 != 0 {
            w.tag(16, 0);
            w.u64(&self.rights.0);
        }
        w.filled(17, &self.user);
        w.tag(18, 2);
        w.message(&self.shape);
        if let Some(value) = &self.maybe_number {
            w.tag(19, 0);
            w.u32(value);
        }
        if let Some(value) = &self.maybe_text {
            w.tag(20, 2);
            w.text(value);
        }
        if let Some(value) = &self.maybe_user {
            w.tag(21, 2);
            w.message(value);
        }
        if let Some(value) = &self.maybe_list {
            w.tag(22, 2);
            w.message(value);
        }
        if !self.numbers.is_empty() {
            w.tag(23, 2);
            w.piece(|w| {
                for value in &self.numbers {
                    w.s64(value);
                }
            });
        }
        if !self.ratios.is_empty() {
            w.tag(24, 2);
            w.piece(|w| {
                for value in &self.ratios {
                    w.f64(value);
                }
            });
        }
        if !self.colours.is_empty() {
            w.tag(25, 2);
            w.piece(|w| {
                for value in &self.colours {
                    w.i32(&value.0);
                }
            });
        }
        for value in &self.texts {
            w.tag(26, 2);
            w.text(value);
        }
        for value in &self.users {
            w.tag(27, 2);
            w.message(value);
        }
        for value in &self.shapes {
            w.tag(28, 2);
            w.message(value);
        }
        for value in &self.grid {
            w.tag(29, 2);
            w.message(value);
        }
        w.filled(30, &self.pair);
        w.tag(31, 2);
        w.message(&self.outcome);
        w.tag(32, 2);
        w.message(&self.done);
        if !self.r#type.is_empty() {
            w.tag(100, 2);
            w.text(&self.r#type);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

/// Passed between languages byte for byte.
#[repr(C)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataPacket {
    pub id: u32,
    pub value: f64,
}

impl Message for DataPacket {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    self.id = r.u32()?;
                }
                2 => {
                    r.expect(kind, 1)?;
                    self.value = r.f64()?;
                }
                _ => r.skip(kind)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if self.id != 0 {
            w.tag(1, 0);
            w.u32(&self.id);
        }
        if self.value.to_bits() != 0 {
            w.tag(2, 1);
            w.f64(&self.value);
        }
    }
}

impl DataPacket {
    /// Bytes of the record in C.
    pub const SIZE: usize = 16;

    /// The record as C lays it out.
    pub fn to_c(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[0..4].copy_from_slice(&self.id.to_le_bytes());
        out[8..16].copy_from_slice(&self.value.to_le_bytes());
        out
    }

    /// The record in these bytes.
    pub fn from_c(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() != Self::SIZE {
            return Err(DecodeError { fault: Fault::Length, field: 0 });
        }
        let part = |from: usize| {
            let mut part = [0; 8];
            let end = bytes.len().min(from + 8);
            part[..end - from].copy_from_slice(&bytes[from..end]);
            u64::from_le_bytes(part)
        };
        let wrong = |field| DecodeError { fault: Fault::Range, field };
        Ok(Self {
            id: part(0) as u32,
            value: f64::from_bits(part(8)),
        })
    }
}

/// A record in a record, with padding in between.
#[repr(C)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    pub kind: u8,
    pub packet: DataPacket,
    pub colour: Colour,
    pub last: bool,
    pub delta: i16,
}

impl Message for Frame {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    self.kind = r.u8()?;
                }
                2 => {
                    r.expect(kind, 2)?;
                    self.packet.merge(&mut Reader::new(r.slice()?))?;
                }
                3 => {
                    r.expect(kind, 0)?;
                    self.colour = Colour(r.i32()?);
                }
                4 => {
                    r.expect(kind, 0)?;
                    self.last = r.bool()?;
                }
                5 => {
                    r.expect(kind, 0)?;
                    self.delta = r.s16()?;
                }
                _ => r.skip(kind)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if self.kind != 0 {
            w.tag(1, 0);
            w.u8(&self.kind);
        }
        w.filled(2, &self.packet);
        if self.colour.0 != 0 {
            w.tag(3, 0);
            w.i32(&self.colour.0);
        }
        if self.last {
            w.tag(4, 0);
            w.bool(&self.last);
        }
        if self.delta != 0 {
            w.tag(5, 0);
            w.s16(&self.delta);
        }
    }
}

impl Frame {
    /// Bytes of the record in C.
    pub const SIZE: usize = 32;

    /// The record as C lays it out.
    pub fn to_c(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out[0..1].copy_from_slice(&self.kind.to_le_bytes());
        out[8..24].copy_from_slice(&self.packet.to_c());
        out[24..28].copy_from_slice(&self.colour.0.to_le_bytes());
        out[28..29].copy_from_slice(&[u8::from(self.last)]);
        out[30..32].copy_from_slice(&self.delta.to_le_bytes());
        out
    }

    /// The record in these bytes.
    pub fn from_c(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() != Self::SIZE {
            return Err(DecodeError { fault: Fault::Length, field: 0 });
        }
        let part = |from: usize| {
            let mut part = [0; 8];
            let end = bytes.len().min(from + 8);
            part[..end - from].copy_from_slice(&bytes[from..end]);
            u64::from_le_bytes(part)
        };
        let wrong = |field| DecodeError { fault: Fault::Range, field };
        Ok(Self {
            kind: part(0) as u8,
            packet: DataPacket::from_c(&bytes[8..24])?,
            colour: Colour(part(24) as _),
            last: match bytes[28] { 0 => false, 1 => true, _ => return Err(wrong(4)) },
            delta: part(30) as i16,
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListsItems {
    pub items: Vec<u32>,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for ListsItems {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.items.push(r.u32()?);
                        }
                    } else {
                        r.expect(kind, 0)?;
                        self.items.push(r.u32()?);
                    }
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if !self.items.is_empty() {
            w.tag(1, 2);
            w.piece(|w| {
                for value in &self.items {
                    w.u32(value);
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

/// Everybody.
#[cfg(target_family = "wasm")]
pub type Users<S = super::weir_map::Host> = Map<UsersMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Users<S> = Map<UsersMap, S>;

/// The declaration of the map `samples`.
pub enum SamplesMap {}

impl Declared for SamplesMap {
    type Key = u64;
    type Value = Sample;
    const NAME: &'static str = "samples";
    const SCHEMA: u64 = 0x01a66753f71967fa;

    fn encode(value: &Sample) -> Vec<u8> {
        value.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Sample, DecodeError> {
        Message::decode(bytes)
    }
}

#[cfg(target_family = "wasm")]
pub type Samples<S = super::weir_map::Host> = Map<SamplesMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Samples<S> = Map<SamplesMap, S>;

/// The declaration of the map `shapes`.
pub enum ShapesMap {}

impl Declared for ShapesMap {
    type Key = i32;
    type Value = Shape;
    const NAME: &'static str = "shapes";
    const SCHEMA: u64 = 0xb9dda70369fcdd08;

    fn encode(value: &Shape) -> Vec<u8> {
        value.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Shape, DecodeError> {
        Message::decode(bytes)
    }
}

#[cfg(target_family = "wasm")]
pub type Shapes<S = super::weir_map::Host> = Map<ShapesMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Shapes<S> = Map<ShapesMap, S>;

/// The declaration of the map `packets`.
pub enum PacketsMap {}

impl Declared for PacketsMap {
    type Key = u32;
    type Value = DataPacket;
    const NAME: &'static str = "packets";
    const SCHEMA: u64 = 0x27af3828d3c82eb8;

    fn encode(value: &DataPacket) -> Vec<u8> {
        value.to_c().to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<DataPacket, DecodeError> {
        DataPacket::from_c(bytes)
    }
}

#[cfg(target_family = "wasm")]
pub type Packets<S = super::weir_map::Host> = Map<PacketsMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Packets<S> = Map<PacketsMap, S>;

/// The declaration of the map `frames`.
pub enum FramesMap {}

impl Declared for FramesMap {
    type Key = u16;
    type Value = Frame;
    const NAME: &'static str = "frames";
    const SCHEMA: u64 = 0x308b764744f7946d;

    fn encode(value: &Frame) -> Vec<u8> {
        value.to_c().to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
        Frame::from_c(bytes)
    }
}

#[cfg(target_family = "wasm")]
pub type Frames<S = super::weir_map::Host> = Map<FramesMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Frames<S> = Map<FramesMap, S>;

/// The declaration of the map `thumbs`.
pub enum ThumbsMap {}

impl Declared for ThumbsMap {
    type Key = u64;
    type Value = Vec<u8>;
    const NAME: &'static str = "thumbs";
    const SCHEMA: u64 = 0xd810e838a84e6698;

    fn encode(value: &Vec<u8>) -> Vec<u8> {
        value.clone()
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(bytes.to_vec())
    }
}

#[cfg(target_family = "wasm")]
pub type Thumbs<S = super::weir_map::Host> = Map<ThumbsMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Thumbs<S> = Map<ThumbsMap, S>;

/// The declaration of the map `notes`.
pub enum NotesMap {}

impl Declared for NotesMap {
    type Key = Vec<u8>;
    type Value = String;
    const NAME: &'static str = "notes";
    const SCHEMA: u64 = 0xb88d3a4fb89a2805;

    fn encode(value: &String) -> Vec<u8> {
        value.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<String, DecodeError> {
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(DecodeError { fault: Fault::Utf8, field: 0 }),
        }
    }
}

#[cfg(target_family = "wasm")]
pub type Notes<S = super::weir_map::Host> = Map<NotesMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Notes<S> = Map<NotesMap, S>;

/// The declaration of the map `counters`.
pub enum CountersMap {}

impl Declared for CountersMap {
    type Key = String;
    type Value = i64;
    const NAME: &'static str = "counters";
    const SCHEMA: u64 = 0x0b40c6729ea1c9b8;

    fn encode(value: &i64) -> Vec<u8> {
        value.to_le_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<i64, DecodeError> {
        match bytes.try_into() {
            Ok(bytes) => Ok(i64::from_le_bytes(bytes)),
            Err(_) => Err(DecodeError { fault: Fault::Length, field: 0 }),
        }
    }
}

#[cfg(target_family = "wasm")]
pub type Counters<S = super::weir_map::Host> = Map<CountersMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Counters<S> = Map<CountersMap, S>;

/// The declaration of the map `lists`.
pub enum ListsMap {}

impl Declared for ListsMap {
    type Key = bool;
    type Value = ListsItems;
    const NAME: &'static str = "lists";
    const SCHEMA: u64 = 0x712244bfb64cf207;

    fn encode(value: &ListsItems) -> Vec<u8> {
        value.encode()
    }

    fn decode(bytes: &[u8]) -> Result<ListsItems, DecodeError> {
        Message::decode(bytes)
    }
}

#[cfg(target_family = "wasm")]
pub type Lists<S = super::weir_map::Host> = Map<ListsMap, S>;
#[cfg(not(target_family = "wasm"))]
pub type Lists<S> = Map<ListsMap, S>;

/// What the gateway compares with its own declarations when it loads the module.
#[cfg(target_family = "wasm")]
#[unsafe(link_section = "weir:map-schema")]
static SCHEMA: [u8; 4782] = *b"{\"weir-schema\":1,\"types\":[{\"name\":\"user\",\"kind\":\"record\",\"parts\":[{\"name\":\"name\",\"number\":1,\"rule\":\"plain\",\"type\":\"string\"},{\"name\":\"id\",\"number\":2,\"rule\":\"plain\",\"type\":\"s32 zigzag\"}]},{\"name\":\"colour\",\"kind\":\"enum\",\"parts\":[{\"name\":\"red\",\"number\":0},{\"name\":\"green\",\"number\":1},{\"name\":\"blue\",\"number\":7}]},{\"name\":\"rights\",\"kind\":\"flags\",\"parts\":[{\"name\":\"read\",\"number\":0},{\"name\":\"write\",\"number\":1},{\"name\":\"admin\",\"number\":40}]},{\"name\":\"point\",\"kind\":\"record\",\"parts\":[{\"name\":\"x\",\"number\":1,\"rule\":\"plain\",\"type\":\"f64\"},{\"name\":\"y\",\"number\":2,\"rule\":\"plain\",\"type\":\"f64\"}]},{\"name\":\"shape-polygon-items\",\"kind\":\"wrapper\",\"parts\":[{\"name\":\"items\",\"number\":1,\"rule\":\"repeated\",\"type\":3}]},{\"name\":\"shape\",\"kind\":\"variant\",\"parts\":[{\"name\":\"nothing\",\"number\":1,\"type\":null},{\"name\":\"circle\",\"number\":2,\"type\":\"f32\"},{\"name\":\"polygon\",\"number\":3,\"type\":4},{\"name\":\"label\",\"number\":4,\"type\":\"string\"},{\"name\":\"owner\",\"number\":5,\"type\":0}]},{\"name\":\"sample-maybe-list-items\",\"kind\":\"wrapper\",\"parts\":[{\"name\":\"items\",\"number\":1,\"rule\":\"repeated\",\"type\":\"u32 varint\"}]},{\"name\":\"sample-grid-items\",\"kind\":\"wrapper\",\"parts\":[{\"name\":\"items\",\"number\":1,\"rule\":\"repeated\",\"type\":\"u32 varint\"}]},{\"name\":\"sample-pair\",\"kind\":\"tuple\",\"parts\":[{\"name\":\"f0\",\"number\":1,\"rule\":\"plain\",\"type\":\"u32 varint\"},{\"name\":\"f1\",\"number\":2,\"rule\":\"plain\",\"type\":\"string\"}]},{\"name\":\"sample-outcome\",\"kind\":\"variant\",\"parts\":[{\"name\":\"ok\",\"number\":1,\"type\":\"u32 varint\"},{\"name\":\"err\",\"number\":2,\"type\":\"string\"}]},{\"name\":\"sample-done\",\"kind\":\"variant\",\"parts\":[{\"name\":\"ok\",\"number\":1,\"type\":null},{\"name\":\"err\",\"number\":2,\"type\":null}]},{\"name\":\"sample\",\"kind\":\"record\",\"parts\":[{\"name\":\"flag\",\"number\":1,\"rule\":\"plain\",\"type\":\"bool\"},{\"name\":\"tiny\",\"number\":2,\"rule\":\"plain\",\"type\":\"s8 zigzag\"},{\"name\":\"small\",\"number\":3,\"rule\":\"plain\",\"type\":\"s16 zigzag\"},{\"name\":\"medium\",\"number\":4,\"rule\":\"plain\",\"type\":\"s32 zigzag\"},{\"name\":\"big\",\"number\":5,\"rule\":\"plain\",\"type\":\"s64 zigzag\"},{\"name\":\"utiny\",\"number\":6,\"rule\":\"plain\",\"type\":\"u8 varint\"},{\"name\":\"usmall\",\"number\":7,\"rule\":\"plain\",\"type\":\"u16 varint\"},{\"name\":\"umedium\",\"number\":8,\"rule\":\"plain\",\"type\":\"u32 varint\"},{\"name\":\"ubig\",\"number\":9,\"rule\":\"plain\",\"type\":\"u64 varint\"},{\"name\":\"single\",\"number\":10,\"rule\":\"plain\",\"type\":\"f32\"},{\"name\":\"double\",\"number\":11,\"rule\":\"plain\",\"type\":\"f64\"},{\"name\":\"letter\",\"number\":12,\"rule\":\"plain\",\"type\":\"char\"},{\"name\":\"text\",\"number\":13,\"rule\":\"plain\",\"type\":\"string\"},{\"name\":\"raw\",\"number\":14,\"rule\":\"plain\",\"type\":\"bytes\"},{\"name\":\"colour\",\"number\":15,\"rule\":\"plain\",\"type\":1},{\"name\":\"rights\",\"number\":16,\"rule\":\"plain\",\"type\":2},{\"name\":\"user\",\"number\":17,\"rule\":\"plain\",\"type\":0},{\"name\":\"shape\",\"number\":18,\"rule\":\"plain\",\"type\":5},{\"name\":\"maybe-number\",\"number\":19,\"rule\":\"optional\",\"type\":\"u32 varint\"},{\"name\":\"maybe-text\",\"number\":20,\"rule\":\"optional\",\"type\":\"string\"},{\"name\":\"maybe-user\",\"number\":21,\"rule\":\"optional\",\"type\":0},{\"name\":\"maybe-list\",\"number\":22,\"rule\":\"optional\",\"type\":6},{\"name\":\"numbers\",\"number\":23,\"rule\":\"repeated\",\"type\":\"s64 zigzag\"},{\"name\":\"ratios\",\"number\":24,\"rule\":\"repeated\",\"type\":\"f64\"},{\"name\":\"colours\",\"number\":25,\"rule\":\"repeated\",\"type\":1},{\"name\":\"texts\",\"number\":26,\"rule\":\"repeated\",\"type\":\"string\"},{\"name\":\"users\",\"number\":27,\"rule\":\"repeated\",\"type\":0},{\"name\":\"shapes\",\"number\":28,\"rule\":\"repeated\",\"type\":5},{\"name\":\"grid\",\"number\":29,\"rule\":\"repeated\",\"type\":7},{\"name\":\"pair\",\"number\":30,\"rule\":\"plain\",\"type\":8},{\"name\":\"outcome\",\"number\":31,\"rule\":\"plain\",\"type\":9},{\"name\":\"done\",\"number\":32,\"rule\":\"plain\",\"type\":10},{\"name\":\"type\",\"number\":100,\"rule\":\"plain\",\"type\":\"string\"}]},{\"name\":\"data-packet\",\"kind\":\"record\",\"parts\":[{\"name\":\"id\",\"number\":1,\"rule\":\"plain\",\"type\":\"u32 varint\"},{\"name\":\"value\",\"number\":2,\"rule\":\"plain\",\"type\":\"f64\"}]},{\"name\":\"frame\",\"kind\":\"record\",\"parts\":[{\"name\":\"kind\",\"number\":1,\"rule\":\"plain\",\"type\":\"u8 varint\"},{\"name\":\"packet\",\"number\":2,\"rule\":\"plain\",\"type\":12},{\"name\":\"colour\",\"number\":3,\"rule\":\"plain\",\"type\":1},{\"name\":\"last\",\"number\":4,\"rule\":\"plain\",\"type\":\"bool\"},{\"name\":\"delta\",\"number\":5,\"rule\":\"plain\",\"type\":\"s16 zigzag\"}]},{\"name\":\"lists-items\",\"kind\":\"wrapper\",\"parts\":[{\"name\":\"items\",\"number\":1,\"rule\":\"repeated\",\"type\":\"u32 varint\"}]}],\"maps\":[{\"name\":\"users\",\"key\":\"string\",\"value\":\"message\",\"type\":0},{\"name\":\"samples\",\"key\":\"u64\",\"value\":\"message\",\"type\":11},{\"name\":\"shapes\",\"key\":\"s32\",\"value\":\"message\",\"type\":5},{\"name\":\"packets\",\"key\":\"u32\",\"value\":\"layout\",\"type\":12},{\"name\":\"frames\",\"key\":\"u16\",\"value\":\"layout\",\"type\":13},{\"name\":\"thumbs\",\"key\":\"u64\",\"value\":\"bytes\",\"type\":null},{\"name\":\"notes\",\"key\":\"bytes\",\"value\":\"text\",\"type\":null},{\"name\":\"counters\",\"key\":\"string\",\"value\":\"counter\",\"type\":null},{\"name\":\"lists\",\"key\":\"bool\",\"value\":\"message\",\"type\":14}]}";
