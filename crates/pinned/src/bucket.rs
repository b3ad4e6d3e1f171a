//! One bucket: the lock that readers do not take, and the slots behind it.
//!
//! A writer owns the bucket, notes the slot, makes the sequence odd, writes, and makes it even again.
//! A reader looks at the sequence before and after. If it is odd, only the noted slot can be changing,
//! so all others are read nevertheless: a writer that died keeps nobody from them. All words are
//! atomics, so that reading what is being written is no race; fences order them as seqlocks need it.

use std::time::{Duration, Instant};

use crate::layout::{
    AT_ENDS, AT_ENTRY_VERSION, AT_HASH, AT_KEY, AT_LENGTHS, AT_OWNER, AT_SEQUENCE, AT_WRITING,
    BUCKET_HEADER_BYTES, NEVER,
};
use crate::sync::{AtomicU64, Ordering, fence, pause};

/// For how long somebody looks again at what another one is writing to: so often, and so long. A write
/// takes microseconds; a writer can lose its processor for milliseconds. Giving the processor away
/// between two looks lets it go on, and can take as long itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    looks: usize,
    /// Zero: it keeps the processor.
    longest: Duration,
}

impl Patience {
    /// For processes that have time.
    pub const ALL: Self = Self::of(10_000, Duration::from_secs(1));
    /// For who serves others.
    pub const SOME: Self = Self::of(10_000, Duration::from_millis(20));
    /// For who has just met somebody that does not finish: as long as a write takes.
    pub const LITTLE: Self = Self::of(100, Duration::ZERO);
    /// For who can come back later.
    pub const NONE: Self = Self::of(1, Duration::ZERO);

    const fn of(looks: usize, longest: Duration) -> Self {
        // As few as make sense to loom.
        let looks = if cfg!(feature = "loom") { 2 } else { looks };
        Self { looks, longest }
    }

    /// Calls `look` until it answers something, or nobody has the patience any more.
    fn wait<T>(self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let mut begun = None;
        for _ in 0..self.looks {
            if let Some(seen) = look() {
                return Some(seen);
            }
            if self.longest.is_zero() {
                std::hint::spin_loop();
                continue;
            }
            if begun.get_or_insert_with(Instant::now).elapsed() >= self.longest {
                return None;
            }
            pause();
        }
        None
    }
}

const HEADER_WORDS: usize = BUCKET_HEADER_BYTES / 8;

/// The words of one bucket.
#[derive(Clone, Copy)]
pub struct Bucket<'m> {
    words: &'m [AtomicU64],
    slot_words: usize,
    key_words: usize,
    patience: Patience,
}

/// An entry that is looked for: the hash of its key, and the key.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Of the key.
    pub hash: u64,
    /// No longer than keys are here.
    pub key: &'a [u8],
    /// Milliseconds since 1970: what ends until then is not there.
    pub now_ms: u64,
}

/// What a reader found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The value was copied.
    Found {
        /// Its version.
        version: u64,
        /// When it ends.
        ends_ms: u64,
    },
    /// There is no such entry.
    Absent,
    /// There may be one in the slot that somebody writes to.
    Busy,
}

/// What a slot is to hold.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// 0: nothing.
    pub version: u64,
    /// When it ends.
    pub ends_ms: u64,
    /// No longer than values are here.
    pub value: &'a [u8],
}

impl<'m> Bucket<'m> {
    /// A bucket of slots of so many words, of which so many are for the key.
    #[must_use]
    pub fn new(words: &'m [AtomicU64], (slot_words, key_words): (usize, usize)) -> Self {
        Self {
            words,
            slot_words,
            key_words,
            patience: Patience::ALL,
        }
    }

