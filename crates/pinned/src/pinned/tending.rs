//! Looking after a map: what has ended, and what writers left who died.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::{Owned, Pinned, Tended, now_ms};
use crate::bucket::{Bucket, Patience};
use crate::layout::{AT_REPAIRED, WRITER_BYTES, WRITERS};
use crate::{PinError, lock};

/// Above all numbers of writers.
const NOBODY: u64 = WRITERS + 1;

impl Pinned {
    /// Frees entries that have ended, and what writers left who died while they wrote. For the
    /// gateway, every second or so.
    ///
    /// # Errors
    /// [`PinError::ReadOnly`], [`PinError::Cut`].
    pub fn tend(&self) -> Result<Tended, PinError> {
        if self.me == 0 {
            return Err(PinError::ReadOnly);
        }
        let mut tended = Tended::default();
        self.is_stuck.store(false, Ordering::Relaxed);
        let others = |owner: &u64| *owner != 0 && *owner != self.me;
        let owners = self.buckets().map(|bucket| bucket.owner()).filter(others);
        // A number that nobody can have is nobody's, whatever it is.
        let owners: BTreeSet<u64> = owners.map(|owner| owner.min(NOBODY)).collect();
        for owner in owners {
            self.repair(owner, &mut tended);
        }
        self.word(AT_REPAIRED)
            .fetch_add(tended.lost, Ordering::Relaxed);
        let now_ms = now_ms();
        for bucket in self.buckets() {
            let (live, ended) = bucket.count(now_ms);
            tended.entries += live;
            // A bucket that somebody has is swept the next time.
            if ended > 0 && bucket.with(Patience::NONE).lock(self.me) {
                tended.ended += Owned(bucket).0.sweep(now_ms);
            }
        }
        self.check_whole()?;
        Ok(tended)
    }

    /// Gives back what a writer has, if it has died.
    fn repair(&self, owner: u64, tended: &mut Tended) {
        let byte = (owner != NOBODY).then(|| WRITER_BYTES + owner - 1);
        let is_dead = byte.is_none_or(|byte| {
            let taken = lock::take(&self.mapped.file, byte);
            taken.unwrap_or(false)
        });
        if !is_dead {
            return;
        }
        // As long as its byte is locked here, nobody gets the number.
        let is_its = |bucket: &Bucket<'_>| bucket.owner().min(NOBODY) == owner;
        for bucket in self.buckets().filter(is_its) {
            tended.lost += u64::from(bucket.repair());
            tended.repaired += 1;
        }
        if let Some(byte) = byte {
            // If this fails the number stays ours, which costs one of 256.
            let _ = lock::give(&self.mapped.file, byte);
        }
    }
}
