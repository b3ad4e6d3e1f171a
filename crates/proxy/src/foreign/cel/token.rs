//! From text to tokens.

use bytes::Bytes;

use super::CompileError;

/// A token of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Identifier(&'t str),
    /// Without its sign, so that the smallest number can be written.
    Int(u64),
    Uint(u64),
    Double(f64),
    String(Bytes),
    Bytes(Bytes),
    Symbol(&'static str),
    End,
}

/// Longest first, so that a prefix never hides a symbol.
const SYMBOLS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

/// Reads tokens one by one.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token and where it begins.
    pub(super) fn next(&mut self) -> Result<(Token<'t>, usize), CompileError> {
        self.skip_blanks();
        let at = self.at;
        let rest = self.rest();
        let Some(first) = rest.bytes().next() else {
            return Ok((Token::End, at));
        };
        let token = match first {
            b'0'..=b'9' => self.number()?,
            b'.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number()?,
            b'"' | b'\'' => self.quoted(Quoted {
                raw: false,
                bytes: false,
            })?,
            _ if is_word(first) => match prefix(rest) {
                Some((length, quoted)) => {
                    self.at += length;
                    self.quoted(quoted)?
                }
                None => Token::Identifier(self.word()),
            },
            _ => self.symbol()?,
        };
        Ok((token, at))
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn error(&self, expected: &'static str) -> CompileError {
        CompileError::Syntax {
            at: self.at,
            expected,
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0C']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take_while(|byte| is_word(*byte) || byte.is_ascii_digit())
            .count();
        self.at += length;
        &rest[..length]
    }

    fn symbol(&mut self) -> Result<Token<'t>, CompileError> {
        let rest = self.rest();
        let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
        let symbol = symbol.ok_or_else(|| self.error("an operator"))?;
        self.at += symbol.len();
        Ok(Token::Symbol(symbol))
    }

    fn number(&mut self) -> Result<Token<'t>, CompileError> {
        let rest = self.rest();
        if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let length = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
            self.at += 2 + length;
            return self.whole(u64::from_str_radix(&digits[..length], 16).ok());
        }
        let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let mut length = digits(0);
        let whole = length;
        if rest[length..].starts_with('.') && digits(length + 1) > 0 {
            length += 1 + digits(length + 1);
        }
        if rest[length..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
            match digits(length + 1 + sign) {
                0 => return Err(self.error("digits of an exponent")),
                exponent => length += 1 + sign + exponent,
            }
        }
        self.at += length;
        if length == whole {
            return self.whole(rest[..whole].parse().ok());
        }
        let number: f64 = rest[..length].parse().map_err(|_| self.error("a number"))?;
        self.ends_here()
            .then_some(Token::Double(number))
            .ok_or_else(|| self.error("a number"))
    }

    fn whole(&mut self, number: Option<u64>) -> Result<Token<'t>, CompileError> {
        let number = number.ok_or_else(|| self.error("a number of at most 64 bits"))?;
        let is_unsigned = self.rest().starts_with(['u', 'U']);
        self.at += usize::from(is_unsigned);
        let token = if is_unsigned {
            Token::Uint(number)
        } else {
            Token::Int(number)
        };
        self.ends_here()
            .then_some(token)
            .ok_or_else(|| self.error("a number"))
    }

    fn ends_here(&self) -> bool {
        !self.rest().bytes().next().is_some_and(is_word)
    }

    fn quoted(&mut self, kind: Quoted) -> Result<Token<'t>, CompileError> {
        let rest = self.rest();
        let triple = ["\"\"\"", "'''"]
            .into_iter()
            .find(|quote| rest.starts_with(quote));
        let quote = triple.unwrap_or(&rest[..1]);
        self.at += quote.len();
        let mut content = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                let content = Bytes::from(content);
                return Ok(if kind.bytes {
                    Token::Bytes(content)
                } else {
                    Token::String(content)
                });
            }
            let first = rest
                .chars()
                .next()
                .ok_or_else(|| self.error("a closing quote"))?;
            if triple.is_none() && matches!(first, '\n' | '\r') {
                return Err(self.error("a closing quote"));
            }
            if first == '\\' && !kind.raw {
                self.escape(kind, &mut content)?;
                continue;
            }
            self.at += first.len_utf8();
            content.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn escape(&mut self, kind: Quoted, content: &mut Vec<u8>) -> Result<(), CompileError> {
        let rest = self.rest();
        let code = rest.as_bytes().get(1).copied().unwrap_or_default();
        let plain = match code {
            b'a' => Some(0x07),
            b'b' => Some(0x08),
            b'f' => Some(0x0C),
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            b't' => Some(b'\t'),
            b'v' => Some(0x0B),
            b'\\' | b'?' | b'"' | b'\'' | b'`' => Some(code),
            _ => None,
        };
        if let Some(byte) = plain {
            content.push(byte);
            self.at += 2;
            return Ok(());
        }
        let (skip, length, radix) = match code {
            b'x' | b'X' => (2, 2, 16),
            b'u' if !kind.bytes => (2, 4, 16),
            b'U' if !kind.bytes => (2, 8, 16),
            b'0'..=b'3' => (1, 3, 8),
            _ => return Err(self.error("an escape sequence")),
        };
        let digits = rest.get(skip..skip + length);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok());
        let number = number.ok_or_else(|| self.error("digits of an escape sequence"))?;
        self.at += skip + length;
        if let (true, Ok(byte)) = (kind.bytes, u8::try_from(number)) {
            content.push(byte);
            return Ok(());
        }
        let character = char::from_u32(number).ok_or_else(|| self.error("a Unicode character"))?;
        content.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Quoted {
    raw: bool,
    bytes: bool,
}

/// The letters before a quote.
fn prefix(rest: &str) -> Option<(usize, Quoted)> {
    let letters = rest
        .bytes()
        .take(3)
        .position(|byte| matches!(byte, b'"' | b'\''))?;
    let (mut raw, mut bytes) = (false, false);
    for letter in rest[..letters].bytes() {
        let flag = match letter {
            b'r' | b'R' => &mut raw,
            b'b' | b'B' => &mut bytes,
            _ => return None,
        };
        if std::mem::replace(flag, true) {
            return None;
        }
    }
    Some((letters, Quoted { raw, bytes }))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}
