//! Every mistake explained: small bad files and what is said of them.
//!
//! `mistakes.txt` holds the cases: `=== name`, the file, `--- explained`, the message. Run the test
//! with `WEIR_BLESS=1` to write what is said now, then read the difference.

use std::fmt::Write as _;
use std::path::Path;

use weir_control::parse;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/mistakes.txt");

/// A bad file and what is said of it.
struct Case {
    name: String,
    yaml: String,
    explained: String,
}

#[test]
fn every_mistake_is_explained() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let cases = cases(&text);
    assert!(cases.len() > 50, "the table is cut: {} cases", cases.len());
    let mut told = String::new();
    let mut differing = Vec::new();
    for case in &cases {
        let explained = match parse(&case.yaml, Path::new("weir.yaml")) {
            Ok(_) => "nothing wrong\n".to_owned(),
            Err(problems) => format!("{problems}\n"),
        };
        assert_ne!(explained, "nothing wrong\n", "{} is taken", case.name);
        if explained != case.explained {
            differing.push(format!("=== {}\n{explained}", case.name));
        }
        let yaml = &case.yaml;
        write!(
            told,
            "=== {}\n{yaml}--- explained\n{explained}\n",
            case.name
        )
        .unwrap();
    }
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(FILE, told).unwrap();
        return;
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn cases(text: &str) -> Vec<Case> {
    let case = |part: &str| {
        let (name, rest) = part.split_once('\n').unwrap();
        let (yaml, explained) = rest.split_once("--- explained\n").unwrap_or((rest, ""));
        let explained = explained.trim_end().to_owned() + "\n";
        Case {
            name: name.to_owned(),
            yaml: yaml.to_owned(),
            explained,
        }
    };
    text.split("=== ").skip(1).map(case).collect()
}

/// The bad files, for other tests.
pub(crate) fn files() -> Vec<String> {
    cases(&std::fs::read_to_string(FILE).unwrap())
        .into_iter()
        .map(|case| case.yaml)
        .collect()
}
