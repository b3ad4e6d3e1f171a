//! Text of others in text of ours: names in modules, log lines of plugins.

use std::borrow::Cow;

/// The text on one line, as which it is read: control characters, breaks of lines, and what turns
/// the direction of writing are escaped, so that it cannot pass for lines of the gateway.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_misread) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_misread(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    Cow::Owned(line)
}

/// Whether terminals, readers of logs or people take a character for something else than itself.
#[must_use]
pub fn is_misread(character: char) -> bool {
    match character {
        '\t' => false,
        // Separators of lines and paragraphs; what embeds, overrides and isolates a direction.
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, line: &str) {
        assert_eq!(one_line(text), line);
    }

    #[test]
    fn a_text_is_one_line_that_reads_as_it_is() {
        check(
            "proxy_on_log: größer\t→ שלום",
            "proxy_on_log: größer\t→ שלום",
        );
        check("a\r\nb", "a\\r\\nb");
        check("\u{1b}[31m\0\u{85}", "\\u{1b}[31m\\u{0}\\u{85}");
        check("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}");
        check("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}");
    }
}
