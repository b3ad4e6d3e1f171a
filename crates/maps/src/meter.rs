//! What a use of a module may ask of maps in a second and in a request, and what it was refused.
//!
//! A use has one rate for all of its instances, on all workers. Each call costs units, by a price list:
//! what is known of it beforehand is paid before it is done, else it is refused; what is known only
//! afterwards (how many entries a page has, how long a value is) is owed, and paid before the next
//! call. Invariant: over any time, what was paid is at most the burst and the units of that time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::MapError;
use crate::call::{Called, MapCall, MapOp, MapReply, packed};

/// `errno` of what a quota refuses.
const NOSPC: i32 = 51;
const NANOS: u128 = 1_000_000_000;
const KILOBYTE: usize = 1024;

/// What things cost, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Looking at an entry or at a map's numbers, a page of a scan, a condition of a batch.
    pub read: u64,
    /// Changing an entry, emptying a map, beginning a watch.
    pub write: u64,
    /// An entry of a page of a scan.
    pub entry: u64,
    /// Each kilobyte, also one that is begun, of values that are read or written.
    pub kilobyte: u64,
}

/// How many units there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In a second; at most [`weir_model::limits::maps::UNITS_MAX`].
    pub units: u64,
    /// At most so many at once, after a pause.
    pub burst: u64,
    /// What things cost.
    pub prices: Prices,
}

/// What each request may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Units of one request.
    pub units: u64,
    /// What things cost.
    pub prices: Prices,
}

impl Allowance {
    pub(crate) fn price(&self, call: &MapCall<'_>) -> u64 {
        price(call, &self.prices)
    }

    pub(crate) fn price_of_reply(&self, reply: &MapReply) -> u64 {
        price_of_reply(reply, &self.prices)
    }
}

/// What one use has asked for. Without a rate, it may ask for anything.
#[derive(Debug, Default)]
pub struct Meter {
    rate: Option<Bucket>,
    allowance: Option<Allowance>,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Bucket {
    rate: Rate,
    begun: Instant,
    /// When everything will be paid, in nanoseconds since it has begun.
    paid_ns: AtomicU64,
    spent: AtomicU64,
}

impl Meter {
    /// For this rate.
    #[must_use]
    pub fn new(rate: Option<Rate>) -> Self {
        let bucket = |rate| Bucket {
            rate,
            begun: Instant::now(),
            paid_ns: AtomicU64::new(0),
            spent: AtomicU64::new(0),
        };
        Self {
            rate: rate.map(bucket),
            allowance: None,
            refused: AtomicU64::new(0),
        }
    }

    /// And each request may spend only so much.
    #[must_use]
    pub fn with_allowance(mut self, allowance: Option<Allowance>) -> Self {
        self.allowance = allowance;
        self
    }

    /// What each request may spend; `None`: as much as it can.
    #[must_use]
    #[inline]
    pub fn allowance(&self) -> Option<Allowance> {
        self.allowance
    }

    /// Calls that were refused because a quota was used up: this one, a map's, or that of the maps
    /// that the use made.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Units that were spent.
    #[must_use]
    pub fn spent(&self) -> u64 {
        let spent = self
            .rate
            .as_ref()
            .map(|it| it.spent.load(Ordering::Relaxed));
        spent.unwrap_or_default()
    }

    /// Whether there is a rate.
    #[must_use]
    pub fn has_rate(&self) -> bool {
        self.rate.is_some()
    }

    /// Pays for a call, as far as its price is known.
    ///
    /// # Errors
    /// [`MapError::NoSpace`]: there are not enough units now.
    #[inline]
    pub(crate) fn admit(&self, call: &MapCall<'_>) -> Result<(), MapError> {
        match &self.rate {
            None => Ok(()),
            Some(bucket) => bucket.pay(price(call, &bucket.rate.prices)),
        }
    }