    /// The same for somebody with other patience.
    #[must_use]
    pub fn with(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Copies the value of an entry into `value`.
    pub fn read(&self, entry: Entry<'_>, value: &mut Vec<u8>) -> Look {
        let looked = self.patience.wait(|| {
            let before = self.words[AT_SEQUENCE].load(Ordering::Acquire);
            let hidden = self.hidden(before);
            let look = self.search(entry, hidden, value);
            fence(Ordering::Acquire);
            let is_whole = self.words[AT_SEQUENCE].load(Ordering::Relaxed) == before;
            match look {
                Look::Found { .. } | Look::Absent if is_whole => Some(look),
                Look::Found { .. } | Look::Absent | Look::Busy => None,
            }
        });
        looked.unwrap_or(Look::Busy)
    }

    /// The slot that must not be looked at, by the sequence that was just read.
    fn hidden(&self, sequence: u64) -> Option<usize> {
        if sequence.is_multiple_of(2) {
            return None;
        }
        // Acquired: the slot of a later write comes with the sequence that ended the one before.
        let slot = self.words[AT_WRITING].load(Ordering::Acquire);
        Some(usize::try_from(slot).unwrap_or(usize::MAX))
    }

    fn search(&self, entry: Entry<'_>, hidden: Option<usize>, value: &mut Vec<u8>) -> Look {
        for (number, slot) in self.slots().enumerate() {
            if Some(number) == hidden || !holds(slot, entry) {
                continue;
            }
            let ends_ms = slot[AT_ENDS].load(Ordering::Relaxed);
            if ends_ms <= entry.now_ms {
                return Look::Absent;
            }
            let version = slot[AT_ENTRY_VERSION].load(Ordering::Relaxed);
            self.copy(slot, value);
            return Look::Found { version, ends_ms };
        }
        match hidden {
            Some(_) => Look::Busy,
            None => Look::Absent,
        }
    }

    /// Copies the value of a slot, as far as it can be one.
    fn copy(&self, slot: &[AtomicU64], value: &mut Vec<u8>) {
        let (_, length) = lengths(slot[AT_LENGTHS].load(Ordering::Relaxed));
        let words = &slot[AT_KEY + self.key_words..];
        value.clear();
        for word in words.iter().take(length.div_ceil(8)) {
            value.extend_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        value.truncate(length);
    }

    /// The key of a slot; `None`: it is free.
    fn key(&self, slot: &[AtomicU64]) -> Option<Vec<u8>> {
        if slot[AT_ENTRY_VERSION].load(Ordering::Relaxed) == 0 {
            return None;
        }
        let (length, _) = lengths(slot[AT_LENGTHS].load(Ordering::Relaxed));
        let words = slot[AT_KEY..].iter().take(self.key_words);
        let bytes = words.flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        Some(bytes.take(length).collect())
    }

    /// The keys of all entries that live, and are not being written to. `None`: others write all the
    /// time.
    #[must_use]
    pub fn keys(&self, now_ms: u64) -> Option<Vec<Vec<u8>>> {
        self.patience.wait(|| {
            let before = self.words[AT_SEQUENCE].load(Ordering::Acquire);
            let hidden = self.hidden(before);
            let slots = self.slots().enumerate();
            let seen = slots.filter(|(number, slot)| {
                Some(*number) != hidden && slot[AT_ENDS].load(Ordering::Relaxed) > now_ms
            });
            let keys = seen.filter_map(|(_, slot)| self.key(slot)).collect();
            fence(Ordering::Acquire);
            let is_whole = self.words[AT_SEQUENCE].load(Ordering::Relaxed) == before;
            is_whole.then_some(keys)
        })
    }

    /// Takes the bucket for a writer; `false`: somebody else has it, for longer than that takes.
    #[must_use]
    pub fn lock(&self, me: u64) -> bool {
        let owner = &self.words[AT_OWNER];
        let taken = self.patience.wait(|| {
            let taken = owner.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed);
            taken.ok()
        });
        taken.is_some()
    }

    /// Gives it back.
    pub fn unlock(&self) {
        self.words[AT_OWNER].store(0, Ordering::Release);
    }

    /// Who has it; 0: nobody.
    #[must_use]
    pub fn owner(&self) -> u64 {
        self.words[AT_OWNER].load(Ordering::Relaxed)
    }

    /// The slot that holds an entry, alive or not. For the owner.
    #[must_use]
    pub fn find(&self, entry: Entry<'_>) -> Option<usize> {
        self.slots().position(|slot| holds(slot, entry))
    }

    /// A slot that is free, or whose entry has ended. For the owner.
    #[must_use]
    pub fn vacancy(&self, now_ms: u64) -> Option<usize> {
        let slots = || self.slots().enumerate();
        let is_free = |slot: &[AtomicU64]| slot[AT_ENTRY_VERSION].load(Ordering::Relaxed) == 0;
        let free = slots().find(|(_, slot)| is_free(slot));
        let ended = || slots().find(|(_, slot)| slot[AT_ENDS].load(Ordering::Relaxed) <= now_ms);
        free.or_else(ended).map(|(number, _)| number)
    }

    /// Version and end of a slot's entry, and its value. For the owner.
    pub fn peek(&self, number: usize, value: &mut Vec<u8>) -> (u64, u64) {
        let Some(slot) = self.slots().nth(number) else {
            return (0, NEVER);
        };
        self.copy(slot, value);
        let load = |at: usize| slot[at].load(Ordering::Relaxed);
        (load(AT_ENTRY_VERSION), load(AT_ENDS))
    }

    /// Writes a slot. For the owner.
    pub fn write(&self, number: usize, entry: Entry<'_>, change: Change<'_>) {
        let Some(slot) = self.slots().nth(number) else {
            return;
        };
        let sequence = self.begin(number);
        let put = |at: usize, word: u64| slot[at].store(word, Ordering::Relaxed);
        put(AT_ENTRY_VERSION, change.version);
        put(AT_ENDS, change.ends_ms);
        put(
            AT_LENGTHS,
            entry.key.len() as u64 | (change.value.len() as u64) << 32,
        );
        put(AT_HASH, entry.hash);
        for (at, word) in words_of(entry.key).enumerate() {
            put(AT_KEY + at, word);
        }
        for (at, word) in words_of(change.value).enumerate() {
            put(AT_KEY + self.key_words + at, word);
        }
        self.end(sequence);
    }

    /// Frees a slot. For the owner.
    pub fn free(&self, number: usize) {
        if let Some(slot) = self.slots().nth(number) {
            let sequence = self.begin(number);
            slot[AT_ENTRY_VERSION].store(0, Ordering::Relaxed);
            self.end(sequence);
        }
    }

    /// Frees all slots whose entries have ended and answers how many. For the owner.
    #[must_use]
    pub fn sweep(&self, now_ms: u64) -> u64 {
        let mut swept = 0;
        for (number, slot) in self.slots().enumerate() {
            let load = |at: usize| slot[at].load(Ordering::Relaxed);
            if load(AT_ENTRY_VERSION) != 0 && load(AT_ENDS) <= now_ms {
                self.free(number);
                swept += 1;
            }
        }
        swept
    }

    /// How many entries live, and how many have ended. A look only.
    #[must_use]
    pub fn count(&self, now_ms: u64) -> (u64, u64) {
        let (mut live, mut ended) = (0, 0);
        for slot in self.slots() {
            let load = |at: usize| slot[at].load(Ordering::Relaxed);
            if load(AT_ENTRY_VERSION) != 0 {
                let count = if load(AT_ENDS) > now_ms {
                    &mut live
                } else {
                    &mut ended
                };
                *count += 1;
            }
        }
        (live, ended)
    }

    /// Ends what an owner that is dead has begun, and answers whether a slot was lost.
    #[must_use]
    pub fn repair(&self) -> bool {
        let sequence = self.words[AT_SEQUENCE].load(Ordering::Relaxed);
        let was_writing = !sequence.is_multiple_of(2);
        if was_writing {
            let hidden = self.hidden(sequence).unwrap_or(usize::MAX);
            if let Some(slot) = self.slots().nth(hidden) {
                slot[AT_ENTRY_VERSION].store(0, Ordering::Relaxed);
            }
            self.words[AT_SEQUENCE].store(sequence.wrapping_add(1), Ordering::Release);
        }
        self.unlock();
        was_writing
    }

    /// The sequence becomes odd; answers what it was.
    fn begin(&self, number: usize) -> u64 {
        let sequence = self.words[AT_SEQUENCE].load(Ordering::Relaxed);
        self.words[AT_WRITING].store(number as u64, Ordering::Release);
        self.words[AT_SEQUENCE].store(sequence.wrapping_add(1), Ordering::Release);
        // Nothing of what follows is seen before the odd number is.
        fence(Ordering::Release);
        sequence
    }

    /// The sequence becomes even again.
    fn end(&self, sequence: u64) {
        self.words[AT_SEQUENCE].store(sequence.wrapping_add(2), Ordering::Release);
    }

    fn slots(&self) -> impl Iterator<Item = &'m [AtomicU64]> + use<'m> {
        self.words[HEADER_WORDS..].chunks_exact(self.slot_words)
    }
}

/// Whether a slot holds an entry, alive or not.
fn holds(slot: &[AtomicU64], entry: Entry<'_>) -> bool {
    let load = |at: usize| slot[at].load(Ordering::Relaxed);
    if load(AT_ENTRY_VERSION) == 0 || load(AT_HASH) != entry.hash {
        return false;
    }
    let (length, _) = lengths(load(AT_LENGTHS));
    let mut words = words_of(entry.key).enumerate();
    length == entry.key.len() && words.all(|(at, word)| load(AT_KEY + at) == word)
}

/// Of key and value. They may be anything while somebody writes.
fn lengths(word: u64) -> (usize, usize) {
    let low = usize::try_from(word & u64::from(u32::MAX));
    let high = usize::try_from(word >> 32);
    (low.unwrap_or(usize::MAX), high.unwrap_or(usize::MAX))
}

/// Words of bytes, the last one padded with zeros.
fn words_of(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    })
}
