//! Batches: several operations as one step.

use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ptr;

use crate::abi::{self, RawDone, RawOp};
use crate::calls;
use crate::error::{Error, Result};
use crate::map::{Condition, Terms};

/// Operations that [`Map::batch`](crate::Map::batch) does in their order, as one step or not at
/// all. Each sees what those before it did.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    ops: Vec<RawOp>,
    /// The operations point to keys and values.
    _bytes: PhantomData<&'a [u8]>,
}

/// What one operation of a batch did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The condition holds of this version, 0 for an absent entry.
    Checked(u64),
    /// Stored with this version.
    Stored(u64),
    /// Removed, or was not there.
    Deleted(bool),
    /// Counts to this.
    Counted {
        /// The sum.
        value: i64,
        /// The entry's version.
        version: u64,
    },
}

impl<'a> Batch<'a> {
    /// One without operations.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ops: Vec::new(),
            _bytes: PhantomData,
        }
    }

    /// Requires something of an entry, without changing it.
    #[must_use]
    pub fn check(self, key: &'a [u8], condition: Condition) -> Self {
        let (flags, number) = condition.raw();
        self.push(RawOp {
            flags,
            number,
            ..op(abi::CHECK, key)
        })
    }

    /// Stores a value.
    #[must_use]
    pub fn set(self, key: &'a [u8], value: &'a [u8], terms: &Terms) -> Self {
        let terms = terms.raw();
        self.push(RawOp {
            flags: terms.flags,
            value: value.as_ptr(),
            value_len: value.len(),
            number: terms.version,
            ttl_ms: terms.ttl_ms,
            ..op(abi::SET, key)
        })
    }

    /// Removes an entry if it is there.
    #[must_use]
    pub fn delete(self, key: &'a [u8]) -> Self {
        self.push(op(abi::DELETE, key))
    }

    /// Adds to a counter.
    #[must_use]
    pub fn increment(self, key: &'a [u8], delta: i64) -> Self {
        self.push(RawOp {
            number: delta.cast_unsigned(),
            ..op(abi::ADD, key)
        })
    }

    fn push(mut self, op: RawOp) -> Self {
        self.ops.push(op);
        self
    }

    pub(crate) fn run(&self, handle: u32) -> Result<Vec<Done>> {
        let mut results = vec![RawDone::default(); self.ops.len()];
        Error::check(calls::batch(handle, &self.ops, &mut results))?;
        Ok(self.ops.iter().zip(results).map(done).collect())
    }
}

fn op(kind: u32, key: &[u8]) -> RawOp {
    RawOp {
        kind,
        flags: 0,
        key: key.as_ptr(),
        key_len: key.len(),
        value: ptr::null(),
        value_len: 0,
        number: 0,
        ttl_ms: 0,
    }
}

fn done((op, result): (&RawOp, RawDone)) -> Done {
    let RawDone { version, value } = result;
    match op.kind {
        abi::CHECK => Done::Checked(version),
        abi::SET => Done::Stored(version),
        abi::DELETE => Done::Deleted(value != 0),
        _ => Done::Counted { value, version },
    }
}
