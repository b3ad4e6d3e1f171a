// Written by `weir bindgen`; do not edit.
#![allow(dead_code, unused_imports, unused_mut, unused_variables, missing_docs, clippy::all, clippy::pedantic)]

extern crate alloc;

use self::alloc::string::String;
use self::alloc::vec::Vec;
use super::weir_map::{Declared, DecodeError, Fault, Map, Message, Reader, Writer};

#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Role(pub i32);

impl Role {
    pub const OWNER: Self = Self(-2);
    pub const GUEST: Self = Self(0);
    pub const MEMBER: Self = Self(1);
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserQuotasEntry {
    pub key: String,
    pub value: u32,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for UserQuotasEntry {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 2)?;
                    self.key = r.text()?;
                }
                2 => {
                    r.expect(kind, 0)?;
                    self.value = r.u32()?;
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if !self.key.is_empty() {
            w.tag(1, 2);
            w.text(&self.key);
        }
        if self.value != 0 {
            w.tag(2, 0);
            w.u32(&self.value);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserAddress {
    pub street: String,
    pub town: String,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for UserAddress {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 2)?;
                    self.street = r.text()?;
                }
                2 => {
                    r.expect(kind, 2)?;
                    self.town = r.text()?;
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if !self.street.is_empty() {
            w.tag(1, 2);
            w.text(&self.street);
        }
        if !self.town.is_empty() {
            w.tag(2, 2);
            w.text(&self.town);
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

/// Who somebody is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    /// What they are called.
    pub name: String,
    pub id: i32,
    pub role: Role,
    pub mail: Option<String>,
    pub scores: Vec<i64>,
    pub quotas: Vec<UserQuotasEntry>,
    pub address: Option<UserAddress>,
    pub serial: u64,
    pub steps: Vec<i32>,
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
                    self.id = r.i32()?;
                }
                4 => {
                    r.expect(kind, 0)?;
                    self.role = Role(r.i32()?);
                }
                5 => {
                    r.expect(kind, 2)?;
                    self.mail = Some(r.text()?);
                }
                6 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.scores.push(r.s64()?);
                        }
                    } else {
                        r.expect(kind, 0)?;
                        self.scores.push(r.s64()?);
                    }
                }
                7 => {
                    r.expect(kind, 2)?;
                    self.quotas.push(r.message()?);
                }
                8 => {
                    r.expect(kind, 2)?;
                    self.address.get_or_insert_with(Default::default).merge(&mut Reader::new(r.slice()?))?;
                }
                9 => {
                    r.expect(kind, 1)?;
                    self.serial = r.fixed64()?;
                }
                10 => {
                    if kind == 2 {
                        let mut packed = Reader::new(r.slice()?);
                        let r = &mut packed;
                        while !r.is_at_end() {
                            self.steps.push(r.sfixed32()?);
                        }
                    } else {
                        r.expect(kind, 5)?;
                        self.steps.push(r.sfixed32()?);
                    }
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
            w.i32(&self.id);
        }
        if self.role.0 != 0 {
            w.tag(4, 0);
            w.i32(&self.role.0);
        }
        if let Some(value) = &self.mail {
            w.tag(5, 2);
            w.text(value);
        }
        if !self.scores.is_empty() {
            w.tag(6, 2);
            w.piece(|w| {
                for value in &self.scores {
                    w.s64(value);
                }
            });
        }
        for value in &self.quotas {
            w.tag(7, 2);
            w.message(value);
        }
        if let Some(value) = &self.address {
            w.tag(8, 2);
            w.message(value);
        }
        if self.serial != 0 {
            w.tag(9, 1);
            w.fixed64(&self.serial);
        }
        if !self.steps.is_empty() {
            w.tag(10, 2);
            w.piece(|w| {
                for value in &self.steps {
                    w.sfixed32(value);
                }
            });
        }
        w.out.extend_from_slice(&self.unknown);
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum GetUserRequest {
    Id(i32),
    Name(String),
    /// A case that a newer schema has.
    Unknown_(Vec<u8>),
}

impl Default for GetUserRequest {
    fn default() -> Self {
        Self::Id(Default::default())
    }
}

impl Message for GetUserRequest {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut found = None;
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 0)?;
                    found = Some(Self::Id(r.i32()?));
                }
                2 => {
                    r.expect(kind, 2)?;
                    found = Some(Self::Name(r.text()?));
                }
                _ => r.skip(kind)?,
            }
        }
        *self = found.unwrap_or_else(|| Self::Unknown_(r.all().to_vec()));
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Id(value) => {
                w.tag(1, 0);
                w.i32(value);
            }
            Self::Name(value) => {
                w.tag(2, 2);
                w.text(value);
            }
            Self::Unknown_(bytes) => w.out.extend_from_slice(bytes),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct GetUserResponse {
    pub user: Option<User>,
    /// Fields that a newer schema has.
    pub unknown: Vec<u8>,
}

