//! What is wrong with a configuration file, told so that a person can mend it.
//!
//! Invariant: a [`Problem`] always says what was found and what was expected; its position is the
//! first character of the offending text.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_model::limits::CONFIG_PROBLEMS_MAX;

/// Characters of an offending text that are repeated in a message.
const FOUND_CHARS_MAX: usize = 60;
/// Characters of a source line that are shown.
const SOURCE_CHARS_MAX: usize = 120;
/// Lines around a problem are cut so that this many characters before it stay.
const SOURCE_CHARS_BEFORE: usize = 80;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration works, but probably not as meant.
    Warning,
}

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as it was named to the loader.
    pub file: PathBuf,
    /// From 1; 0: the file as a whole.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Where in the configuration, like `listeners[0].routes[2].forward.cluster`; empty: at the top.
    pub path: String,
    /// What is wrong, offending text included.
    pub what: String,
    /// The offending text, cut to a readable length.
    pub found: String,
    /// What would be right.
    pub expected: String,
    /// The nearest thing that would be right.
    pub suggestion: Option<String>,
    /// The line of the file, and how many characters of it are meant.
    source: Option<(String, usize)>,
}

/// All that is wrong with one file, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    listed: Vec<Problem>,
    unlisted: usize,
}

/// A place in the text of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// From 1; 0: the file as a whole.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// In characters, at least 1; may pass the end of the line.
    pub(crate) width: usize,
}

impl Span {
    /// The file as a whole.
    pub(crate) const FILE: Self = Self {
        line: 0,
        column: 0,
        width: 1,
    };
}

/// What is wrong, without where.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) found: String,
    pub(crate) expected: String,
    pub(crate) suggestion: Option<String>,
}

impl Refusal {
    /// A refusal of the text `found`; `what` usually repeats it.
    pub(crate) fn new(what: impl Into<String>, found: &str, expected: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            found: shortened(found),
            expected: expected.into(),
            suggestion: None,
        }
    }

    /// The same with the nearest thing that would be right.
    pub(crate) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

/// A file and its lines, for making problems.
pub(crate) struct Source<'a> {
    file: &'a Path,
    lines: Vec<&'a str>,
}

impl<'a> Source<'a> {
    /// Splits the text at the line breaks of YAML.
    pub(crate) fn new(file: &'a Path, text: &'a str) -> Self {
        let mut lines = Vec::new();
        let mut rest = text.trim_start_matches('\u{feff}');
        while let Some(end) = rest.find(['\n', '\r']) {
            lines.push(&rest[..end]);
            let after = &rest[end..];
            rest = after.strip_prefix("\r\n").unwrap_or(&after[1..]);
        }
        lines.push(rest);
        Self { file, lines }
    }

    /// A problem of this file.
    pub(crate) fn problem(
        &self,
        severity: Severity,
        at: Span,
        path: &str,
        refusal: Refusal,
    ) -> Problem {
        let line = at
            .line
            .checked_sub(1)
            .and_then(|index| self.lines.get(index));
        Problem {
            severity,
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            path: path.to_owned(),
            what: refusal.what,
            found: refusal.found,
            expected: refusal.expected,
            suggestion: refusal.suggestion,
            source: line.map(|line| ((*line).to_owned(), at.width)),
        }
    }
}

impl Problem {
    /// The problem as JSON, for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "severity": match self.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "file": self.file.to_string_lossy(),
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "what": self.what,
            "found": self.found,
            "expected": self.expected,
            "suggestion": self.suggestion,
        })
    }

    fn fmt_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((line, width)) = &self.source else {
            return Ok(());
        };
        let skipped = match self.column.checked_sub(1 + SOURCE_CHARS_BEFORE) {
            Some(skipped) if line.chars().count() > SOURCE_CHARS_MAX => skipped,
            _ => 0,
        };
        let shown: String = line
            .chars()
            .skip(skipped)
            .take(SOURCE_CHARS_MAX)
            .map(printable)
            .collect();
        let before = self.column.saturating_sub(1 + skipped);
        let indent: String = shown
            .chars()
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .chain(std::iter::repeat(' '))
            .take(before)
            .collect();
        let marked = (*width)
            .min(shown.chars().count().saturating_sub(before))
            .max(1);
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        write!(
            f,
            "\n {number} | {}\n {margin} | {indent}{}",
            shown.trim_end(),
            "^".repeat(marked)
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        match self.severity {
            Severity::Error => write!(f, " ")?,
            Severity::Warning => write!(f, " warning: ")?,
        }
        write!(f, "{}", self.what)?;
        if !self.path.is_empty() {
            write!(f, " in {}", self.path)?;
        }
        if !self.expected.is_empty() {
            write!(f, "; expected {}", self.expected)?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean \"{suggestion}\"?")?;
        }
        self.fmt_source(f)
    }
}

