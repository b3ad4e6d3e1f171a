//! From pieces to declarations. After a mistake it goes on with the next statement.

use weir_model::limits::bindgen as limits;

use super::format::{Line, Setting};
use super::lexer::{Kind as Piece, Token};
use super::{Declarations, MapDeclaration, Options, Use, options};
use crate::expression::{Expression, Kind, Primitive};
use crate::problem::{Place, Problem};

pub(super) struct Parser<'p> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    problems: &'p mut Vec<Problem>,
    /// Comments that have been passed and stand before what comes next.
    comments: Vec<String>,
    end: Place,
}

/// A mistake that has been noted: the statement is given up.
struct Noted;

type Parsed<T> = Result<T, Noted>;

/// Reads all statements.
pub(super) fn parse(file: &str, tokens: Vec<Token>, problems: &mut Vec<Problem>) -> Declarations {
    let end = tokens
        .last()
        .map_or_else(|| Place::of_file(file), |token| token.place.clone());
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        problems,
        comments: Vec::new(),
        end,
    };
    let mut found = Declarations {
        file: file.to_owned(),
        uses: Vec::new(),
        maps: Vec::new(),
        layout: Vec::new(),
    };
    while !matches!(parser.peek(), Piece::End) {
        if parser.statement(&mut found).is_err() {
            parser.recover();
        }
    }
    let rest = std::mem::take(&mut parser.comments);
    if !rest.is_empty() {
        found.layout.push(Line::Comments(rest));
    }
    refuse_twins(&found, parser.problems);
    found
}

/// Each map and each used name is there once.
fn refuse_twins(found: &Declarations, problems: &mut Vec<Problem>) {
    let mut seen = std::collections::HashMap::new();
    let maps = found
        .maps
        .iter()
        .map(|map| (("map", map.name.clone()), &map.place));
    let names = found.uses.iter().flat_map(|used| &used.names);
    let names = names.map(|(name, place)| (("type", crate::name::kebab(name)), place));
    for ((what, name), place) in maps.chain(names) {
        if let Some(first) = seen.insert((what, name.clone()), place) {
            let found = format!("the {what} `{name}` is declared twice");
            let expected = format!("one of them only; the first is in line {}", first.line);
            problems.push(Problem::new(place.clone(), found, expected));
        }
    }
}

