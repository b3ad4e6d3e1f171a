//! Renewing the image that copies are made from, after something happened in the VM that it shows.
//!
//! A timer that fetched a token is of use only if requests see the token. A renewal costs the time
//! to find and copy what changed; they are spaced so far apart that they take at most a twentieth of
//! the worker's time, and what happens in between is seen with the next one.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use weir_guest::SnapshotError;

use super::Image;
use crate::plugin::Remark;
use crate::plugin::guest::GuestSnapshot;
use crate::plugin::slot::Slot;

/// The distance of two renewals, in times of what one costs.
const SPACING: u32 = 20;

/// What is known of renewals of one slot.
#[derive(Default)]
pub(in crate::plugin) struct Renewal {
    /// Since when the image lacks something.
    stale_since: Cell<Option<Instant>>,
    is_scheduled: Cell<bool>,
    last: Cell<Option<Last>>,
}

#[derive(Clone, Copy)]
struct Last {
    end: Instant,
    cost: Duration,
}

impl Renewal {
    /// How long the next renewal has to wait.
    fn wait(&self, now: Instant) -> Duration {
        self.last.get().map_or(Duration::ZERO, |last| {
            let since = now.saturating_duration_since(last.end);
            last.cost.saturating_mul(SPACING).saturating_sub(since)
        })
    }
}

impl Slot {
    /// Something ran in the VM that copies are made from.
    pub(in crate::plugin) fn root_ran(&self) {
        let Some(copies) = self.copies() else { return };
        let renewal = &copies.renewal;
        let now = Instant::now();
        if renewal.stale_since.get().is_none() {
            renewal.stale_since.set(Some(now));
            self.stats().became_stale(self.key(), now);
        }
        if renewal.is_scheduled.replace(true) {
            return;
        }
        let (this, wait) = (self.this(), renewal.wait(now));
        self.shared().spawn(async move {
            // What else is due now is part of it, too.
            tokio::task::yield_now().await;
            tokio::time::sleep(wait).await;
            if let Some(slot) = this.upgrade() {
                slot.renew();
            }
        });
    }

    /// Makes a new image of the VM as it is now.
    pub(in crate::plugin) fn renew(&self) {
        let Some(copies) = self.copies() else { return };
        let renewal = &copies.renewal;
        renewal.is_scheduled.set(false);
        if self.is_busy() {
            // When the guest has returned, there is a renewal to be made again.
            return;
        }
        let began = Instant::now();
        match self.image() {
            Some(Ok(image)) => {
                let cost = began.elapsed();
                renewal.last.set(Some(Last {
                    end: Instant::now(),
                    cost,
                }));
                let age = renewal.stale_since.take().map(|since| since.elapsed());
                self.stats().renewed(self.key(), cost, age);
                copies.set_images(vec![Rc::new(image)]);
            }
            Some(Err(error)) => {
                self.stats().renewal_failed();
                self.meter().remark(Remark::NoSnapshot, |filter, untold| {
                    tracing::error!(
                        filter,
                        %error,
                        untold,
                        "no snapshot of the plugin: requests go on with the one before"
                    );
                });
            }
            // The VM has failed; the next one is to be shown.
            None => {}
        }
    }

    /// The image of a VM that has just started.
    pub(in crate::plugin) fn first_image(&self) -> Result<Rc<Image>, SnapshotError> {
        let image = self.image().unwrap_or(Err(SnapshotError::Failed))?;
        Ok(Rc::new(image))
    }

    fn image(&self) -> Option<Result<Image, SnapshotError>> {
        self.with_guest(|guest| {
            let snapshot = guest.vm.snapshot()?;
            let here = match &snapshot {
                GuestSnapshot::Here(snapshot) => Some(snapshot),
                GuestSnapshot::Apart(_) => None,
            };
            let tape = guest.vm.with_tape(|tape| tape.print(here));
            Ok(Image {
                tape,
                snapshot,
                world: guest.vm.world().print(),
                roots: guest.roots.clone(),
            })
        })
    }

    /// Tells this slot from those of other workers.
    fn key(&self) -> usize {
        self.this()
            .upgrade()
            .map_or(0, |this| Rc::as_ptr(&this).addr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_take_a_twentieth_of_the_time() {
        let renewal = Renewal::default();
        let end = Instant::now();
        assert_eq!(renewal.wait(end), Duration::ZERO);
        let cost = Duration::from_millis(3);
        renewal.last.set(Some(Last { end, cost }));
        assert_eq!(renewal.wait(end), Duration::from_millis(60));
        let later = end + Duration::from_millis(50);
        assert_eq!(renewal.wait(later), Duration::from_millis(10));
        let late = end + Duration::from_secs(1);
        assert_eq!(renewal.wait(late), Duration::ZERO);
    }
}
