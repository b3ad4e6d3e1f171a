//! Steps and arguments out of bytes. Arguments are mostly what a function wants, and sometimes
//! anything.

/// What is left of the input.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

/// Numbers at which checks go wrong.
const EDGES: [i64; 18] = [
    0,
    -1,
    i32::MIN as i64,
    i32::MAX as i64,
    i64::MIN,
    i64::MAX,
    MEMORY_END,
    MEMORY_END - 1,
    MEMORY_END - 8,
    MEMORY_END - 48,
    257,
    999,
    1025,
    4097,
    0x1_0000,
    0x1_0001,
    0xffff_ffff - 7,
    1 << 32,
];

/// Bytes of a guest's memory.
pub(crate) const MEMORY: usize = 0x2_0000;
const MEMORY_END: i64 = 0x2_0000;

impl<'a> Input<'a> {
    /// The next byte; 0 behind the end.
    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// As many of these bytes as there are.
    pub(crate) fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(bytes.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One of the places that guests use.
    pub(crate) fn place(&mut self) -> usize {
        0x100 + usize::from(self.byte()) * 16
    }

    /// An argument of a kind.
    pub(crate) fn argument(&mut self, kind: char) -> i64 {
        let byte = self.byte();
        if byte < 24 {
            return EDGES[usize::from(byte) % EDGES.len()];
        }
        let small = i64::from(byte);
        match kind {
            // A handle or a watch.
            'h' => small & 7,
            // A name of a map and its length, then those of a use.
            'n' => 0x40 + 16 * (small & 1),
            'm' => 5,
            'u' => 0x60 + 16 * (small & 1),
            'v' => 3,
            // Rights.
            'r' => [1023, 1, 3, 64, 65, 11][usize::from(byte) % 6],
            // A key or a value, and its length.
            'k' => 0x80 + 16 * (small & 7),
            'l' => small & 15,
            // A buffer's length, and a number of operations.
            'B' => small * 3,
            'q' => small & 3,
            // Places for results, and structs.
            'o' => 0x100 + small * 16,
            // 64-bit numbers.
            'i' => small - 128,
            'T' => small & 1,
            _ => i64::from(u16::from_le_bytes([byte, self.byte()])),
        }
    }
}
