//! What was played and what came of it, as values, as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::area::areas;
use crate::statement::Statement;
use crate::trouble::Trouble;

/// What came of one statement in one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every case held.
    Held,
    /// Some case did not.
    Failed,
    /// The statement itself says that the host does not have it yet.
    Open,
    /// The host cannot show it.
    NotApplicable,
    /// The file is not written as it must be.
    Unreadable,
}

/// One case that did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The case; empty if there is only one.
    pub case: String,
    /// Line of the step; 0: no step.
    pub line: usize,
    /// What is not as told: expected and observed.
    pub what: String,
    /// All that was observed.
    pub observed: Vec<String>,
}

/// One statement in one host.
#[derive(Clone, Debug)]
pub struct Result {
    /// Its number.
    pub number: u32,
    /// The claim.
    pub text: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Why it was not played.
    pub why: Option<String>,
    /// What the host does not have yet.
    pub open: Option<String>,
    /// It counts as open, but every case held.
    pub holds_anyway: bool,
    /// Why the hosts differ on purpose.
    pub differs: Option<String>,
    /// The cases that did not hold.
    pub failures: Vec<Failure>,
}

/// All statements in one host.
#[derive(Clone, Debug)]
pub struct Report {
    /// Name of the host.
    pub host: String,
    /// By number.
    pub results: Vec<Result>,
    /// Numbers of statements without a file.
    pub missing: Vec<u32>,
}

impl Verdict {
    const ALL: [Self; 5] = [
        Self::Held,
        Self::Failed,
        Self::Open,
        Self::NotApplicable,
        Self::Unreadable,
    ];

    /// The word of tables and reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::NotApplicable => "not applicable",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Result {
    pub(crate) fn new(statement: &Statement) -> Self {
        Self {
            number: statement.number,
            text: statement.text.clone(),
            verdict: Verdict::Held,
            why: None,
            open: None,
            holds_anyway: false,
            differs: statement.differs.clone(),
            failures: Vec::new(),
        }
    }

    pub(crate) fn unreadable(number: u32, trouble: &Trouble) -> Self {
        Self {
            number,
            text: String::new(),
            verdict: Verdict::Unreadable,
            why: Some(trouble.to_string()),
            open: None,
            holds_anyway: false,
            differs: None,
            failures: Vec::new(),
        }
    }

    /// Whether it is against the host, or against the kit.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self.verdict, Verdict::Failed | Verdict::Unreadable)
    }

    /// All that there is to say of it, in lines.
    #[must_use]
    pub fn describe(&self, host: &str) -> String {
        let mut text = format!("{:03} {host}: {}", self.number, self.verdict.word());
        for part in [&self.why, &self.open].into_iter().flatten() {
            let _ = write!(text, ": {part}");
        }
        if self.holds_anyway {
            text += " (but every case holds)";
        }
        text.push('\n');
        if !self.failures.is_empty() {
            let _ = writeln!(text, "  {}", self.text);
        }
        for failure in &self.failures {
            text += &failure.describe(self.number);
        }
        text
    }
}

impl Failure {
    fn describe(&self, number: u32) -> String {
        let mut text = String::from("  ");
        if self.line > 0 {
            let _ = write!(text, "{number:03}.yaml:{} ", self.line);
        }
        if !self.case.is_empty() {
            let _ = write!(text, "[{}] ", self.case);
        }
        let _ = writeln!(text, "{}", self.what);
        for observed in &self.observed {
            for line in observed.lines() {
                let _ = writeln!(text, "      {line}");
            }
        }
        text
    }
}

impl Report {
    /// How many statements have a verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        let results = self.results.iter();
        results.filter(|result| result.verdict == verdict).count()
    }

    /// The statements that do not hold or cannot be read.
    pub fn bad(&self) -> impl Iterator<Item = &Result> {
        self.results.iter().filter(|result| result.is_bad())
    }

    /// The report for programs.
    #[must_use]
    pub fn json(&self) -> Json {
        let results: Vec<Json> = self
            .results
            .iter()
            .map(|result| {
                let failures: Vec<Json> = result
                    .failures
                    .iter()
                    .map(|failure| {
                        json!({"case": failure.case, "line": failure.line, "what": failure.what, "observed": failure.observed})
                    })
                    .collect();
                json!({
                    "number": result.number,
                    "statement": result.text,
                    "verdict": result.verdict.word(),
                    "why": result.why,
                    "open": result.open,
                    "differs": result.differs,
                    "failures": failures,
                })
            })
            .collect();
        json!({"host": self.host, "results": results, "missing": self.missing})
    }
}

/// One row for each area, with the counts of each host.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut text = format!("{:<38}", "area");
    for report in reports {
        let _ = write!(text, "  {:<34}", report.host);
    }
    text.push('\n');
    text += &" ".repeat(38);
    for _ in reports {
        text += "    held failed  open   n/a  broken ";
    }
    text += " no file\n";
    let row = |title: &str, holds: &dyn Fn(u32) -> bool| {
        let mut text = format!("{title:<38}");
        let mut is_empty = true;
        for report in reports {
            text += "  ";
            for verdict in Verdict::ALL {
                let results = report.results.iter();
                let count = results
                    .filter(|result| holds(result.number) && result.verdict == verdict)
                    .count();
                is_empty &= count == 0;
                let _ = write!(text, "{count:>6}");
            }
            text += "     ";
        }
        let missing = reports.first().map_or(0, |report| {
            report
                .missing
                .iter()
                .filter(|number| holds(**number))
                .count()
        });
        is_empty &= missing == 0;
        let _ = writeln!(text, "{missing:>6}");
        if is_empty { String::new() } else { text }
    };
    for area in areas() {
        text += &row(&format!("{:<5} {}", area.section, area.title), &|number| {
            area.holds(number)
        });
    }
    text += &row("all", &|_| true);
    text
}

/// Statements that two hosts do not agree on, with what both showed; and those that say so.
#[must_use]
pub fn disagreements(reports: &[Report]) -> String {
    let [first, second, ..] = reports else {
        return String::new();
    };
    let mut text = String::new();
    for one in &first.results {
        let Some(other) = second
            .results
            .iter()
            .find(|other| other.number == one.number)
        else {
            continue;
        };
        let verdicts = [one.verdict, other.verdict];
        let is_split = verdicts.contains(&Verdict::Held) && verdicts.contains(&Verdict::Failed);
        if let Some(why) = &one.differs {
            let _ = writeln!(
                text,
                "{:03} differs on purpose: {}\n  {why}",
                one.number, one.text
            );
        } else if is_split {
            let _ = writeln!(text, "{:03} {}", one.number, one.text);
            text += &one.describe(&first.host);
            text += &other.describe(&second.host);
        }
    }
    text
}

/// Numbers as ranges: `1-3, 7`.
#[must_use]
pub fn ranges(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let ranges = ranges.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    ranges.collect::<Vec<_>>().join(", ")
}
