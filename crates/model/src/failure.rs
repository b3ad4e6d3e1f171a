//! What is done about a plugin that fails or grows old, beside what requests meet.

use std::time::Duration;

/// How a failed plugin comes back, and what is kept from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureRules {
    /// Whether a plugin whose policy is `open` gets a new VM after a failure.
    pub open_recovers: bool,
    /// When a new VM has to wait.
    pub breaker: Breaker,
    /// Keeping requests away that look like those that killed a VM.
    pub quarantine: Option<Quarantine>,
}

/// When a plugin that fails again and again is left alone for a while. All workers have one
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row that cost no wait.
    pub failures: u32,
    /// A failure later than this after the one before it begins a new row.
    pub window: Duration,
    /// The first wait; it doubles with each further failure in the row.
    pub wait: Duration,
    /// The longest wait.
    pub wait_max: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            // One crash never costs a second request.
            failures: 3,
            window: Duration::from_secs(10),
            wait: Duration::from_millis(100),
            wait_max: Duration::from_secs(10),
        }
    }
}

impl Breaker {
    /// How long a new VM has to wait after so many failures in a row.
    #[must_use]
    pub fn wait_after(&self, row: u32) -> Duration {
        match row.saturating_sub(self.failures) {
            0 => Duration::ZERO,
            further => {
                let doubled = 1u32.checked_shl(further - 1).unwrap_or(u32::MAX);
                self.wait.saturating_mul(doubled).min(self.wait_max)
            }
        }
    }
}

/// When requests of one pattern (method, route, shape of the path, names of the headers) are kept
/// from a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Failures with requests of one pattern that put it under quarantine.
    pub failures: u32,
    /// How long it stays there, and how long failures are remembered before.
    pub time: Duration,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            failures: 3,
            time: Duration::from_mins(1),
        }
    }
}

/// When a VM that works is replaced. No request notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recycling {
    /// After so many requests.
    pub requests: Option<u64>,
    /// When its linear memory has grown to this.
    pub memory_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let breaker = Breaker::default();
        let waits = [0, 3, 4, 5, 6, 40, u32::MAX].map(|row| breaker.wait_after(row).as_millis());
        assert_eq!(waits, [0, 0, 100, 200, 400, 10_000, 10_000]);
    }
}