    /// Counts a reply, and what it costs beyond what was paid.
    #[inline]
    pub(crate) fn note(&self, reply: &MapReply) {
        if let MapReply::Refused(NOSPC, _) = reply {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(bucket) = &self.rate {
            bucket.owe(price_of_reply(reply, &bucket.rate.prices));
        }
    }

    /// The same of a reply that may come later.
    #[inline]
    pub(crate) fn noted(self: &std::sync::Arc<Self>, called: Called) -> Called {
        match called {
            Called::Now(reply) => {
                self.note(&reply);
                Called::Now(reply)
            }
            Called::Later(later) => {
                let meter = std::sync::Arc::clone(self);
                Called::Later(Box::pin(async move {
                    let reply = later.await;
                    meter.note(&reply);
                    reply
                }))
            }
        }
    }
}

impl Bucket {
    fn pay(&self, units: u64) -> Result<(), MapError> {
        if units == 0 {
            return Ok(());
        }
        let (now_ns, cost_ns) = (self.now_ns(), self.nanos(units));
        let most_ns = now_ns.saturating_add(self.nanos(self.rate.burst));
        let next = |paid_ns: u64| {
            let next_ns = paid_ns.max(now_ns).saturating_add(cost_ns);
            (next_ns <= most_ns).then_some(next_ns)
        };
        let paid = self
            .paid_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        paid.map_err(|_| MapError::NoSpace {
            what: "units a second of this use",
            max: self.rate.units,
        })?;
        self.spent.fetch_add(units, Ordering::Relaxed);
        Ok(())
    }

    fn owe(&self, units: u64) {
        if units == 0 {
            return;
        }
        let (now_ns, cost_ns) = (self.now_ns(), self.nanos(units));
        let next = |paid_ns: u64| Some(paid_ns.max(now_ns).saturating_add(cost_ns));
        // It always gives something.
        let _ = self
            .paid_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        self.spent.fetch_add(units, Ordering::Relaxed);
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time that earns so many units.
    fn nanos(&self, units: u64) -> u64 {
        let nanos = (u128::from(units) * NANOS).div_ceil(u128::from(self.rate.units.max(1)));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// What is known of the price of a call beforehand. What concerns handles alone costs nothing.
fn price(call: &MapCall<'_>, prices: &Prices) -> u64 {
    let bytes = |value: &[u8]| kilobytes(value.len()).saturating_mul(prices.kilobyte);
    match call {
        MapCall::Get { .. }
        | MapCall::Exists { .. }
        | MapCall::Scan { .. }
        | MapCall::Stat { .. }
        | MapCall::GetMap { .. }
        | MapCall::RegionMap { .. } => prices.read,
        MapCall::RegionHand { .. } => prices.read.saturating_add(prices.write),
        MapCall::Set { value, .. } => prices.write.saturating_add(bytes(value)),
        MapCall::Delete { .. }
        | MapCall::Add { .. }
        | MapCall::Clear { .. }
        | MapCall::Watch { .. }
        | MapCall::PutMap { .. }
        | MapCall::RegionCreate { .. } => prices.write,
        MapCall::Batch { ops, .. } => ops.iter().fold(0, |sum: u64, op| {
            sum.saturating_add(match op {
                MapOp::Check { .. } => prices.read,
                MapOp::Set { value, .. } => prices.write.saturating_add(bytes(value)),
                MapOp::Delete { .. } | MapOp::Add { .. } => prices.write,
            })
        }),
        MapCall::Open { .. }
        | MapCall::OpenGranted { .. }
        | MapCall::Create { .. }
        | MapCall::Close { .. }
        | MapCall::Dup { .. }
        | MapCall::Lend { .. }
        | MapCall::Transfer { .. }
        | MapCall::Accept { .. }
        | MapCall::Rights { .. }
        | MapCall::Next { .. }
        | MapCall::Unwatch { .. }
        | MapCall::RegionUnmap { .. } => 0,
    }
}

fn price_of_reply(reply: &MapReply, prices: &Prices) -> u64 {
    match reply {
        MapReply::Entry(value, _) => kilobytes(value.length()).saturating_mul(prices.kilobyte),
        MapReply::Page(page, _) => {
            let entries = packed::items(page).count() as u64;
            let of_bytes = kilobytes(page.len()).saturating_mul(prices.kilobyte);
            entries
                .saturating_mul(prices.entry)
                .saturating_add(of_bytes)
        }
        _ => 0,
    }
}

fn kilobytes(bytes: usize) -> u64 {
    bytes.div_ceil(KILOBYTE) as u64
}
