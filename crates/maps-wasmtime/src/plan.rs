//! A call that was put together, and what becomes of its reply.

use std::sync::Arc;

use weir_maps::call::packed;
use weir_maps::region::Lease;
use weir_maps::store::Terms;
use weir_maps::{MapCall, MapOp, MapReply, Value};

use crate::view::{Code, Out, View};

/// What a function is about to do. All that it will write to was looked at.
pub(crate) struct Plan<'m> {
    pub(crate) asked: Asked<'m>,
    pub(crate) then: Then,
}

/// A call, and the list that it borrows if it has one.
pub(crate) enum Asked<'m> {
    One(MapCall<'m>),
    Batch(u32, Vec<MapOp<'m>>),
}

/// Where a reply goes.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// Nowhere: only the number of the error is answered.
    Done,
    /// A number of 32 bits.
    U32(Out),
    /// A number of 64 bits, if it is wanted.
    U64(Option<Out>),
    /// The version, also if it was another one than expected.
    Version(Option<Out>),
    /// A counter.
    Counted(Out),
    /// A value into a buffer.
    Value {
        buffer: Out,
        size: Out,
        version: Option<Out>,
    },
    /// A value into memory that the guest allocates.
    Allocated {
        pointer: Out,
        size: Out,
        version: Option<Out>,
    },
    /// A page of a scan.
    Page { cursor: Out, buffer: Out, used: Out },
    /// A list.
    List { buffer: Out, used: Out },
    /// Bytes whose length was known before, if they are wanted.
    Fixed(Option<Out>),
    /// A region into the guest's memory, and the address of these bytes of it.
    Region { address: Out, range: (u64, u32) },
    /// The host ends a mapping: address and length.
    Unmapped(u32, u32),
    /// The id behind a map's numbers.
    Id(Out),
    /// The first draft: the handle is the answer, 0 for none.
    Handle,
    /// The first draft: the number is the answer, or the error's below 0.
    Number,
    /// The first draft: the value's length is the answer.
    Cut(Out),
}

/// What is still to do with a reply.
pub(crate) enum Finish {
    /// Nothing.
    Answer(i32),
    /// Allocating memory for a value in the guest.
    Allocate(Value, u64),
    /// Mapping bytes of a region.
    Map(Arc<Lease>, (u64, u32)),
    /// Ending a mapping.
    Unmap(u32, u32),
}

impl<'m> Plan<'m> {
    pub(crate) fn of(call: MapCall<'m>, then: Then) -> Self {
        let asked = Asked::One(call);
        Self { asked, then }
    }
}

impl Then {
    /// What the function answers if it is refused.
    pub(crate) fn refusal(self, Code(errno): Code) -> i32 {
        match self {
            Self::Handle => 0,
            Self::Number | Self::Cut(_) => -errno,
            Self::Done
            | Self::U32(_)
            | Self::U64(_)
            | Self::Version(_)
            | Self::Counted(_)
            | Self::Value { .. }
            | Self::Allocated { .. }
            | Self::Page { .. }
            | Self::List { .. }
            | Self::Fixed(_)
            | Self::Region { .. }
            | Self::Unmapped(..)
            | Self::Id(_) => errno,
        }
    }

    /// Writes a reply.
    pub(crate) fn finish(self, memory: &mut [u8], reply: MapReply) -> Finish {
        let number = match (self, reply) {
            (_, MapReply::Refused(errno, number)) => self.refused(memory, (errno, number)),
            (Self::Allocated { .. }, MapReply::Entry(value, version)) => {
                return Finish::Allocate(value, version);
            }
            (Self::Region { range, .. }, MapReply::Region(lease)) => {
                return Finish::Map(lease, range);
            }
            (Self::Unmapped(address, bytes), MapReply::Done) => {
                return Finish::Unmap(address, bytes);
            }
            (_, reply) => self.write(memory, &reply),
        };
        Finish::Answer(number)
    }

    fn refused(self, memory: &mut [u8], (errno, number): (i32, u64)) -> i32 {
        match self {
            Self::Version(Some(version)) if errno == AGAIN => {
                version.put(memory, &number.to_le_bytes());
            }
            Self::Page { used, .. } | Self::List { used, .. } if errno == Code::OVERFLOW.0 => {
                used.put(memory, &short(number).to_le_bytes());
            }
            _ => {}
        }
        self.refusal(Code(errno))
    }

