//! Scripts as nested lists.

/// A bracketed list, a text or a word, and the line of the script where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Form {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

/// What a form is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Atom(String),
    Text(Vec<u8>),
    List(Vec<Form>),
}

/// What is wrong with a script, and on which line of it, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flaw {
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Flaw {
    pub(crate) fn new(line: usize, what: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
        }
    }
}

impl Form {
    pub(crate) fn atom(line: usize, atom: &str) -> Self {
        let kind = Kind::Atom(atom.to_owned());
        Self { line, kind }
    }

    pub(crate) fn list(line: usize, items: Vec<Self>) -> Self {
        let kind = Kind::List(items);
        Self { line, kind }
    }

    /// The first word of a list; empty: there is none.
    pub(crate) fn head(&self) -> &str {
        match &self.kind {
            Kind::List(items) => items.first().and_then(Self::as_atom).unwrap_or_default(),
            Kind::Atom(_) | Kind::Text(_) => "",
        }
    }

    pub(crate) fn as_atom(&self) -> Option<&str> {
        match &self.kind {
            Kind::Atom(atom) => Some(atom),
            Kind::Text(_) | Kind::List(_) => None,
        }
    }

    /// Whether it is WebAssembly text that exports something under a name.
    pub(crate) fn exports(&self, name: &str) -> bool {
        let Kind::List(items) = &self.kind else {
            return false;
        };
        let is_name = |item: &Self| item.kind == Kind::Text(name.as_bytes().to_vec());
        (self.head() == "export" && items.iter().any(is_name))
            || items.iter().any(|item| item.exports(name))
    }

    /// Whether it is an import of some kind.
    pub(crate) fn imports(&self, kind: &str) -> bool {
        match &self.kind {
            Kind::List(items) => {
                self.head() == "import" && items.iter().any(|item| item.head() == kind)
            }
            Kind::Atom(_) | Kind::Text(_) => false,
        }
    }
}

/// The forms of a script.
pub(crate) fn parse(script: &str) -> Result<Vec<Form>, Flaw> {
    let mut reader = Reader {
        rest: script,
        line: 1,
    };
    let mut stack: Vec<(usize, Vec<Form>)> = vec![(1, Vec::new())];
    while let Some(next) = reader.next() {
        let line = reader.line;
        let form = match next {
            '(' => {
                stack.push((line, Vec::new()));
                continue;
            }
            ')' => match stack.pop() {
                Some((line, items)) if !stack.is_empty() => Form::list(line, items),
                _ => return Err(Flaw::new(line, "a closing bracket without an opening one")),
            },
            '"' => Form {
                line,
                kind: Kind::Text(text_of(reader.quoted()?, line)?),
            },
            ';' if reader.rest.starts_with(';') => {
                reader.skip_line();
                continue;
            }
            next if next.is_whitespace() => continue,
            next => Form::atom(line, &reader.word(next)),
        };
        if let Some((_, open)) = stack.last_mut() {
            open.push(form);
        }
    }
    match (stack.pop(), stack.is_empty()) {
        (Some((_, forms)), true) => Ok(forms),
        (last, _) => {
            let line = last.map_or(1, |(line, _)| line);
            Err(Flaw::new(line, "this bracket is never closed"))
        }
    }
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        self.line += usize::from(next == '\n');
        Some(next)
    }

    /// The text up to a closing quote, which is left out.
    fn quoted(&mut self) -> Result<&'t str, Flaw> {
        let mut escaped = false;
        for (at, next) in self.rest.char_indices() {
            if next == '"' && !escaped {
                let text = &self.rest[..at];
                self.rest = &self.rest[at + 1..];
                self.line += text.matches('\n').count();
                return Ok(text);
            }
            escaped = next == '\\' && !escaped;
        }
        Err(Flaw::new(self.line, "a text without its closing quote"))
    }

    fn word(&mut self, first: char) -> String {
        let is_end = |next: char| next.is_whitespace() || "()\"".contains(next);
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        format!("{first}{word}")
    }

    fn skip_line(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }
}

/// Bytes of a text: `\xx` is a byte in hexadecimal, `{a:b;c:d}` are pairs.
fn text_of(text: &str, line: usize) -> Result<Vec<u8>, Flaw> {
    let pairs = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    match pairs {
        Some(inner) if inner.is_empty() || inner.contains(':') => pairs_of(inner, line),
        _ => unescaped(text, line),
    }
}

fn unescaped(text: &str, line: usize) -> Result<Vec<u8>, Flaw> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let Some(byte) = escape(&mut rest) else {
            let what = format!(
                "{text:?}: after a backslash, two hexadecimal digits or one of n r t \" \\ are expected"
            );
            return Err(Flaw::new(line, what));
        };
        bytes.push(byte);
    }
    Ok(bytes)
}

/// The byte that an escape stands for, behind its backslash.
fn escape(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let first = rest.next()?;
    match first {
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'"' | b'\\' => Some(first),
        _ => u8::try_from(digit(first)? * 16 + digit(rest.next()?)?).ok(),
    }
}

/// The serialized form of header maps (Proxy-Wasm reference 5.1).
fn pairs_of(text: &str, line: usize) -> Result<Vec<u8>, Flaw> {
    let mut pairs: Vec<[Vec<u8>; 2]> = Vec::new();
    for pair in text.split(';').filter(|pair| !pair.is_empty()) {
        // A name may begin with a colon.
        let first = pair.chars().next().map_or(0, char::len_utf8);
        let Some(at) = pair[first..].find(':').map(|at| at + first) else {
            let what = format!("{pair:?}: a pair is a name, a colon and a value");
            return Err(Flaw::new(line, what));
        };
        pairs.push([
            unescaped(&pair[..at], line)?,
            unescaped(&pair[at + 1..], line)?,
        ]);
    }
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for part in pairs.iter().flatten() {
        bytes.extend(number(part.len()));
    }
    for part in pairs.iter().flatten() {
        bytes.extend_from_slice(part);
        bytes.push(0);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bytes() {
        assert_eq!(text_of(r"a\00b", 1).unwrap(), b"a\0b");
        assert_eq!(
            text_of("{:a:1;b:}", 1).unwrap(),
            b"\x02\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0:a\x001\0b\0\0"
        );
        assert_eq!(text_of("{}", 1).unwrap(), [0; 4]);
    }

    #[test]
    fn flaws_have_their_line() {
        let flaw = |script: &str| parse(script).unwrap_err().line;
        assert_eq!(flaw("(a)\n(b"), 2);
        assert_eq!(flaw("(a)\n)"), 2);
        assert_eq!(flaw("\n\n(a \"x)"), 3);
        assert_eq!(flaw("(a \"\\zz\")"), 1);
    }

    #[test]
    fn comments_are_left_out() {
        assert_eq!(parse(";; a (\n(b)").unwrap().len(), 1);
    }
}
