//! A clock that tests set, under the name of the crate that Sentinel asks for the time: what it uses of
//! that crate, and no more. Each thread has its own time, so tests do not see each other's.

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::Div;

thread_local! {
    static NOW_NS: Cell<u64> = const { Cell::new(0) };
}

/// It is so late now, in nanoseconds since 1970, in this thread.
pub fn set(now_ns: u64) {
    NOW_NS.set(now_ns);
}

/// A time since 1970, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct OffsetDateTime(i128);

/// A number of nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Duration(f64);

impl OffsetDateTime {
    /// The time that was set.
    #[must_use]
    pub fn now_utc() -> Self {
        Self(NOW_NS.get().into())
    }

    /// The time as a number.
    #[must_use]
    pub const fn unix_timestamp_nanos(self) -> i128 {
        self.0
    }

    /// The time of a number.
    ///
    /// # Errors
    /// None.
    pub const fn from_unix_timestamp_nanos(nanos: i128) -> Result<Self, Infallible> {
        Ok(Self(nanos))
    }

    /// The time as text, whatever the format: nothing that is compared depends on it.
    ///
    /// # Errors
    /// None.
    pub fn format<F>(self, _format: F) -> Result<String, Infallible> {
        Ok(self.0.to_string())
    }
}

impl Duration {
    /// One.
    pub const NANOSECOND: Self = Self(1.0);
    /// A million.
    pub const MILLISECOND: Self = Self(1e6);
}

impl Div for Duration {
    type Output = f64;

    fn div(self, other: Self) -> f64 {
        self.0 / other.0
    }
}

/// A format, which says nothing here.
#[macro_export]
macro_rules! format_description {
    ($text:literal) => {
        ()
    };
}

/// Where the crate has its macros.
pub mod macros {
    pub use crate::format_description;
}
