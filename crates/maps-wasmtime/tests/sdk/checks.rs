//! Runs what checks an SDK.
//!
//! Each check is a function of the guest that answers 0, or which expectation did not hold. It
//! proves something only if it was really called, so the host notes every function of the ABI.

use std::collections::BTreeSet;
use std::path::Path;

use crate::house::{self, House};

/// Functions of the ABI that a guest may well not have.
const OPTIONAL: [&str; 1] = ["get_alloc"];
/// What the ABI has.
const FUNCTIONS: [&str; 28] = [
    "accept",
    "batch",
    "clear",
    "close",
    "compare_and_swap",
    "create",
    "delete",
    "dup",
    "exists",
    "get",
    "get_alloc",
    "get_map",
    "increment",
    "lend",
    "next",
    "open",
    "put_map",
    "region_create",
    "region_map",
    "region_unmap",
    "rights",
    "scan",
    "set",
    "set_with",
    "stat",
    "transfer",
    "unwatch",
    "watch",
];

/// Each is an export of the guest.
const CHECKS: [&str; 7] = [
    "entries",
    "lists",
    "changes",
    "handles",
    "references",
    "errors",
    "regions",
];

/// Runs all checks of a guest, on a fresh host each.
pub(crate) fn check(language: &str, binary: &Path) {
    let module = house::module(binary);
    let mut called = BTreeSet::new();
    let draft = (language == "c").then_some("draft");
    for check in CHECKS.into_iter().chain(draft) {
        let mut guest = House::for_checks().start(&module, "checks");
        let answer = guest.number(check);
        assert_eq!(answer, 0, "{language}: {check}");
        called.extend(guest.called());
    }
    for function in FUNCTIONS {
        let is_optional = OPTIONAL.contains(&function) && !["rust", "c", "cpp"].contains(&language);
        let is_missing = language == "go" && ["region_map", "region_unmap"].contains(&function);
        assert!(
            called.contains(function) || is_optional || is_missing,
            "{language}: {function} was not called"
        );
    }
    if draft.is_some() {
        let draft = ["open", "set", "get", "delete", "exists"];
        let draft = draft.map(|name| format!("wasi_map_{name}"));
        assert!(
            draft.iter().all(|name| called.contains(name.as_str())),
            "{called:?}"
        );
    }
}
