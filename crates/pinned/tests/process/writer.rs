//! A process that writes to a pinned map until it is killed. Arguments: path, keys, a seed.

#[cfg(feature = "loom")]
fn main() {}

#[cfg(not(feature = "loom"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write;

    use weir_pinned::{Access, Condition, PinError, Pinned};

    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("path, keys, seed");
    let path = next()?;
    let keys: u64 = next()?.parse()?;
    let mut seed: u64 = next()?.parse()?;
    let map = Pinned::open(path.as_ref(), Access::Write)?;
    writeln!(std::io::stdout(), "writing")?;
    loop {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let key = format!("key-{}", (seed >> 33) % keys);
        // A value that shows when it is torn: all of its words are the same, and its length too.
        let word = seed | 1;
        let words = usize::try_from(word >> 40 & 255)? + 1;
        let value = word.to_le_bytes().repeat(words);
        match map.set(key.as_bytes(), &value, (None, Condition::Always)) {
            Ok(_) | Err(PinError::Busy) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
