//! The report of a replay in the form that build servers read (JUnit's XML).

use std::fmt::Write as _;

use super::Case;

/// One test case for each capsule.
pub(super) fn report(cases: &[Case]) -> String {
    let failures = cases.iter().filter(|case| !case.is_fine()).count();
    let mut page = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let count = cases.len();
    // Writing to a text never fails.
    let _ = writeln!(
        page,
        "<testsuite name=\"weir replay\" tests=\"{count}\" failures=\"{failures}\">"
    );
    for case in cases {
        let (word, text) = case.words();
        let name = escaped(&case.capsule.display().to_string());
        let _ = write!(page, "  <testcase classname=\"capsule\" name=\"{name}\">");
        let text = escaped(&text);
        let _ = if case.is_fine() {
            writeln!(page, "<system-out>{word}: {text}</system-out></testcase>")
        } else {
            writeln!(
                page,
                "<failure message=\"{word}\">{text}</failure></testcase>"
            )
        };
    }
    page += "</testsuite>\n";
    page
}

/// A text for XML 1.0, in which most control characters cannot stand.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_plugins_stay_texts() {
        assert_eq!(
            escaped("<a b=\"&\">\u{1b}[0m"),
            "&lt;a b=&quot;&amp;&quot;&gt;\u{fffd}[0m"
        );
    }
}
