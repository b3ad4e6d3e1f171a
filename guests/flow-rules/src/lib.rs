//! Flow control after Sentinel's rule model, decided in a shared map: at most so many requests of a
//! resource in a second, at the same time, or of one value of a parameter.
//!
//! Invariant: whoever decides, on whichever worker or machine, decides over the same entries by
//! atomic operations. A rule admits what it says and not one request more, as far as the clocks of
//! the machines agree.

mod decide;
mod hot;
mod reading;
mod rule;
mod shape;
mod throttle;
mod warm_up;
mod window;

pub use decide::{Held, Passed, Verdict, decide, release};
pub use reading::rules_of;
pub use rule::{Control, HotRule, Parameter, Rule, Wanted};

#[cfg(test)]
mod tests;
