//! `compress` and `uncompress`: zlib streams (RFC 1950).

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use weir_model::limits;

use super::ForeignStatus;

/// The argument as a zlib stream.
///
/// # Errors
/// [`ForeignStatus::SerializationFailure`] for more than [`limits::FOREIGN_BYTES_MAX`] bytes.
pub fn compress(argument: &[u8]) -> Result<Bytes, ForeignStatus> {
    if argument.len() > limits::FOREIGN_BYTES_MAX {
        return Err(ForeignStatus::SerializationFailure);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(argument).and_then(|()| encoder.finish());
    written
        .map(Bytes::from)
        .map_err(|_| ForeignStatus::SerializationFailure)
}

/// What a zlib stream holds. Bytes behind its end are ignored.
///
/// # Errors
/// [`ForeignStatus::SerializationFailure`] for a corrupt or cut stream, and for one that holds more
/// than [`limits::FOREIGN_BYTES_MAX`] bytes.
pub fn uncompress(argument: &[u8]) -> Result<Bytes, ForeignStatus> {
    let mut content = Vec::new();
    let one_too_many = limits::FOREIGN_BYTES_MAX as u64 + 1;
    let read = ZlibDecoder::new(argument)
        .take(one_too_many)
        .read_to_end(&mut content);
    match read {
        Ok(bytes) if bytes <= limits::FOREIGN_BYTES_MAX => Ok(content.into()),
        Ok(_) | Err(_) => Err(ForeignStatus::SerializationFailure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURE: Result<Bytes, ForeignStatus> = Err(ForeignStatus::SerializationFailure);

    #[test]
    fn what_is_compressed_comes_back() {
        for content in [&b""[..], b"x", &vec![b'a'; 100_000]] {
            let stream = compress(content).unwrap();
            assert_eq!(stream[0] & 0x0F, 8, "a zlib header, not gzip");
            assert_eq!(uncompress(&stream).as_deref(), Ok(content));
        }
    }

    #[test]
    fn cut_corrupt_and_foreign_streams_are_refused() {
        let stream = compress(b"hello hello hello").unwrap();
        for cut in 0..stream.len() {
            assert_eq!(uncompress(&stream[..cut]), FAILURE, "cut at {cut}");
        }
        let mut corrupt = stream.to_vec();
        let last = corrupt.len() - 1;
        corrupt[last] ^= 1;
        assert_eq!(uncompress(&corrupt), FAILURE, "the checksum is checked");
        assert_eq!(uncompress(b"\x1F\x8B\x08\0"), FAILURE);
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder
            .write_all(&vec![0; limits::FOREIGN_BYTES_MAX + 1])
            .unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 100_000);
        assert_eq!(uncompress(&bomb), FAILURE);
    }

    #[test]
    fn bytes_behind_the_stream_are_ignored() {
        let stream = [&compress(b"hello").unwrap()[..], b"more"].concat();
        assert_eq!(uncompress(&stream).as_deref(), Ok(&b"hello"[..]));
    }
}
