//! Texts that are expected: `<*>` stands for anything, `<#>` for a number.

/// Whether a text is as expected, from its beginning to its end.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let wild = [pattern.find("<*>"), pattern.find("<#>")];
    let Some(at) = wild.into_iter().flatten().min() else {
        return pattern == text;
    };
    let (before, rest) = (&pattern[..at], &pattern[at + 3..]);
    let Some(text) = text.strip_prefix(before) else {
        return false;
    };
    let ends = text.char_indices().map(|(end, _)| end).chain([text.len()]);
    if pattern[at..].starts_with("<*>") {
        return ends.into_iter().any(|end| matches(rest, &text[end..]));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=digits).rev().any(|end| matches(rest, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(matches(pattern, text), expected, "{pattern} against {text}");
    }

    #[test]
    fn a_pattern_covers_the_whole_text() {
        check("a", "a", true);
        check("a", "ab", false);
        check("a<*>", "ab\nc", true);
        check("<*>c", "abc", true);
        check("<*>b", "abc", false);
        check("a<*>c<*>e", "abcde", true);
        check("<*>", "", true);
    }

    #[test]
    fn numbers_are_digits() {
        check("n <#>", "n 42", true);
        check("n <#>", "n x", false);
        check("n <#> <*>", "n 4 é", true);
        check("<#>2", "112", true);
        check("<#>", "", false);
    }
}