impl Message for GetUserResponse {
    fn merge(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some((number, kind)) = r.next()? {
            match number {
                1 => {
                    r.expect(kind, 2)?;
                    self.user.get_or_insert_with(Default::default).merge(&mut Reader::new(r.slice()?))?;
                }
                _ => r.keep(kind, &mut self.unknown)?,
            }
        }
        Ok(())
    }

    fn write(&self, w: &mut Writer) {
        if let Some(value) = &self.user {
            w.tag(1, 2);
            w.message(value);
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
    const SCHEMA: u64 = 0x464eab12e7f4b735;

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

/// Looks after users.
pub trait UserService {
    /// Why a function failed.
    type Error: From<DecodeError>;

    /// Finds one.
    fn get_user(&mut self, request: GetUserRequest) -> Result<GetUserResponse, Self::Error>;
    fn put_user(&mut self, request: User) -> Result<GetUserResponse, Self::Error>;

    /// Calls the function of a path with bytes; `None`: there is none.
    fn dispatch(&mut self, path: &str, request: &[u8]) -> Option<Result<Vec<u8>, Self::Error>> {
        Some(match path {
            "/demo.v1.UserService/GetUser" => GetUserRequest::decode(request)
                .map_err(Into::into)
                .and_then(|request| self.get_user(request))
                .map(|response| response.encode()),
            "/demo.v1.UserService/PutUser" => User::decode(request)
                .map_err(Into::into)
                .and_then(|request| self.put_user(request))
                .map(|response| response.encode()),
            _ => return None,
        })
    }
}

/// Calls a service's functions by way of bytes.
pub struct UserServiceClient<C>(pub C);

impl<E: From<DecodeError>, C: FnMut(&str, &[u8]) -> Result<Vec<u8>, E>> UserService for UserServiceClient<C> {
    type Error = E;

    fn get_user(&mut self, request: GetUserRequest) -> Result<GetUserResponse, E> {
        let response = (self.0)("/demo.v1.UserService/GetUser", &request.encode())?;
        Ok(Message::decode(&response)?)
    }
    fn put_user(&mut self, request: User) -> Result<GetUserResponse, E> {
        let response = (self.0)("/demo.v1.UserService/PutUser", &request.encode())?;
        Ok(Message::decode(&response)?)
    }
}

/// What the gateway compares with its own declarations when it loads the module.
#[cfg(target_family = "wasm")]
#[unsafe(link_section = "weir:map-schema")]
static SCHEMA: [u8; 1397] = *b"{\"weir-schema\":1,\"types\":[{\"name\":\"role\",\"kind\":\"enum\",\"parts\":[{\"name\":\"owner\",\"number\":-2},{\"name\":\"guest\",\"number\":0},{\"name\":\"member\",\"number\":1}]},{\"name\":\"user-quotas-entry\",\"kind\":\"record\",\"parts\":[{\"name\":\"key\",\"number\":1,\"rule\":\"plain\",\"type\":\"string\"},{\"name\":\"value\",\"number\":2,\"rule\":\"plain\",\"type\":\"u32 varint\"}]},{\"name\":\"user-address\",\"kind\":\"record\",\"parts\":[{\"name\":\"street\",\"number\":1,\"rule\":\"plain\",\"type\":\"string\"},{\"name\":\"town\",\"number\":2,\"rule\":\"plain\",\"type\":\"string\"}]},{\"name\":\"user\",\"kind\":\"record\",\"parts\":[{\"name\":\"name\",\"number\":1,\"rule\":\"plain\",\"type\":\"string\"},{\"name\":\"id\",\"number\":2,\"rule\":\"plain\",\"type\":\"s32 varint\"},{\"name\":\"role\",\"number\":4,\"rule\":\"plain\",\"type\":0},{\"name\":\"mail\",\"number\":5,\"rule\":\"optional\",\"type\":\"string\"},{\"name\":\"scores\",\"number\":6,\"rule\":\"repeated\",\"type\":\"s64 zigzag\"},{\"name\":\"quotas\",\"number\":7,\"rule\":\"repeated\",\"type\":1},{\"name\":\"address\",\"number\":8,\"rule\":\"optional\",\"type\":2},{\"name\":\"serial\",\"number\":9,\"rule\":\"plain\",\"type\":\"u64 fixed\"},{\"name\":\"steps\",\"number\":10,\"rule\":\"repeated\",\"type\":\"s32 fixed\"}]},{\"name\":\"get-user-request\",\"kind\":\"variant\",\"parts\":[{\"name\":\"id\",\"number\":1,\"type\":\"s32 varint\"},{\"name\":\"name\",\"number\":2,\"type\":\"string\"}]},{\"name\":\"get-user-response\",\"kind\":\"record\",\"parts\":[{\"name\":\"user\",\"number\":1,\"rule\":\"optional\",\"type\":3}]}],\"maps\":[{\"name\":\"users\",\"key\":\"string\",\"value\":\"message\",\"type\":3}]}";
