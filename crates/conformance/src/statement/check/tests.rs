//! Statements that are right, and what is said of those that are not.

//! Observations that hold, and some that do not.

use super::*;
use crate::yaml;

/// What lines are to a check.
#[derive(Debug, PartialEq)]
enum Lines {
    Holds,
    /// They do not, but further ones may.
    Wait,
    Lost,
}
use Lines::{Holds, Lost, Wait};

fn check_log(check: &str, lines: &[&str], expected: &Lines) {
    let node = yaml::read(check).unwrap();
    let mut fields = Fields::of(&node).unwrap();
    let check = LogCheck::read(&mut fields).unwrap().unwrap();
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let observed = match (check.flaw(&lines), check.is_lost(&lines)) {
        (None, _) => Holds,
        (Some(_), false) => Wait,
        (Some(_), true) => Lost,
    };
    assert_eq!(observed, *expected, "{check:?} {lines:?}");
}

#[test]
fn log_lines_are_compared() {
    check_log("log: [a, b]", &["a"], &Wait);
    check_log("log: [a, b]", &["a", "b"], &Holds);
    check_log("log: [a, b]", &["a", "c"], &Lost);
    check_log("log: [a]", &["a", "b"], &Lost);
    check_log("log: ['a<*>']", &["abc"], &Holds);
    check_log("ends: [b]", &["a", "b"], &Holds);
    check_log("has: [a]", &["a", "b"], &Holds);
    check_log("lacks: [a]", &["a", "b"], &Wait);
}

fn check_request(check: &str, seen: &[Seen], holds: bool) {
    let check = RequestCheck::read(&yaml::read(check).unwrap()).unwrap();
    assert_eq!(check.flaw(seen).is_none(), holds, "{check:?}");
}

#[test]
fn requests_are_compared() {
    let seen = Seen {
        head: "POST /p HTTP/1.1\nhost: h\nx-a: 1\nx-a: 2\n".to_owned(),
        is_whole: true,
        ..Seen::default()
    };
    let one = std::slice::from_ref(&seen);
    check_request("{path: /p, headers: {x-a: [1, 2], x-b: null}}", one, true);
    check_request("{headers: {x-a: 1}}", one, false);
    check_request("{none: true}", one, false);
    check_request("{none: true}", &[], true);
    check_request("{count: 1}", one, true);
    check_request("{count: 1, path: /q}", one, false);
    check_request("{whole: false}", one, false);
    check_request("{path: /p}", &[], false);
}
