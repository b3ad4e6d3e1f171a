//! What is done about plugins that fail or grow old.

use weir_model::{Breaker, FailureRules, OnFailure, Quarantine, Recycling};

use crate::file::{FailureText, RecycleText};
use crate::problem::Refusal;
use crate::shape::Reader;
use crate::shape::basic::Switch;

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

pub(super) fn lowered_recycling(recycle: &RecycleText) -> Recycling {
    Recycling {
        requests: recycle.requests.map(|count| count.0),
        memory_bytes: recycle.memory.map(|size| size.0),
    }
}
