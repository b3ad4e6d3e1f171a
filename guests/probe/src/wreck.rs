//! Misbehaviour: what a host must survive.

use std::cell::RefCell;
use std::hint::black_box;

/// Bytes in a mebibyte.
const MEBIBYTE: usize = 1 << 20;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Never returns.
pub fn spin_for_ever() -> ! {
    loop {
        black_box(0);
    }
}

/// Works for `rounds` rounds.
pub fn spin(rounds: u64) {
    for round in 0..rounds {
        black_box(round);
    }
}

/// Calls itself until the stack is used up.
pub fn recurse() {
    black_box(deeper(0));
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "the purpose")]
fn deeper(depth: u64) -> u64 {
    let here = black_box([depth; 8]);
    deeper(depth + 1) + here[7]
}

/// Takes memory for good, and dies if there is not enough.
pub fn hog(mebibytes: usize) {
    for _ in 0..mebibytes {
        KEPT.with_borrow_mut(|kept| kept.push(black_box(vec![1; MEBIBYTE])));
    }
}

/// Takes memory for good, and says so if there is not enough.
pub fn grow(mebibytes: usize) -> Result<(), OutOfMemory> {
    for _ in 0..mebibytes {
        let mut block = Vec::new();
        block.try_reserve_exact(MEBIBYTE).map_err(|_| OutOfMemory)?;
        block.resize(MEBIBYTE, 1);
        KEPT.with_borrow_mut(|kept| kept.push(black_box(block)));
    }
    Ok(())
}

/// The host gave no more memory.
#[derive(Debug)]
pub struct OutOfMemory;
