//! DNS names of endpoints.
//!
//! Shared by all workers: a name is looked up once per refresh, on the blocking pool of whichever
//! worker asks first, and the others take its answer.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_model::Name;
use weir_model::limits::functions::NAMES_MAX;

/// Answers are forgotten when nobody asked for so long.
const FORGET_AFTER: Duration = Duration::from_mins(10);

/// Addresses of a name in a stable order, or why there are none.
pub(crate) type Answer = Result<Arc<[IpAddr]>, Arc<str>>;

type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Looks names up. One for the whole process.
pub(crate) struct Resolver {
    lookup: Arc<Lookup>,
    names: Mutex<HashMap<Name, Arc<Known>>>,
}

/// The lock is held while a lookup is under way: others wait for its answer.
#[derive(Default)]
struct Known(tokio::sync::Mutex<Option<(Instant, Answer)>>);

impl Resolver {
    /// Asks the operating system.
    pub(crate) fn system() -> Arc<Self> {
        Self::with(|name| {
            Ok((name, 0)
                .to_socket_addrs()?
                .map(|address| address.ip())
                .collect())
        })
    }

    /// Asks `lookup`, which may block.
    pub(crate) fn with(
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            lookup: Arc::new(lookup),
            names: Mutex::default(),
        })
    }

    /// The addresses of `name`, as of at most `age` ago.
    pub(crate) async fn resolve(&self, name: &Name, age: Duration) -> Answer {
        let known = self.known(name);
        let mut last = known.0.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < age
        {
            return answer.clone();
        }
        let (lookup, name) = (Arc::clone(&self.lookup), name.clone());
        let found = tokio::task::spawn_blocking(move || lookup(&name)).await;
        let answer = match found.map_err(io::Error::other).flatten() {
            Ok(addresses) => in_order(addresses),
            Err(error) => Err(error.to_string().into()),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }

    fn known(&self, name: &Name) -> Arc<Known> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return Arc::clone(known);
        }
        names.retain(|_, known| Arc::strong_count(known) > 1 || known.is_recent());
        if names.len() >= NAMES_MAX {
            return Arc::default();
        }
        Arc::clone(names.entry(name.clone()).or_default())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl Known {
    fn is_recent(&self) -> bool {
        let Ok(last) = self.0.try_lock() else {
            return true;
        };
        last.as_ref()
            .is_some_and(|(at, _)| at.elapsed() < FORGET_AFTER)
    }
}

fn in_order(mut addresses: Vec<IpAddr>) -> Answer {
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        Err("the name has no address".into())
    } else {
        Ok(addresses.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_fresh_answer_is_shared() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let resolver = Resolver::with(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(vec![
                "127.0.0.2".parse().unwrap(),
                "127.0.0.1".parse().unwrap(),
            ])
        });
        let name: Name = "a.test".into();
        let hour = Duration::from_hours(1);
        let both = tokio::join!(resolver.resolve(&name, hour), resolver.resolve(&name, hour));
        assert_eq!(both.0, both.1);
        assert_eq!(both.0.unwrap()[0], IpAddr::from([127, 0, 0, 1]));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let _again = resolver.resolve(&name, Duration::ZERO).await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn no_address_is_a_failure() {
        let resolver = Resolver::with(|_| Ok(Vec::new()));
        assert!(
            resolver
                .resolve(&"a.test".into(), Duration::ZERO)
                .await
                .is_err()
        );
    }
}
