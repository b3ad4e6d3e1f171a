//! Function names as their authors wrote them.
//!
//! Names are the plugin's, and a short mangled name can stand for one without end: what is written is
//! bounded, and writing stops at the bound.

use std::fmt::{self, Write};

use weir_model::limits;

/// A name without what only linkers need, cut and kept on one line.
pub(crate) fn readable(name: &str) -> String {
    let plain = if name.len() > limits::TRACE_MANGLED_BYTES_MAX {
        None
    } else if let Ok(rust) = rustc_demangle::try_demangle(name) {
        Line::of(|line| write!(line, "{rust:#}"))
    } else {
        cpp_name(name)
    };
    plain.unwrap_or_else(|| {
        let mut line = Line::default();
        // The line is full when this fails.
        let _ = line.write_str(without_hash(name));
        line.text
    })
}

/// A text that takes so many characters of a name, and no more.
#[derive(Default)]
struct Line {
    text: String,
    characters: usize,
}

impl Line {
    /// What `write` writes, or the beginning of it; `None`: it failed before the line was full.
    fn of(write: impl FnOnce(&mut Self) -> fmt::Result) -> Option<String> {
        let mut line = Self::default();
        let written = write(&mut line);
        let is_full = line.characters == limits::TRACE_NAME_CHARS_MAX;
        (written.is_ok() || is_full).then_some(line.text)
    }
}

impl Write for Line {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars().filter(|character| !character.is_control()) {
            if self.characters == limits::TRACE_NAME_CHARS_MAX {
                return Err(fmt::Error);
            }
            self.characters += 1;
            self.text.push(character);
        }
        Ok(())
    }
}

fn cpp_name(name: &str) -> Option<String> {
    let limit = cpp_demangle::ParseOptions::default().recursion_limit(64);
    let symbol = name
        .starts_with("_Z")
        .then(|| cpp_demangle::BorrowedSymbol::new_with_options(name.as_bytes(), &limit).ok())??;
    let options = cpp_demangle::DemangleOptions::default().no_return_type();
    Line::of(|line| symbol.structured_demangle(line, &options))
}

/// Linkers demangle Rust's names and leave the hash: `a::b::h0123456789abcdef`.
fn without_hash(name: &str) -> &str {
    let Some((path, hash)) = name.rsplit_once("::h") else {
        return name;
    };
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { path } else { name }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(readable(name), expected);
    }

    #[test]
    fn names_are_readable() {
        check("malloc", "malloc");
        check(
            "core::panicking::panic::h0123456789abcdef",
            "core::panicking::panic",
        );
        check("a::h0123456789abcdeg", "a::h0123456789abcdeg");
        check(
            "_ZN4core9panicking5panic17h0123456789abcdefE",
            "core::panicking::panic",
        );
        check("_RNvC6_123foo3bar", "123foo::bar");
        check("_ZN7Context6onDoneEv", "Context::onDone()");
        check("_Zbroken", "_Zbroken");
        check("two\nlines", "twolines");
        check(&"x".repeat(4000), &"x".repeat(limits::TRACE_NAME_CHARS_MAX));
    }

    /// Each part stands for twice what the one before it stands for.
    #[test]
    fn names_that_stand_for_gigabytes_are_cut_before_they_are_written() {
        const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut cpp = "_Z1fSt4pairIiiE".to_owned();
        for digit in &DIGITS[..30] {
            let last = format!("S{}_", char::from(*digit));
            cpp.extend(["S_I", &last, &last, "E"]);
        }
        let mut rust = "_RINvC1a1f".to_owned();
        let mut last = "u".to_owned();
        for _ in 0..60 {
            let place = rust.len() - "_R".len();
            rust.extend(["T", &last, &last, "E"]);
            last = backward(place);
        }
        rust.push('E');
        let began = Instant::now();
        for (name, begins) in [(cpp, "f"), (rust, "a::f")] {
            let told = readable(&name);
            assert!(told.starts_with(begins) && told != name, "{told}");
            assert!(told.chars().count() <= limits::TRACE_NAME_CHARS_MAX);
        }
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    /// A reference to a place in a name, in version 0 of Rust's mangling.
    fn backward(place: usize) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut digits = Vec::new();
        let mut rest = place - 1;
        loop {
            digits.insert(0, char::from(DIGITS[rest % DIGITS.len()]));
            rest /= DIGITS.len();
            if rest == 0 {
                return format!("B{}_", String::from_iter(digits));
            }
        }
    }
}
