//! Numbers of one worker, readable from every thread.

use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

/// A number that one thread changes and any thread reads. Not for two writers: an update is a load
/// and a store, which costs what a plain variable costs.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0
            .store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, count: u64) {
        self.0
            .store(self.get().wrapping_sub(count), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// What one worker counts. On cache lines of its own.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(crate) struct Counters {
            $($(#[$doc])* pub(crate) $name: Counter,)+
            /// Responses by class: 1xx, 2xx, 3xx, 4xx, 5xx.
            pub(crate) responses: [Counter; 5],
        }

        /// What some workers counted together.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)+
            /// Responses by class: 1xx, 2xx, 3xx, 4xx, 5xx.
            pub responses: [u64; 5],
        }

        impl Totals {
            pub(crate) fn of<'a>(workers: impl IntoIterator<Item = &'a Counters>) -> Self {
                let mut totals = Self::default();
                for worker in workers {
                    $(totals.$name = totals.$name.wrapping_add(worker.$name.get());)+
                    for (total, class) in totals.responses.iter_mut().zip(&worker.responses) {
                        *total = total.wrapping_add(class.get());
                    }
                }
                totals
            }

            /// Name and value of each number except the responses, in the order of declaration.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Connections accepted.
    connections,
    /// Connections open now.
    connections_active,
    /// Connections closed at once: the listener was full.
    connections_refused,
    /// Accepts that failed for want of a resource.
    accept_errors,
    /// Requests that reached the exchange.
    requests,
    /// Exchanges that run now.
    requests_active,
    /// Requests that the codec refused: malformed, too large, too slow.
    requests_refused,
    /// Exchanges that ended without a complete response.
    requests_reset,
    /// Bytes received from clients, framing included.
    bytes_in,
    /// Bytes sent to clients, framing included.
    bytes_out,
    /// Access log lines written.
    log_lines,
    /// Access log lines dropped because the reader of the log is too slow.
    log_lines_dropped,
    /// Connections ended by a defect of the gateway.
    panics,
}

impl Counters {
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.responses.get(class) {
            counter.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_summed() {
        let workers = [Counters::default(), Counters::default()];
        workers[0].requests.add(2);
        workers[1].requests.add(3);
        workers[1].requests_active.add(1);
        workers[1].requests_active.sub(1);
        workers[0].answered(StatusCode::NOT_FOUND);
        workers[1].answered(StatusCode::from_u16(999).unwrap());
        let totals = Totals::of(&workers);
        assert_eq!(totals.requests, 5);
        assert_eq!(totals.requests_active, 0);
        assert_eq!(totals.responses, [0, 0, 0, 1, 0]);
        assert!(totals.named().contains(&("requests", 5)));
    }
}
