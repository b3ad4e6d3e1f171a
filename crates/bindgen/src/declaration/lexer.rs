//! Words, signs, texts and comments of a `.map` file.

use crate::problem::{Place, Problem};

/// A piece of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// Whether it is the first of its line.
    pub(super) begins_line: bool,
}

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword or a number.
    Word(String),
    /// A text in quotes, without them.
    Text(String),
    /// One of `< > { } ( ) , ; . = : / @`.
    Sign(char),
    /// A comment with its marks.
    Comment(String),
    /// The end of the file.
    End,
}

impl Kind {
    /// As a problem names it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => format!("`{}`", shortened(word)),
            Self::Text(text) => format!("the text \"{}\"", shortened(text)),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::Comment(_) => "a comment".to_owned(),
            Self::End => "the end of the file".to_owned(),
        }
    }
}

/// Long or unprintable names do not flood a terminal.
fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

struct Lexer<'t> {
    file: &'t str,
    rest: &'t str,
    line: usize,
    column: usize,
    begins_line: bool,
}

/// The pieces, ended by [`Kind::End`].
pub(super) fn tokens(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<Token> {
    let mut lexer = Lexer {
        file,
        rest: text.strip_prefix('\u{feff}').unwrap_or(text),
        line: 1,
        column: 1,
        begins_line: true,
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let place = lexer.place();
        let begins_line = lexer.begins_line;
        let Some(kind) = lexer.next(problems) else {
            continue;
        };
        let is_end = kind == Kind::End;
        lexer.begins_line = false;
        tokens.push(Token {
            kind,
            place,
            begins_line,
        });
        if is_end {
            return tokens;
        }
    }
}

impl Lexer<'_> {
    fn place(&self) -> Place {
        Place {
            file: self.file.to_owned(),
            line: self.line,
            column: self.column,
        }
    }

    fn skip_blanks(&mut self) {
        while self.rest.starts_with(char::is_whitespace) {
            self.take();
        }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.line += 1;
            self.column = 1;
            self.begins_line = true;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.rest.chars().next().filter(|c| is_part(*c)) {
            taken.push(c);
            self.take();
        }
        taken
    }

    /// The next piece; none if it was no piece, which is a problem then.
    fn next(&mut self, problems: &mut Vec<Problem>) -> Option<Kind> {
        let Some(first) = self.rest.chars().next() else {
            return Some(Kind::End);
        };
        if self.rest.starts_with("//") {
            let comment = self.take_while(|c| c != '\n');
            return Some(Kind::Comment(comment.trim_end().to_owned()));
        }
        if self.rest.starts_with("/*") {
            return self.block_comment(problems);
        }
        if first == '"' {
            return self.text(problems);
        }
        if is_word(first) {
            return Some(Kind::Word(self.take_while(|c| is_word(c) || c == '-')));
        }
        let place = self.place();
        self.take();
        if "<>{}(),;.=:/@".contains(first) {
            return Some(Kind::Sign(first));
        }
        problems.push(Problem::new(
            place,
            format!("`{}` means nothing here", first.escape_debug()),
            "a name, a text in quotes, or one of < > { } , ; . =",
        ));
        None
    }

    fn block_comment(&mut self, problems: &mut Vec<Problem>) -> Option<Kind> {
        let place = self.place();
        let Some(length) = self.rest.find("*/") else {
            problems.push(Problem::new(place, "a comment without end", "`*/`"));
            while self.take().is_some() {}
            return None;
        };
        let comment = self.rest[..length + 2].to_owned();
        while !self.rest.starts_with("*/") {
            self.take();
        }
        self.take();
        self.take();
        Some(Kind::Comment(comment))
    }

    fn text(&mut self, problems: &mut Vec<Problem>) -> Option<Kind> {
        let place = self.place();
        self.take();
        let text = self.take_while(|c| c != '"' && c != '\n');
        if self.rest.starts_with('"') {
            self.take();
            return Some(Kind::Text(text));
        }
        problems.push(Problem::new(
            place,
            "a text without end",
            "`\"` on the same line",
        ));
        None
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
