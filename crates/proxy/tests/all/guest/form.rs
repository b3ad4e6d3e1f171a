//! Scripts as nested lists.

/// A bracketed list, a text or a word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Atom(String),
    Text(Vec<u8>),
    List(Vec<Form>),
}

/// The first word of a list; empty: there is none.
pub(super) fn head(form: &Form) -> &str {
    match form {
        Form::List(items) => match items.first() {
            Some(Form::Atom(atom)) => atom,
            _ => "",
        },
        _ => "",
    }
}

/// The forms of a script.
pub(super) fn parse(script: &str) -> Vec<Form> {
    let mut stack: Vec<Vec<Form>> = vec![Vec::new()];
    let mut rest = script.chars().peekable();
    while let Some(next) = rest.next() {
        let form = match next {
            '(' => {
                stack.push(Vec::new());
                continue;
            }
            ')' => Form::List(stack.pop().expect("an open bracket")),
            '"' => Form::Text(text_of(
                &rest
                    .by_ref()
                    .take_while(|next| *next != '"')
                    .collect::<String>(),
            )),
            next if next.is_whitespace() => continue,
            next => {
                let mut atom = String::from(next);
                while let Some(more) =
                    rest.next_if(|next| !next.is_whitespace() && !"()\"".contains(*next))
                {
                    atom.push(more);
                }
                Form::Atom(atom)
            }
        };
        stack.last_mut().expect("an open list").push(form);
    }
    stack.pop().expect("every bracket closed")
}

/// Bytes of a text: `\xx` is a byte in hexadecimal, `{a:b;c:d}` are pairs.
fn text_of(text: &str) -> Vec<u8> {
    if let Some(inner) = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    {
        return pairs_of(inner);
    }
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            char::from(rest.next().expect("two digits"))
                .to_digit(16)
                .expect("hexadecimal")
        };
        let (high, low) = (digit(), digit());
        bytes.push(u8::try_from(high * 16 + low).expect("a byte"));
    }
    bytes
}

/// The serialized form of header maps (Proxy-Wasm reference 5.1).
fn pairs_of(text: &str) -> Vec<u8> {
    let pairs: Vec<(Vec<u8>, Vec<u8>)> = text
        .split(';')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let at = pair[1..].find(':').expect("a colon") + 1;
            (text_of(&pair[..at]), text_of(&pair[at + 1..]))
        })
        .collect();
    let number = |length: usize| u32::try_from(length).expect("a short text").to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (key, value) in &pairs {
        bytes.extend(number(key.len()));
        bytes.extend(number(value.len()));
    }
    for part in pairs.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend_from_slice(part);
        bytes.push(0);
    }
    bytes
}
