//! `compress` and `uncompress`: zlib streams (RFC 1950).

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use weir_model::limits;

use super::ForeignStatus;

/// Bytes between two looks at the time.
const STEP_BYTES: usize = 64 << 10;

/// The argument as a zlib stream. `is_over`: the call has taken too long, and the guest ends as soon
/// as it gets an answer.
///
/// # Errors
/// [`ForeignStatus::SerializationFailure`] for more than [`limits::FOREIGN_BYTES_MAX`] bytes,
/// [`ForeignStatus::InternalFailure`] when time is over.
pub fn compress(argument: &[u8], is_over: &dyn Fn() -> bool) -> Result<Bytes, ForeignStatus> {
    if argument.len() > limits::FOREIGN_BYTES_MAX {
        return Err(ForeignStatus::SerializationFailure);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    for piece in argument.chunks(STEP_BYTES) {
        encoder.write_all(piece).map_err(broken)?;
        check_time(is_over)?;
    }
    encoder.finish().map(Bytes::from).map_err(broken)
}

/// What a zlib stream holds. Bytes behind its end are ignored. `is_over`: as for [`compress`].
///
/// # Errors
/// [`ForeignStatus::SerializationFailure`] for a corrupt or cut stream, and for one that holds more
/// than [`limits::FOREIGN_BYTES_MAX`] bytes; [`ForeignStatus::InternalFailure`] when time is over.
pub fn uncompress(argument: &[u8], is_over: &dyn Fn() -> bool) -> Result<Bytes, ForeignStatus> {
    let mut content = Vec::new();
    let mut decoder = ZlibDecoder::new(argument);
    loop {
        let step = decoder.by_ref().take(STEP_BYTES as u64);
        let bytes = { step }.read_to_end(&mut content).map_err(broken)?;
        if content.len() > limits::FOREIGN_BYTES_MAX {
            return Err(ForeignStatus::SerializationFailure);
        }
        if bytes < STEP_BYTES {
            return Ok(content.into());
        }
        check_time(is_over)?;
    }
}

fn broken(_: std::io::Error) -> ForeignStatus {
    ForeignStatus::SerializationFailure
}

fn check_time(is_over: &dyn Fn() -> bool) -> Result<(), ForeignStatus> {
    if is_over() {
        return Err(ForeignStatus::InternalFailure);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURE: Result<Bytes, ForeignStatus> = Err(ForeignStatus::SerializationFailure);

    #[test]
    fn what_is_compressed_comes_back() {
        for content in [&b""[..], b"x", &vec![b'a'; 100_000]] {
            let stream = compress(content, &|| false).unwrap();
            assert_eq!(stream[0] & 0x0F, 8, "a zlib header, not gzip");
            assert_eq!(uncompress(&stream, &|| false).as_deref(), Ok(content));
        }
    }

    #[test]
    fn cut_corrupt_and_foreign_streams_are_refused() {
        let stream = compress(b"hello hello hello", &|| false).unwrap();
        for cut in 0..stream.len() {
            assert_eq!(
                uncompress(&stream[..cut], &|| false),
                FAILURE,
                "cut at {cut}"
            );
        }
        let mut corrupt = stream.to_vec();
        let last = corrupt.len() - 1;
        corrupt[last] ^= 1;
        assert_eq!(
            uncompress(&corrupt, &|| false),
            FAILURE,
            "the checksum is checked"
        );
        assert_eq!(uncompress(b"\x1F\x8B\x08\0", &|| false), FAILURE);
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder
            .write_all(&vec![0; limits::FOREIGN_BYTES_MAX + 1])
            .unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 100_000);
        assert_eq!(uncompress(&bomb, &|| false), FAILURE);
    }

    #[test]
    fn bytes_behind_the_stream_are_ignored() {
        let stream = [&compress(b"hello", &|| false).unwrap()[..], b"more"].concat();
        assert_eq!(uncompress(&stream, &|| false).as_deref(), Ok(&b"hello"[..]));
    }

    #[test]
    fn both_end_when_time_is_over() {
        let content = vec![b'a'; 4 * STEP_BYTES];
        let over = Err(ForeignStatus::InternalFailure);
        assert_eq!(compress(&content, &|| true), over);
        let stream = compress(&content, &|| false).unwrap();
        assert_eq!(uncompress(&stream, &|| true), over);
        let looks = std::cell::Cell::new(0);
        let twice = || looks.replace(looks.get() + 1) == 2;
        assert_eq!(uncompress(&stream, &twice), over);
        assert_eq!(looks.get(), 3);
    }
}
