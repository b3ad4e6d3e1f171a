//! Just enough of the protobuf wire format to read the arguments of foreign functions and to write
//! small messages.
//!
//! Invariant: reading never panics and never looks beyond its bytes.

/// The bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a protobuf message")]
pub(crate) struct Malformed;

/// The content of a field as the wire has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'b> {
    /// Integers, enumerations, booleans.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Strings, bytes, messages.
    Bytes(&'b [u8]),
    /// Four bytes.
    Fixed32(u32),
}

/// Walks over the fields of a message: their numbers and contents.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'b> {
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    /// The fields of a message.
    #[must_use]
    pub(crate) fn of(message: &'b [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Field<'b>), Malformed> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed)?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed);
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed),
        };
        Ok((number, field))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// After a malformed field there are no more.
impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u32, Field<'b>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// The text of a `string` field.
///
/// # Errors
/// [`Malformed`] unless it is UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

/// Appends an integer, enumeration or boolean. Zero is the default and is left out.
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        varint(out, u64::from(number) << 3);
        varint(out, value);
    }
}

/// Appends a string or bytes. Empty is the default and is left out.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_message(out, number, bytes);
    }
}

/// Appends a message, empty or not.
pub(crate) fn put_message(out: &mut Vec<u8>, number: u32, message: &[u8]) {
    varint(out, u64::from(number) << 3 | 2);
    varint(out, message.len() as u64);
    out.extend_from_slice(message);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7F {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &[u8], expected: &[Result<(u32, Field<'_>), Malformed>]) {
        assert_eq!(
            Fields::of(message).collect::<Vec<_>>(),
            expected,
            "{message:?}"
        );
    }

    #[test]
    fn every_wire_type_is_read() {
        check(b"", &[]);
        check(&[0x08, 0x96, 0x01], &[Ok((1, Field::Varint(150)))]);
        check(b"\x12\x02hi", &[Ok((2, Field::Bytes(b"hi")))]);
        check(
            &[0x19, 1, 0, 0, 0, 0, 0, 0, 0],
            &[Ok((3, Field::Fixed64(1)))],
        );
        check(
            &[0x25, 2, 0, 0, 0, 0x12, 0],
            &[Ok((4, Field::Fixed32(2))), Ok((2, Field::Bytes(b"")))],
        );
    }

    #[test]
    fn what_is_cut_or_wrong_is_malformed() {
        for message in [
            &b"\x08"[..],
            b"\x12\x05hi",
            b"\x00\x00",
            b"\x0B",
            b"\x19\x01",
            b"\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
            &[0xFF; 11],
        ] {
            check(message, &[Err(Malformed)]);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        put_varint(&mut out, 1, u64::MAX);
        put_varint(&mut out, 2, 0);
        put_bytes(&mut out, 3, b"");
        put_bytes(&mut out, 3, &[7; 300]);
        put_message(&mut out, 1000, b"");
        let expected = [
            Ok((1, Field::Varint(u64::MAX))),
            Ok((3, Field::Bytes(&[7; 300]))),
            Ok((1000, Field::Bytes(b""))),
        ];
        check(&out, &expected);
    }
}
