//! A loan: what ends when its lender does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// When a loan ends beside the lender's closing of its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// With this request (exchange, connection) of the lender, however long it is paused.
    WithRequest(u64),
    /// With the lender's instance: for root contexts and commands.
    WithInstance,
}

/// A loan, as lender and borrower both hold it.
#[derive(Debug)]
pub struct Loan {
    over: AtomicBool,
    ends: Ends,
    /// What was lent had been borrowed itself.
    parent: Option<Arc<Self>>,
}

impl Loan {
    pub(super) fn new(ends: Ends, parent: Option<Arc<Self>>) -> Arc<Self> {
        let over = AtomicBool::new(false);
        Arc::new(Self { over, ends, parent })
    }

    /// One that is over, for copies of what was borrowed.
    pub(super) fn ended() -> &'static Arc<Self> {
        static ENDED: LazyLock<Arc<Loan>> = LazyLock::new(|| {
            let loan = Loan::new(Ends::WithInstance, None);
            loan.end();
            loan
        });
        &ENDED
    }

    /// Whether the lender, or the one it had borrowed from, has ended it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let mut loan = Some(self);
        while let Some(this) = loan {
            if this.over.load(Ordering::Acquire) {
                return true;
            }
            loan = this.parent.as_deref();
        }
        false
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn ends_with(&self, request: u64) -> bool {
        self.ends == Ends::WithRequest(request)
    }

    /// How often what is lent has been lent on.
    pub(super) fn depth(&self) -> usize {
        std::iter::successors(self.parent.as_deref(), |loan| loan.parent.as_deref()).count()
    }
}
