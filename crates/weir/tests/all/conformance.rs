//! The conformance kit, played against this binary: every statement that is not marked as open holds.

use std::path::Path;
use std::process::{Command, Stdio};

use weir_conformance::{Host, Options, Verdict, play};

#[test]
fn every_statement_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/statements");
    let host = Host::Weir {
        program: env!("CARGO_BIN_EXE_weir").into(),
        isolation: "plugin".to_owned(),
    };
    let options = Options {
        without: what_is_missing(),
        ..Options::default()
    };
    let report = play(&folder, &host, &options).expect("a kit that can be played");
    let bad: String = report.bad().map(|result| result.describe("weir")).collect();
    assert!(bad.is_empty(), "\n{bad}");
    assert!(
        report.count(Verdict::Held) > 0 && report.missing.is_empty(),
        "statements without a file: {:?}",
        report.missing
    );
}

/// Statements about Redis need the real one, which CI has.
#[expect(clippy::print_stderr, reason = "what is left out must be seen")]
fn what_is_missing() -> Vec<String> {
    let mut redis = Command::new("redis-server");
    let found = redis
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_ok() {
        return Vec::new();
    }
    eprintln!("there is no redis-server here: statements that need it are left out");
    vec!["redis".to_owned()]
}
