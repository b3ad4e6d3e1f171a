//! What is done about plugins that fail or grow old.

use weir_model::{Breaker, FailureRules, Inside, Isolation, OnFailure, Quarantine, Recycling};

use crate::file::{FailureText, RecycleText};
use crate::problem::Refusal;
use crate::shape::basic::Switch;
use crate::shape::{Placed, Reader};

pub(super) fn lowered_rules(failure: FailureText, reader: &mut Reader<'_>) -> FailureRules {
    let breaker = failure.breaker;
    let open_recovers = match (failure.policy, failure.recover) {
        (OnFailure::Open, recover) => recover.is_some_and(|recover| recover.value),
        (policy @ (OnFailure::Reload | OnFailure::Closed), recover) => {
            if let Some(recover) = recover {
                let does = policy == OnFailure::Reload;
                let always = if does { "always" } else { "never" };
                let what = format!("a filter of this policy {always} recovers");
                let expected = "recover with the policy open only";
                reader.refuse_at(&recover.place, Refusal::new(what, "", expected));
            }
            false
        }
    };
    FailureRules {
        open_recovers,
        breaker: Breaker {
            failures: breaker.failures.to(),
            window: breaker.window.0,
            wait: breaker.wait.0,
            wait_max: breaker.wait_max.0.max(breaker.wait.0),
        },
        quarantine: Switch::on(failure.quarantine).map(|quarantine| Quarantine {
            failures: quarantine.failures.to(),
            time: quarantine.time.0,
        }),
    }
}

/// A copy is reset after each request, and the VM that it is a copy of has to keep what it knows.
pub(super) fn lowered_recycling(
    recycle: Option<Placed<RecycleText>>,
    isolation: Isolation,
    reader: &mut Reader<'_>,
) -> Recycling {
    let Some(Placed {
        value: recycle,
        place,
    }) = recycle
    else {
        return Recycling::default();
    };
    let has_copies = match isolation {
        Isolation::Request(_) => true,
        Isolation::Process(apart) => apart.inside == Inside::Request,
        Isolation::Module | Isolation::Plugin | Isolation::Configuration => false,
    };
    if has_copies {
        let what = "each request has a fresh copy of the VM, so there is nothing to recycle";
        let expected = "recycle with an isolation whose VMs serve many requests, or without it";
        reader.refuse_at(&place, Refusal::new(what, "", expected));
    }
    Recycling {
        requests: recycle.requests.map(|count| count.0),
        memory_bytes: recycle.memory.map(|size| size.0),
    }
}
