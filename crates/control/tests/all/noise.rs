//! Damaged files: never a panic, never a silent refusal.

use std::fmt::Write as _;
use std::path::Path;

use weir_control::parse;

use crate::{mistakes, valid};

const ROUNDS: usize = 4000;

/// A small generator of noise (xorshift), so that a failure repeats.
pub(crate) struct Noise(u64);

impl Default for Noise {
    fn default() -> Self {
        Self(0x2545_F491_4F6C_DD1D)
    }
}

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound.max(1)
    }

    pub(crate) fn damaged(&mut self, text: &str) -> String {
        const PIECES: [&str; 24] = [
            "{",
            "}",
            "[",
            "]",
            ":",
            "- ",
            "&a ",
            "*a",
            "!!str ",
            "|\n",
            ">\n",
            "\"",
            "'",
            "#",
            "\t",
            "\n",
            "---\n",
            "? ",
            "%YAML 1.1\n",
            "\u{feff}",
            "é",
            "\r",
            "<<: ",
            "\u{2028}",
        ];
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 => bytes.truncate(at),
                2 => {
                    let piece = PIECES[self.below(PIECES.len())];
                    bytes.splice(at..at, piece.bytes());
                }
                3 => {
                    let end = (at + self.below(40)).min(bytes.len());
                    let copied = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, copied);
                }
                _ => {
                    let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
                    let dropped = self.below(lines.len());
                    let kept = lines
                        .iter()
                        .enumerate()
                        .filter(|(index, _)| *index != dropped);
                    bytes = kept.map(|(_, line)| *line).collect::<Vec<_>>().join(&b'\n');
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn check(text: &str) {
    if let Err(problems) = parse(text, Path::new("weir.yaml")) {
        assert!(problems.count() > 0, "refused without a reason:\n{text}");
        let told = problems.to_string();
        assert!(told.len() < 1 << 20, "{} bytes about:\n{text}", told.len());
        assert!(problems.json()["count"].is_number());
    }
}

#[test]
fn damaged_files_are_refused_with_reasons() {
    let mut noise = Noise::default();
    let mut sources = mistakes::files();
    sources.push(valid::WHOLE.to_owned());
    for round in 0..ROUNDS {
        let source = if round % 2 == 0 {
            valid::WHOLE
        } else {
            &sources[noise.below(sources.len())]
        };
        let text = noise.damaged(source);
        check(&text);
    }
}

#[test]
fn every_beginning_of_a_file_is_refused_or_taken() {
    for (end, _) in valid::WHOLE.char_indices() {
        check(&valid::WHOLE[..end]);
    }
}

#[test]
fn hostile_files_are_bounded() {
    check(&"[".repeat(100_000));
    check(&"- ".repeat(100_000));
    check(&"{a: ".repeat(100_000));
    check(&"a:\n ".repeat(1000));
    check(&format!("a: {}", "x".repeat(1 << 20)));
    check(&"unknown: 1\n".repeat(20_000));
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        writeln!(laughs, "a{level}: &a{level} [{alias}]").unwrap();
    }
    check(&laughs);
    let mut many = String::new();
    for index in 0..100_000 {
        writeln!(many, "key{index}: 1").unwrap();
    }
    let problems = parse(&many, Path::new("weir.yaml")).unwrap_err();
    assert!(problems.count() == 100_000);
    assert!(problems.to_string().len() < 100_000);
}
