//! Whatever a file holds, reading it ends, with a capsule or with an error.

use std::io::Read;

use weir_capsule::file::FileError;
use weir_capsule::{Capsule, Mask, ReadError, Reader};
use weir_model::limits::capsule as limits;

use crate::common::{PROBE, Recorded, SYSTEM, exchange, replayed};

fn file() -> (Recorded, Vec<u8>) {
    let mut recorded = Recorded::new(PROBE, SYSTEM, 1 << 20);
    let image = recorded.vm.snapshot().expect("an image");
    recorded.vm.world().tape.set_image(image);
    recorded.deliver(&exchange(2));
    let file = recorded.file(&Mask::default());
    (recorded, file)
}

#[test]
fn every_beginning_of_a_capsule_is_refused_as_cut_off() {
    let (_, file) = file();
    for length in (0..file.len()).filter(|length| length % 7 == 0 || *length < 64) {
        let error = Capsule::read(&file[..length]).expect_err("cut off");
        assert!(
            matches!(error, ReadError::File(FileError::Truncated { .. })),
            "{length}: {error}"
        );
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let (_, file) = file();
    let step = file.len() / 2000 + 1;
    for at in (0..file.len()).filter(|at| at % step == 0 || *at < 256 || file.len() - at < 64) {
        for bit in [0, 3, 7] {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            assert!(Capsule::read(&changed[..]).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn other_files_are_refused_in_words() {
    let check = |bytes: &[u8], words: &str| {
        let error = Capsule::read(bytes).expect_err("refused").to_string();
        assert!(error.contains(words), "{error}");
    };
    check(b"\0asm\x01\0\0\0\0\0\0\0", "no capsule");
    check(b"", "too early");
    let (_, file) = file();
    let mut later = file.clone();
    later[8] = 2;
    check(&later, "of version 2; this program reads version 1");
    let longer = [&file[..], b"?"].concat();
    check(&longer, "something follows the end");
}

/// Puts right checksums on a file whose blocks were changed: what checksums would have hidden.
fn resummed(file: &[u8]) -> Vec<u8> {
    let mut out = file[..12].to_vec();
    let mut rest = &file[12..];
    while rest.len() >= 14 {
        let stored = u32::from_le_bytes([rest[2], rest[3], rest[4], rest[5]]) as usize;
        let Some(block) = rest.get(..14 + stored) else {
            break;
        };
        let mut sum = crc32fast::Hasher::new();
        sum.update(&block[..10]);
        sum.update(&block[14..]);
        out.extend_from_slice(&block[..10]);
        out.extend_from_slice(&sum.finalize().to_le_bytes());
        out.extend_from_slice(&block[14..]);
        rest = &rest[14 + stored..];
    }
    out.extend_from_slice(rest);
    out
}

/// The blocks of a file, unpacked and stored as they are.
fn unpacked(file: &[u8]) -> Vec<u8> {
    let mut out = file[..12].to_vec();
    let mut rest = &file[12..];
    while rest.len() >= 14 {
        let stored = u32::from_le_bytes([rest[2], rest[3], rest[4], rest[5]]) as usize;
        let payload = &rest[14..14 + stored];
        let mut plain = payload.to_vec();
        if rest[1] == 1 {
            plain.clear();
            let mut inflate = flate2::read::DeflateDecoder::new(payload);
            inflate.read_to_end(&mut plain).expect("it was packed here");
        }
        let length = u32::try_from(plain.len()).expect("short").to_le_bytes();
        out.extend_from_slice(&[rest[0], 0]);
        out.extend_from_slice(&length);
        out.extend_from_slice(&length);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&plain);
        rest = &rest[14 + stored..];
    }
    resummed(&out)
}

/// A generator of numbers, the same in every run.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("it is below")
    }
}

/// Bytes are changed, checksums are right: what is read is a capsule or refused, and what is a capsule
/// is replayed or refused, by whoever wrote it.
#[test]
fn mutations_with_right_checksums_are_read_or_refused() {
    let (recorded, file) = file();
    let plain = unpacked(&file);
    assert!(Capsule::read(&plain[..]).is_ok());
    let mut pick = numbers();
    let (mut read, mut refused) = (0, 0);
    for round in 0..3000 {
        let mut changed = plain.clone();
        for _ in 0..=pick(3) {
            // Heads and records are a small part of a file: the image is most of it.
            let at = if round % 2 == 0 {
                12 + pick(1200)
            } else {
                plain.len() - 1 - pick(6000)
            };
            match pick(3) {
                0 => changed[at] = u8::try_from(pick(256)).expect("a byte"),
                1 => changed[at] ^= 1 << pick(8),
                _ => changed[at] = [0, 1, 0x7f, 0x80, 0xff][pick(5)],
            }
        }
        let changed = resummed(&changed);
        match Capsule::read(&changed[..]) {
            Ok(_) => {
                read += 1;
                // A deadline of a changed limit may be long.
                if read <= 40 {
                    let _ = replayed(&recorded.program, &changed);
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 100 && refused > 100,
        "{read} read, {refused} refused"
    );
}

/// A reader that counts what it was asked for, in front of a file that does not end.
struct Endless<'f> {
    file: &'f [u8],
    given: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.file[self.given.min(self.file.len())..];
        let length = buffer.len().min(rest.len().max(1));
        for (place, byte) in buffer
            .iter_mut()
            .zip(rest.iter().chain(std::iter::repeat(&0)))
        {
            *place = *byte;
        }
        self.given += length;
        Ok(length)
    }
}

#[test]
fn lengths_that_are_only_claimed_cost_nothing() {
    let (_, file) = file();
    let mut claimed = file[..12].to_vec();
    claimed.extend_from_slice(&[1, 0]);
    claimed.extend_from_slice(&u32::MAX.to_le_bytes());
    claimed.extend_from_slice(&u32::MAX.to_le_bytes());
    claimed.extend_from_slice(&[0; 4]);
    let mut input = Endless {
        file: &claimed,
        given: 0,
    };
    let error = Reader::open(&mut input).err().expect("refused").to_string();
    assert!(error.contains("longer than any"), "{error}");
    assert!(input.given < claimed.len() + 16);
}

/// A block that unpacks to more than it says is not unpacked further.
#[test]
fn blocks_that_unpack_to_more_are_refused() {
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write as _;
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 64 << 20]).expect("packed");
    let packed = packed.finish().expect("packed");
    let (_, file) = file();
    let mut bomb = file[..12].to_vec();
    bomb.extend_from_slice(&[1, 1]);
    let stored = u32::try_from(packed.len()).expect("short");
    bomb.extend_from_slice(&stored.to_le_bytes());
    let claimed = u32::try_from(limits::BLOCK_BYTES_MAX).expect("short");
    bomb.extend_from_slice(&claimed.to_le_bytes());
    bomb.extend_from_slice(&[0; 4]);
    bomb.extend_from_slice(&packed);
    let error = Capsule::read(&resummed(&bomb)[..]).expect_err("refused");
    assert!(
        error.to_string().contains("not as long as it says"),
        "{error}"
    );
}

/// What is read is not kept: a capsule much longer than a reader's memory is read record by record.
#[test]
fn a_long_capsule_is_read_as_a_stream() {
    let mut recorded = Recorded::new(PROBE, SYSTEM, 64 << 20);
    for context in 2..2000 {
        recorded.deliver(&exchange(context));
    }
    let file = recorded.file(&Mask::default());
    let reader = Reader::open(&file[..]).expect("a capsule");
    let mut events = 0;
    for record in reader.records() {
        let record = record.expect("a record");
        events += u64::from(matches!(record, weir_capsule::Record::Event(_)));
    }
    assert!(events > 1998 * 3, "{events}");
}