    fn write(self, memory: &mut [u8], reply: &MapReply) -> i32 {
        match (self, reply) {
            (Self::Done, _) | (Self::Fixed(None), MapReply::Bytes(_)) => 0,
            (Self::U32(out), MapReply::Number(number)) => {
                out.put(memory, &short(*number).to_le_bytes());
                0
            }
            (Self::U64(out) | Self::Version(out), MapReply::Number(number)) => {
                put_wanted(memory, out, &number.to_le_bytes());
                0
            }
            (Self::Counted(out), MapReply::Counted(value, _)) => {
                out.put(memory, &value.to_le_bytes());
                0
            }
            (Self::Fixed(Some(out)), MapReply::Bytes(bytes)) => {
                out.put(memory, bytes);
                0
            }
            (Self::Id(out), MapReply::Bytes(numbers)) => match numbers.get(packed::STAT_BYTES..) {
                Some(id) => {
                    out.put(memory, id);
                    0
                }
                None => Code::IO.0,
            },
            (Self::Fixed(Some(out)), MapReply::Ticket(ticket)) => {
                out.put(memory, ticket);
                0
            }
            (Self::Value { .. }, MapReply::Entry(value, version)) => {
                self.put_value(memory, value.bytes().unwrap_or_default(), *version)
            }
            (
                Self::Page {
                    cursor,
                    buffer,
                    used,
                },
                MapReply::Page(page, next),
            ) => {
                let code = put_list(memory, (buffer, used), page);
                if code == 0 {
                    cursor.put(memory, next);
                }
                code
            }
            (Self::List { buffer, used }, MapReply::Bytes(list)) => {
                put_list(memory, (buffer, used), list)
            }
            (Self::Handle | Self::Number, MapReply::Number(number)) => {
                i32::try_from(*number).unwrap_or(i32::MAX)
            }
            (Self::Cut(buffer), MapReply::Entry(value, _)) => {
                let bytes = value.bytes().unwrap_or_default();
                buffer.put(memory, bytes);
                i32::try_from(bytes.len()).unwrap_or(i32::MAX)
            }
            // A host that answers something else than it was asked for.
            (then, _) => then.refusal(Code::IO),
        }
    }

    fn put_value(self, memory: &mut [u8], bytes: &[u8], number: u64) -> i32 {
        let Self::Value {
            buffer,
            size,
            version,
        } = self
        else {
            return Code::IO.0;
        };
        let length = short(bytes.len() as u64);
        size.put(memory, &length.to_le_bytes());
        if bytes.len() > buffer.bytes {
            return Code::OVERFLOW.0;
        }
        buffer.put(memory, bytes);
        put_wanted(memory, version, &number.to_le_bytes());
        0
    }

    /// Writes where a region was mapped.
    pub(crate) fn put_mapped(self, memory: &mut [u8], at: u32) -> i32 {
        let Self::Region { address, .. } = self else {
            return Code::IO.0;
        };
        address.put(memory, &at.to_le_bytes());
        0
    }

    /// Writes a value to where the guest's allocator made room for it.
    pub(crate) fn put_allocated(
        self,
        memory: &mut [u8],
        (address, value, number): (i32, &Value, u64),
    ) -> i32 {
        let Self::Allocated {
            pointer,
            size,
            version,
        } = self
        else {
            return Code::IO.0;
        };
        let bytes = value.bytes().unwrap_or_default();
        let room = View(memory).out(address, bytes.len());
        match room {
            Ok(room) => room.put(memory, bytes),
            Err(Code(errno)) => return errno,
        }
        pointer.put(memory, &address.to_le_bytes());
        size.put(memory, &short(bytes.len() as u64).to_le_bytes());
        put_wanted(memory, version, &number.to_le_bytes());
        0
    }
}

const AGAIN: i32 = 6;

fn put_wanted(memory: &mut [u8], out: Option<Out>, bytes: &[u8]) {
    if let Some(out) = out {
        out.put(memory, bytes);
    }
}

fn put_list(memory: &mut [u8], (buffer, used): (Out, Out), list: &[u8]) -> i32 {
    if list.len() > buffer.bytes {
        return Code::IO.0;
    }
    buffer.put(memory, list);
    used.put(memory, &short(list.len() as u64).to_le_bytes());
    0
}

/// Handles, lengths and watches are numbers of 32 bits.
fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Operations of a batch, each with its ranges looked at.
pub(crate) fn ops(view: View<'_>, (pointer, count): (i32, i32)) -> Result<Vec<MapOp<'_>>, Code> {
    // The count is looked at first: nothing as long as a memory is gone through for nothing.
    let count = crate::view::offset(count);
    let bytes = count.checked_mul(packed::OP_BYTES).ok_or(Code::FAULT)?;
    let place = view.out(pointer, bytes)?;
    if count > weir_maps::call::BATCH_OPS_MAX {
        return Err(Code::INVAL);
    }
    let list = view.0.get(place.start..place.start + bytes);
    let (list, _) = list.unwrap_or_default().as_chunks();
    list.iter().map(|op| one(view, op)).collect()
}

fn one<'m>(view: View<'m>, bytes: &[u8; packed::OP_BYTES]) -> Result<MapOp<'m>, Code> {
    let raw = packed::op(bytes)?;
    let range =
        |(pointer, length): (u32, u32)| view.bytes(pointer.cast_signed(), length.cast_signed());
    let key = range(raw.key)?;
    Ok(match raw.kind {
        packed::OpKind::Check => {
            let terms = packed::terms_of(raw.flags, raw.number, raw.ttl_ms)?;
            if terms.ttl.is_some() {
                return Err(Code::INVAL);
            }
            MapOp::Check {
                key,
                condition: terms.condition,
            }
        }
        packed::OpKind::Set => {
            let value = range(raw.value)?;
            let terms: Terms = packed::terms_of(raw.flags, raw.number, raw.ttl_ms)?;
            MapOp::Set { key, value, terms }
        }
        packed::OpKind::Delete if raw.flags == 0 => MapOp::Delete { key },
        packed::OpKind::Add if raw.flags == 0 => MapOp::Add {
            key,
            delta: raw.number.cast_signed(),
        },
        packed::OpKind::Delete | packed::OpKind::Add => return Err(Code::INVAL),
    })
}
