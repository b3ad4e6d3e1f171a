//! What a map's keys are called, and in which slot of a cluster they are.

use std::fmt::Write as _;

/// Of every cluster.
const SLOTS: u16 = 16_384;

/// The keys of a map in one slot.
#[derive(Debug)]
pub(super) struct Part {
    /// Entries, order, ends, state: as the scripts take them.
    pub(super) keys: [String; 4],
    /// Where changes are published.
    pub(super) channel: String,
    /// The slot of all of these.
    pub(super) slot: u16,
}

impl Part {
    /// One of the parts of a map.
    pub(super) fn new(prefix: &str, (scope, name): (&str, &str), number: u16) -> Self {
        let tag = format!("{}/{}/{number}", plain(scope), plain(name));
        let key = |what: &str| format!("{prefix}:{{{tag}}}:{what}");
        Self {
            keys: ["entries", "order", "ends", "state"].map(key),
            channel: key("changes"),
            slot: crc16(tag.as_bytes()) % SLOTS,
        }
    }
}

/// Which of `parts` parts an entry is in.
pub(super) fn part_of(key: &[u8], parts: usize) -> usize {
    if parts <= 1 {
        return 0;
    }
    usize::from(crc16(key)) % parts
}

/// Bytes that mean something in names of keys are written `%` and two hexadecimal digits.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(plain, "%{byte:02X}");
        }
    }
    plain
}

/// CRC-16/XMODEM, by which clusters choose slots.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_clusters() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        // CLUSTER KEYSLOT foo
        assert_eq!(crc16(b"foo") % SLOTS, 12_182);
    }

    #[test]
    fn names_cannot_be_mistaken_for_others() {
        let part = Part::new("weir", ("a/b", "c}{"), 3);
        assert_eq!(part.keys[0], "weir:{a%2Fb/c%7D%7B/3}:entries");
        assert_eq!(part.channel, "weir:{a%2Fb/c%7D%7B/3}:changes");
        assert_eq!(part.slot, 15_331, "by another implementation");
        assert_ne!(plain("a/b"), plain("a%2Fb"));
    }

    #[test]
    fn entries_are_spread_over_all_parts() {
        let mut parts = [0_u32; 5];
        for number in 0..5000_u32 {
            parts[part_of(&number.to_le_bytes(), 5)] += 1;
        }
        assert!(
            parts.iter().all(|part| (800..1200).contains(part)),
            "{parts:?}"
        );
        assert_eq!(part_of(b"any", 1), 0);
    }
}