impl Problems {
    /// The problems in the order of the file; at most [`CONFIG_PROBLEMS_MAX`].
    #[must_use]
    pub fn listed(&self) -> &[Problem] {
        &self.listed
    }

    /// How many there are, with those that are not listed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.listed.len() + self.unlisted
    }

    /// All listed problems and the count as JSON, for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "count": self.count(),
            "problems": self.listed.iter().map(Problem::json).collect::<Vec<_>>(),
        })
    }

    /// Whether further problems are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.listed.len() >= CONFIG_PROBLEMS_MAX
    }

    /// Notes a problem.
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.is_full() {
            self.unlisted += 1;
        } else {
            self.listed.push(problem);
        }
    }

    /// Problems at a place since a count may be mended by a word, too.
    pub(crate) fn also_expected(&mut self, since: usize, at: Span, word: &str) {
        let problems = self.listed.iter_mut().skip(since);
        for problem in
            problems.filter(|problem| (problem.line, problem.column) == (at.line, at.column))
        {
            problem.expected = format!("{}, or {word}", problem.expected);
        }
    }

    /// Sorts by place. What an alias brings in twice is told once.
    pub(crate) fn arrange(&mut self) {
        self.listed
            .sort_by_key(|problem| (problem.line, problem.column));
        self.listed
            .dedup_by(|b, a| (a.line, a.column, &a.what) == (b.line, b.column, &b.what));
    }

    /// The listed problems.
    pub(crate) fn into_listed(self) -> Vec<Problem> {
        self.listed
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.listed {
            writeln!(f, "{problem}\n")?;
        }
        match (self.count(), self.unlisted) {
            (1, _) => write!(f, "1 problem"),
            (count, 0) => write!(f, "{count} problems"),
            (count, unlisted) => write!(f, "{count} problems, {unlisted} of them not shown"),
        }
    }
}

impl std::error::Error for Problems {}

/// The nearest of the known names, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let found = found.to_lowercase();
    if found.is_empty() || found.chars().count() > FOUND_CHARS_MAX {
        return None;
    }
    let distance_max = (found.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|name| name.len() <= 4 * FOUND_CHARS_MAX)
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::osa_distance(&found, &lower);
            // `body_buffer_bytes` for `body_buffer` is far in letters, but near in meaning.
            let begins = lower.len().min(found.len()) >= 4
                && (found.starts_with(&lower) || lower.starts_with(&found));
            (distance <= distance_max || begins).then_some((distance, name))
        })
        .min()
        .map(|(_, name)| name.to_owned())
}

/// Names as a list for people: `a, b or c`.
pub(crate) fn alternatives<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const NAMES_MAX: usize = 30;
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        many if many.len() > NAMES_MAX => {
            format!(
                "{} and {} more",
                many[..NAMES_MAX].join(", "),
                many.len() - NAMES_MAX
            )
        }
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A text cut to a readable length, without control characters.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(FOUND_CHARS_MAX).map(printable).collect();
    if text.chars().nth(FOUND_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

fn printable(c: char) -> char {
    match c {
        '\t' => c,
        '\n' | '\r' => ' ',
        control if control.is_control() => '\u{fffd}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["listeners", "clusters", "modules", "filters", "body_buffer"];
        let check = |found: &str, expected: Option<&str>| {
            assert_eq!(nearest(found, known).as_deref(), expected, "{found}");
        };
        check("listener", Some("listeners"));
        check("lisetners", Some("listeners"));
        check("CLUSTERS", Some("clusters"));
        check("body_buffer_bytes", Some("body_buffer"));
        check("zebra", None);
        check("", None);
    }

    #[test]
    fn a_long_line_is_cut_around_the_problem() {
        let text = format!("{}x: 1", "a".repeat(500));
        let source = Source::new(Path::new("f"), &text);
        let at = Span {
            line: 1,
            column: 501,
            width: 1,
        };
        let problem = source.problem(Severity::Error, at, "", Refusal::new("odd", "x", "even"));
        let shown = problem.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "f:1:501: odd; expected even");
        assert_eq!(lines[1].find('x'), lines[2].find('^'));
        assert!(lines[1].len() < 140);
    }

    #[test]
    fn lines_end_as_in_yaml() {
        assert_eq!(
            Source::new(Path::new("f"), "a\r\nb\rc\n").lines,
            ["a", "b", "c", ""]
        );
    }
}
