//! Operands: literals, attributes, brackets, and what stands behind them.

use bytes::Bytes;

use super::super::function::{self, Function, Style};
use super::super::{Each, Macro};
use super::{CompileError, Expression, Parsed, Parser, Token, Tree, literal};
use crate::property::Value;

/// Words that are no identifiers.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "void",
    "while",
];

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parsed {
        let value = match &self.token {
            Token::Int(number) => {
                let number = i64::try_from(*number);
                Value::Int(number.map_err(|_| self.error("a number of at most 64 bits"))?)
            }
            Token::Uint(number) => Value::Uint(*number),
            Token::Double(number) => Value::Double(*number),
            Token::String(text) => Value::String(text.clone()),
            Token::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Token::Identifier("true") => Value::Bool(true),
            Token::Identifier("false") => Value::Bool(false),
            Token::Identifier("null") => Value::Null,
            Token::Identifier(name) => {
                let (name, at) = (*name, self.at);
                return self.identifier(name, at);
            }
            Token::Symbol(symbol) => return self.bracketed(symbol),
            Token::End => return Err(self.error("an operand")),
        };
        self.advance()?;
        Ok(literal(value))
    }

    fn identifier(&mut self, name: &str, at: usize) -> Parsed {
        if RESERVED.contains(&name) {
            return Err(self.error("an operand, not a reserved word"));
        }
        self.advance()?;
        if !self.accept("(")? {
            let path = Expression::Path(vec![Bytes::copy_from_slice(name.as_bytes())]);
            return Ok(Tree {
                expression: path,
                depth: 1,
            });
        }
        let arguments = self.list(")")?;
        if name == "has" {
            return self.has(arguments);
        }
        self.call(name, at, Style::Global, arguments)
    }

    fn has(&self, arguments: Vec<Tree>) -> Parsed {
        let Ok([Tree { expression, depth }]) = <[Tree; 1]>::try_from(arguments) else {
            return Err(self.error("has() of one field"));
        };
        match &expression {
            Expression::Path(path) if path.len() > 1 => {}
            Expression::Field(..) => {}
            _ => return Err(self.error("has() of one field")),
        }
        self.tree(Expression::Has(Box::new(expression)), depth)
    }

    fn bracketed(&mut self, symbol: &'static str) -> Parsed {
        match symbol {
            "(" => {
                self.advance()?;
                let inner = self.expression()?;
                self.expect(")", "a closing parenthesis")?;
                Ok(inner)
            }
            "[" => {
                self.advance()?;
                let elements = self.list("]")?;
                let depth = deepest(&elements);
                self.tree(Expression::List(expressions(elements)), depth)
            }
            "{" => {
                self.advance()?;
                self.map()
            }
            "." => {
                self.advance()?;
                match self.token {
                    Token::Identifier(name) => self.identifier(name, self.at),
                    _ => Err(self.error("an identifier")),
                }
            }
            _ => Err(self.error("an operand")),
        }
    }

    fn map(&mut self) -> Parsed {
        let (mut entries, mut depth) = (Vec::new(), 0);
        while !self.accept("}")? {
            let key = self.expression()?;
            self.expect(":", "a colon")?;
            let value = self.expression()?;
            depth = depth.max(key.depth).max(value.depth);
            entries.push((key.expression, value.expression));
            if !self.accept(",")? {
                self.expect("}", "a comma or a closing brace")?;
                break;
            }
        }
        self.tree(Expression::Map(entries), depth)
    }

    /// Expressions up to a closing symbol; a trailing comma is allowed.
    fn list(&mut self, closing: &'static str) -> Result<Vec<Tree>, CompileError> {
        let mut elements = Vec::new();
        while !self.accept(closing)? {
            elements.push(self.expression()?);
            if !self.accept(",")? {
                self.expect(closing, "a comma or a closing bracket")?;
                break;
            }
        }
        Ok(elements)
    }

    /// Fields, indexes and calls behind an operand.
    pub(super) fn members(&mut self, mut operand: Tree) -> Parsed {
        loop {
            if self.accept(".")? {
                let Token::Identifier(name) = self.token else {
                    return Err(self.error("the name of a field"));
                };
                let at = self.at;
                self.advance()?;
                if self.accept("(")? {
                    let mut arguments = self.list(")")?;
                    operand = if let Some(kind) = Macro::named(name, arguments.len()) {
                        self.each(kind, operand, arguments)?
                    } else {
                        arguments.insert(0, operand);
                        self.call(name, at, Style::Receiver, arguments)?
                    };
                } else {
                    operand = self.field(operand, name.as_bytes())?;
                }
            } else if self.accept("[")? {
                let key = self.expression()?;
                self.expect("]", "a closing bracket")?;
                operand = self.index(operand, key)?;
            } else {
                return Ok(operand);
            }
        }
    }

    /// A macro: its first argument names the elements.
    fn each(&self, kind: Macro, range: Tree, arguments: Vec<Tree>) -> Parsed {
        let depth = range.depth.max(deepest(&arguments));
        let mut arguments = expressions(arguments).into_iter();
        let name = match arguments.next() {
            Some(Expression::Path(path)) if path.len() == 1 => path.into_iter().next(),
            Some(_) | None => None,
        };
        let (name, body) = name
            .zip(arguments.next_back())
            .ok_or_else(|| self.error("a name for the elements"))?;
        let each = Each {
            kind,
            range: range.expression,
            name,
            condition: arguments.next(),
            body,
        };
        self.tree(Expression::Each(Box::new(each)), depth)
    }

    fn field(&self, operand: Tree, name: &[u8]) -> Parsed {
        let name = Bytes::copy_from_slice(name);
        match operand.expression {
            Expression::Path(mut path) => {
                path.push(name);
                Ok(Tree {
                    expression: Expression::Path(path),
                    depth: 1,
                })
            }
            other => self.tree(Expression::Field(Box::new(other), name), operand.depth),
        }
    }

    fn index(&self, operand: Tree, key: Tree) -> Parsed {
        let depth = operand.depth.max(key.depth);
        match (operand.expression, key.expression) {
            (Expression::Path(mut path), Expression::Literal(Value::String(name))) => {
                path.push(name);
                Ok(Tree {
                    expression: Expression::Path(path),
                    depth: 1,
                })
            }
            (operand, key) => self.tree(Expression::Index(Box::new(operand), Box::new(key)), depth),
        }
    }

    fn call(&self, name: &str, at: usize, style: Style, arguments: Vec<Tree>) -> Parsed {
        let depth = deepest(&arguments);
        let function = Function::named(name, style, arguments.len()).ok_or_else(|| {
            CompileError::UnknownFunction {
                at,
                name: name.to_owned(),
            }
        })?;
        let mut arguments = expressions(arguments);
        if let (Function::Matches, [_, Expression::Literal(Value::String(source))]) =
            (function, &arguments[..])
        {
            let pattern = function::pattern(source);
            let expected = "a regular expression that is not too large";
            let pattern = pattern.map_err(|_| CompileError::Syntax { at, expected })?;
            let text = Box::new(arguments.swap_remove(0));
            return self.tree(Expression::Matches(text, pattern), depth);
        }
        self.tree(Expression::Call(function, arguments), depth)
    }
}

fn deepest(elements: &[Tree]) -> usize {
    elements
        .iter()
        .map(|element| element.depth)
        .max()
        .unwrap_or(0)
}

fn expressions(elements: Vec<Tree>) -> Vec<Expression> {
    elements
        .into_iter()
        .map(|element| element.expression)
        .collect()
}