impl Parser<'_> {
    /// The next piece that is no comment.
    fn peek(&mut self) -> &Piece {
        while let Some(token) = self.tokens.next_if(|t| matches!(t.kind, Piece::Comment(_))) {
            if let Piece::Comment(text) = token.kind {
                self.comments.push(text);
            }
        }
        self.tokens.peek().map_or(&Piece::End, |token| &token.kind)
    }

    fn place(&mut self) -> Place {
        self.peek();
        self.tokens
            .peek()
            .map_or_else(|| self.end.clone(), |token| token.place.clone())
    }

    fn take(&mut self) -> Piece {
        self.peek();
        self.tokens.next().map_or(Piece::End, |token| token.kind)
    }

    fn is_sign(&mut self, sign: char) -> bool {
        *self.peek() == Piece::Sign(sign)
    }

    fn is_word(&mut self, word: &str) -> bool {
        matches!(self.peek(), Piece::Word(found) if found == word)
    }

    fn passes(&mut self, sign: char) -> bool {
        let is_there = self.is_sign(sign);
        if is_there {
            self.take();
        }
        is_there
    }

    /// Notes that something else is here.
    fn wrong<T>(&mut self, expected: &str) -> Parsed<T> {
        let place = self.place();
        let found = format!("found {}", self.peek().shown());
        self.problems.push(Problem::new(place, found, expected));
        Err(Noted)
    }

    fn expect(&mut self, sign: char, after: &str) -> Parsed<()> {
        if self.passes(sign) {
            return Ok(());
        }
        self.wrong(&format!("`{sign}` {after}"))
    }

    fn word(&mut self, expected: &str) -> Parsed<(String, Place)> {
        let place = self.place();
        if !matches!(self.peek(), Piece::Word(_)) {
            return self.wrong(expected);
        }
        match self.take() {
            Piece::Word(word) => Ok((word, place)),
            Piece::Text(_) | Piece::Sign(_) | Piece::Comment(_) | Piece::End => Err(Noted),
        }
    }

    /// Goes behind the statement that could not be read.
    fn recover(&mut self) {
        let mut depth = 0_usize;
        loop {
            if depth == 0 && (self.is_word("use") || self.is_word("map") || self.is_word("here")) {
                return;
            }
            match self.take() {
                Piece::Sign('{') => depth += 1,
                Piece::Sign('}') if depth <= 1 => {
                    self.passes(';');
                    return;
                }
                Piece::Sign('}') => depth -= 1,
                Piece::Sign(';') if depth == 0 => return,
                Piece::End => return,
                Piece::Word(_) | Piece::Text(_) | Piece::Sign(_) | Piece::Comment(_) => {}
            }
        }
    }

    fn statement(&mut self, found: &mut Declarations) -> Parsed<()> {
        if self.is_word("use") {
            return self.used(found);
        }
        if self.is_word("here") {
            self.take();
            for word in ["we", "go"] {
                if !self.is_word(word) {
                    return self.wrong(&format!("`{word}`, as in `here we go map<…>`"));
                }
                self.take();
            }
        }
        if self.is_word("map") {
            return self.map(found);
        }
        if self.passes(';') {
            return Ok(());
        }
        let expected = "`use types.{…};` or `map<key, value> name { … }`";
        let noted = self.wrong(expected);
        self.take();
        noted
    }

    fn used(&mut self, found: &mut Declarations) -> Parsed<()> {
        self.take();
        let comments = std::mem::take(&mut self.comments);
        let (path, place) = self.path()?;
        self.expect('.', "and the names in braces, as in `use types.{user};`")?;
        self.expect('{', "before the names, as in `use types.{user};`")?;
        let mut names = Vec::new();
        while !self.is_sign('}') {
            names.push(self.word("a type's name, or `}`")?);
            if !self.passes(',') && !self.is_sign('}') {
                return self.wrong("`,` or `}` after a type's name");
            }
        }
        if names.is_empty() {
            return self.wrong("a type's name");
        }
        self.expect('}', "after the names")?;
        self.expect(';', "at the end of `use`")?;
        let trailing = self.trailing();
        let shown = names.iter().map(|(name, _)| name.clone()).collect();
        found
            .layout
            .push(Line::Use(comments, path.clone(), shown, trailing));
        found.uses.push(Use { path, place, names });
        Ok(())
    }

    /// `types`, or `weir:demo/types`.
    fn path(&mut self) -> Parsed<(String, Place)> {
        let (mut path, place) = self.word("an interface's name, as in `use types.{user};`")?;
        if self.passes(':') {
            path = format!("{path}:{}", self.word("the package's name")?.0);
            self.expect('/', "and the interface's name")?;
            path = format!("{path}/{}", self.word("the interface's name")?.0);
        }
        Ok((path, place))
    }

    fn map(&mut self, found: &mut Declarations) -> Parsed<()> {
        self.take();
        let comments = std::mem::take(&mut self.comments);
        self.expect('<', "and the types, as in `map<string, user> users`")?;
        let key = self.expression(0)?;
        self.expect(',', "and the type of the values")?;
        let value = self.expression(0)?;
        self.expect('>', "after the types")?;
        let (name, place) = self.word("the map's name")?;
        let mut settings = Vec::new();
        let mut options = Options::default();
        if self.passes('{') {
            let heading = self.trailing();
            if !heading.is_empty() {
                self.comments.push(heading);
            }
            while !self.is_sign('}') {
                if matches!(self.peek(), Piece::End) {
                    return self.wrong("a setting, or `}` after the last one");
                }
                settings.push(self.setting(&mut options)?);
            }
            let rest = std::mem::take(&mut self.comments);
            self.expect('}', "after the settings")?;
            // Not `passes`: a comment on this line stays behind the map.
            self.tokens.next_if(|token| token.kind == Piece::Sign(';'));
            if !rest.is_empty() {
                settings.push(Setting::Comments(rest));
            }
        } else if !self.passes(';') {
            return self.wrong("`{` with the map's settings, or `;`");
        }
        let trailing = self.trailing();
        let head = format!("map<{}, {}> {name}", key.text(), value.text());
        let docs = docs_of(&comments);
        found
            .layout
            .push(Line::Map(comments, head, settings, trailing));
        found.maps.push(MapDeclaration {
            name,
            place,
            key,
            value,
            docs,
            options,
        });
        Ok(())
    }

    /// `name = "value";`, with the draft's dot and comma.
    fn setting(&mut self, options: &mut Options) -> Parsed<Setting> {
        self.passes('.');
        let comments = std::mem::take(&mut self.comments);
        let (name, place) = self.word("a setting, or `}` after the last one")?;
        self.expect('=', "after a setting's name")?;
        let value_place = self.place();
        let value = match self.peek().clone() {
            Piece::Text(text) | Piece::Word(text) => text,
            Piece::Sign(_) | Piece::Comment(_) | Piece::End => {
                return self.wrong("a value, as in `storage = \"durable\"`");
            }
        };
        self.take();
        if !self.passes(';') && !self.passes(',') && !self.is_sign('}') {
            return self.wrong("`;` after a setting");
        }
        let trailing = self.trailing();
        let written = options::Written {
            name: &name,
            place,
            value: &value,
            value_place,
        };
        options::note(&written, options, self.problems);
        Ok(Setting::Value(comments, name, value, trailing))
    }

    /// A comment on the line that has just ended, or nothing.
    fn trailing(&mut self) -> String {
        let on_this_line =
            |token: &Token| matches!(token.kind, Piece::Comment(_)) && !token.begins_line;
        match self.tokens.next_if(on_this_line).map(|token| token.kind) {
            Some(Piece::Comment(text)) => text,
            _ => String::new(),
        }
    }

    fn expression(&mut self, depth: usize) -> Parsed<Expression> {
        if depth > limits::TYPE_DEPTH_MAX {
            return self.wrong(&format!(
                "at most {} types in each other",
                limits::TYPE_DEPTH_MAX
            ));
        }
        let (word, place) = self.word("a type")?;
        let kind = match word.as_str() {
            "list" => Kind::List(self.argument(depth)?),
            "option" => Kind::Option(self.argument(depth)?),
            "tuple" => Kind::Tuple(self.arguments(depth)?),
            "result" => self.result(depth)?,
            name => match Primitive::named(name) {
                Some(primitive) => Kind::Primitive(primitive),
                None => Kind::Name(word),
            },
        };
        Ok(Expression { kind, place })
    }

    fn argument(&mut self, depth: usize) -> Parsed<Box<Expression>> {
        self.expect('<', "and a type, as in `list<u8>`")?;
        let argument = self.expression(depth + 1)?;
        self.expect('>', "after the type")?;
        Ok(Box::new(argument))
    }

    fn arguments(&mut self, depth: usize) -> Parsed<Vec<Expression>> {
        self.expect('<', "and types, as in `tuple<u32, string>`")?;
        let mut arguments = vec![self.expression(depth + 1)?];
        while self.passes(',') {
            if self.is_sign('>') {
                break;
            }
            arguments.push(self.expression(depth + 1)?);
        }
        self.expect('>', "after the types")?;
        Ok(arguments)
    }

    fn result(&mut self, depth: usize) -> Parsed<Kind> {
        if !self.passes('<') {
            return Ok(Kind::Result(None, None));
        }
        let ok = self.part(depth)?;
        let error = if self.passes(',') {
            self.part(depth)?
        } else {
            None
        };
        self.expect('>', "after the types")?;
        Ok(Kind::Result(ok, error))
    }

    /// A type, or `_` for none.
    fn part(&mut self, depth: usize) -> Parsed<Option<Box<Expression>>> {
        if self.is_word("_") {
            self.take();
            return Ok(None);
        }
        Ok(Some(Box::new(self.expression(depth + 1)?)))
    }
}

/// What comments with three strokes say.
fn docs_of(comments: &[String]) -> String {
    let lines = comments
        .iter()
        .filter_map(|comment| comment.strip_prefix("///"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}
