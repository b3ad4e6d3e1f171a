//! What the requests of an instance have spent of what each of them may.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Ends, Handles};
use crate::MapError;
use crate::call::{Called, MapCall};

/// Units by request. What comes later than its call is added later, so it is shared with that.
#[derive(Debug, Default)]
pub(super) struct Spending {
    /// What is done outside of requests is one request's, too: the instance serves one alone.
    is_of_one: bool,
    requests: HashMap<Option<u64>, Arc<AtomicU64>>,
}

impl Spending {
    pub(super) fn forget(&mut self, request: u64) {
        if !self.requests.is_empty() {
            self.requests.remove(&Some(request));
        }
    }

    pub(super) fn clear(&mut self) {
        self.requests.clear();
    }
}

impl Handles {
    /// For an instance that serves one request, or call, and ends with it.
    #[must_use]
    pub fn of_one_request(mut self) -> Self {
        self.spending.is_of_one = true;
        self
    }

    /// Whether each request may do only so much: then [`call`](Self::call) has to be told which one
    /// asks, by its `ends`.
    #[must_use]
    #[inline]
    pub fn counts_requests(&self) -> bool {
        self.identity.meter.allowance().is_some()
    }

    /// Pays for a call out of what its request may spend. Answers where more is to be added.
    ///
    /// # Errors
    /// [`MapError::NoSpace`]: there is not enough left.
    pub(super) fn spend(
        &mut self,
        call: &MapCall<'_>,
        ends: Ends,
    ) -> Result<Option<Arc<AtomicU64>>, MapError> {
        let Some(allowance) = self.identity.meter.allowance() else {
            return Ok(None);
        };
        let request = match ends {
            Ends::WithRequest(request) => Some(request),
            Ends::WithInstance if self.spending.is_of_one => None,
            Ends::WithInstance => return Ok(None),
        };
        let price = allowance.price(call);
        let spent = self.spending.requests.entry(request).or_default();
        let sum = spent.load(Ordering::Relaxed).saturating_add(price);
        if price > 0 && sum > allowance.units {
            return Err(MapError::NoSpace {
                what: "units a request of this filter or function",
                max: allowance.units,
            });
        }
        spent.store(sum, Ordering::Relaxed);
        Ok(Some(Arc::clone(spent)))
    }

    /// Adds what is known of a call's price only with its reply.
    pub(super) fn spent_more(&self, spent: Arc<AtomicU64>, called: Called) -> Called {
        let Some(allowance) = self.identity.meter.allowance() else {
            return called;
        };
        match called {
            Called::Now(reply) => {
                spent.fetch_add(allowance.price_of_reply(&reply), Ordering::Relaxed);
                Called::Now(reply)
            }
            Called::Later(later) => Called::Later(Box::pin(async move {
                let reply = later.await;
                spent.fetch_add(allowance.price_of_reply(&reply), Ordering::Relaxed);
                reply
            })),
        }
    }
}
