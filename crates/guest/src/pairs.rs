//! The byte form of header maps (Proxy-Wasm, "Serialization"): a count, all lengths, then each name
//! and value with a NUL behind it. All integers are little-endian `u32`.

use bytes::{BufMut, Bytes, BytesMut};
use weir_model::limits;

/// Writes pairs. No pairs at all become no bytes at all, which the ABI wants for header maps.
pub fn encode<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])> + Clone) -> Bytes {
    let (count, bytes) = pairs.clone().fold((0usize, 4usize), |(n, sum), (k, v)| {
        (n + 1, sum + 10 + k.len() + v.len())
    });
    if count == 0 {
        return Bytes::new();
    }
    let mut out = BytesMut::with_capacity(bytes);
    out.put_u32_le(saturated(count));
    for (name, value) in pairs.clone() {
        out.put_u32_le(saturated(name.len()));
        out.put_u32_le(saturated(value.len()));
    }
    for (name, value) in pairs {
        out.put_slice(name);
        out.put_u8(0);
        out.put_slice(value);
        out.put_u8(0);
    }
    out.freeze()
}

/// Reads pairs that a guest wrote. Anything malformed, oversized or with bytes behind the last pair
/// counts as no pairs at all, as in Envoy.
#[must_use]
pub fn decode(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    if bytes.len() > limits::PAIRS_BYTES_MAX {
        return Vec::new();
    }
    decode_exactly(bytes).unwrap_or_default()
}

fn decode_exactly(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let count = usize::try_from(u32_at(bytes, 0)?).ok()?;
    if count > limits::PAIRS_MAX {
        return None;
    }
    let mut at = 4 + count.checked_mul(8)?;
    let mut pairs = Vec::with_capacity(count);
    for index in 0..count {
        let name = text_at(bytes, &mut at, u32_at(bytes, 4 + index * 8)?)?;
        let value = text_at(bytes, &mut at, u32_at(bytes, 8 + index * 8)?)?;
        pairs.push((name, value));
    }
    (at == bytes.len()).then_some(pairs)
}

fn text_at<'b>(bytes: &'b [u8], at: &mut usize, length: u32) -> Option<&'b [u8]> {
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    let text = bytes.get(*at..end)?;
    if *bytes.get(end)? != 0 {
        return None;
    }
    *at = end + 1;
    Some(text)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn saturated(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pair_has_the_bytes_of_the_specification() {
        let pairs: [(&[u8], &[u8]); 1] = [(b":a", b"x")];
        let bytes = encode(pairs.into_iter());
        assert_eq!(&bytes[..], b"\x01\0\0\0\x02\0\0\0\x01\0\0\0:a\0x\0");
        assert_eq!(decode(&bytes), pairs);
    }

    #[test]
    fn no_pairs_are_no_bytes() {
        assert!(encode(std::iter::empty()).is_empty());
        for bytes in [&b""[..], b"\0", b"\0\0\0", b"\0\0\0\0"] {
            assert!(decode(bytes).is_empty());
        }
    }

    #[test]
    fn bad_pairs_are_refused_whole() {
        let good = encode([(&b"a"[..], &b"b"[..]), (b"c", b"d")].into_iter());
        for cut in 0..good.len() {
            assert!(decode(&good[..cut]).is_empty(), "cut at {cut}");
        }
        let mut longer = good.to_vec();
        longer.push(0);
        assert!(decode(&longer).is_empty());
        let huge = (u32::MAX).to_le_bytes();
        assert!(decode(&huge).is_empty());
    }
}
