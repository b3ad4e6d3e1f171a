//! What is done about a plugin that fails or grows old.

use weir_model::{OnFailure, limits};

use crate::shape::Placed;
use crate::shape::basic::{Switch, choices};
use crate::shape::quantity::{Count, DAY_MS, Size, Time};
use crate::shape::section::section;

section! {
    /// What follows a failure of a plugin: a trap, or a limit that it exceeds. A bare word is the
    /// policy.
    struct FailureText = "failure" {
        /// What requests meet. `reload`: those in the failed VM get 503, later ones a new VM.
        /// `closed`: 503 until the configuration changes. `open`: no filter. Where a request has a VM of its own, a failure is that request's only.
        policy: OnFailure = OnFailure::default();
        /// For `open`: whether a new VM is started for a failed one. Otherwise one failure takes
        /// the filter out until the configuration changes.
        recover: Option<Placed<bool>> = None;
        /// When a new VM has to wait.
        breaker: BreakerText = BreakerText::default();
        /// Keeping requests from the plugin that look like those that it failed at.
        quarantine: Switch<QuarantineText> = Switch::Off;
    }
    short "policy";
}

impl Default for FailureText {
    fn default() -> Self {
        Self {
            policy: OnFailure::default(),
            recover: None,
            breaker: BreakerText::default(),
            quarantine: Switch::Off,
        }
    }
}

section! {
    /// When a plugin that fails again and again is left alone. All workers count together; VMs that
    /// still run go on. Failures are in a row when no request went well between them. A plugin that
    /// serves requests between its failures is not left alone; it is started again after four times
    /// what its last start took, so that starts do not take all the time.
    struct BreakerText = "breaker" {
        /// Failures, in a row or one soon after the other, that cost no wait.
        failures: Count<0, 1_000_000> = BreakerText::default().failures;
        /// A failure later than this after the one before begins a new row.
        window: Time<1, DAY_MS> = BreakerText::default().window;
        /// How long a new VM has to wait at first; the wait doubles with each failure.
        wait: Time<1, DAY_MS> = BreakerText::default().wait;
        /// The longest wait.
        wait_max: Time<1, DAY_MS> = BreakerText::default().wait_max;
    }
}

impl Default for BreakerText {
    fn default() -> Self {
        let breaker = weir_model::Breaker::default();
        Self {
            failures: Count(breaker.failures.into()),
            window: Time(breaker.window),
            wait: Time(breaker.wait),
            wait_max: Time(breaker.wait_max),
        }
    }
}

section! {
    /// When requests of one pattern (method, route, shape of the path, names of the headers) are
    /// kept from a plugin: they meet its policy without it.
    struct QuarantineText = "quarantine" {
        /// Failures at requests of one pattern that put it under quarantine.
        failures: Count<1, 1_000_000> = QuarantineText::default().failures;
        /// How long it stays there.
        time: Time<1, DAY_MS> = QuarantineText::default().time;
    }
}

impl Default for QuarantineText {
    fn default() -> Self {
        let quarantine = weir_model::Quarantine::default();
        Self {
            failures: Count(quarantine.failures.into()),
            time: Time(quarantine.time),
        }
    }
}

section! {
    /// When a VM is replaced though it works: new requests go to a new one, and the old one ends
    /// with its last request.
    struct RecycleText = "recycle" {
        /// After so many requests.
        requests: Option<Count<1, { u64::MAX }>> = None;
        /// When its linear memory has grown to this.
        memory: Option<Size<65536, { limits::guest::GUEST_MEMORY_BYTES_MAX }>> = None;
    }
}

choices! {
    OnFailure: "failure policy" {
        "reload" => Self::Reload,
        "closed" => Self::Closed,
        "open" => Self::Open,
    }
}
