//! The Common Expression Language, as far as Envoy lets plugins use it.
//!
//! Envoy evaluates conditions of plugins with the standard functions and macros of the language
//! (measured with 1.40), without its extensions. Invariants: compiling and evaluating never panic,
//! recurse no deeper than the limits, and cost no more than [`limits::EXPRESSION_WORK_MAX`].

mod evaluate;
mod function;
mod operator;
mod parse;
mod time;
mod token;

use std::cell::Cell;

use bytes::Bytes;
use evaluate::Scope;
use function::Function;
use operator::Operator;
use regex::bytes::Regex;
use weir_model::limits;

use crate::property::{PropertyError, Value};

/// Answers what an attribute path such as `request`, `headers`, `host` has for a value:
/// `NotFound` for what is not there, `SerializationFailure` for groups such as `request` alone.
pub type Lookup<'l> = dyn Fn(&[&[u8]]) -> Result<Value, PropertyError> + 'l;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Program(Expression);

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CompileError {
    #[error("the expression has {0} bytes, more than are allowed")]
    TooLong(usize),
    #[error("the expression is nested too deeply at byte {at}")]
    TooDeep { at: usize },
    #[error("at byte {at}: expected {expected}")]
    Syntax { at: usize, expected: &'static str },
    #[error("at byte {at}: no function {name} with these arguments")]
    UnknownFunction { at: usize, name: String },
}

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EvaluateError {
    #[error("there is no such attribute, key or index")]
    NotFound,
    #[error("the expression names a group of attributes, which is no value")]
    Group,
    #[error("reading an attribute failed")]
    Attribute,
    #[error("no operator or function for values of these kinds")]
    NoOverload,
    #[error("a number or time is out of range")]
    Range,
    #[error("division by zero")]
    DivisionByZero,
    #[error("not a regular expression, or one too large")]
    Pattern,
    #[error("the expression costs more than is allowed")]
    TooMuch,
}

#[derive(Debug)]
enum Expression {
    Literal(Value),
    /// Identifiers, fields and constant string keys: one look-up of an attribute.
    Path(Vec<Bytes>),
    Field(Box<Expression>, Bytes),
    Index(Box<Expression>, Box<Expression>),
    Has(Box<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    /// Conditions with their values in turn, and the value if none holds: flat, however long.
    Conditional(Vec<(Expression, Expression)>, Box<Expression>),
    Binary(Operator, Box<[Expression; 2]>),
    List(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    Call(Function, Vec<Expression>),
    Each(Box<Each>),
    /// With a constant pattern, compiled once.
    Matches(Box<Expression>, Regex),
}

/// A macro over a range.
#[derive(Debug)]
struct Each {
    kind: Macro,
    range: Expression,
    /// What each element is called in condition and body.
    name: Bytes,
    /// Of `map` with three arguments: which elements.
    condition: Option<Expression>,
    body: Expression,
}

/// The macros that look at every element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Macro {
    /// By name and number of arguments behind the range.
    fn named(name: &str, arguments: usize) -> Option<Self> {
        Some(match (name, arguments) {
            ("all", 2) => Self::All,
            ("exists", 2) => Self::Exists,
            ("exists_one", 2) => Self::ExistsOne,
            ("filter", 2) => Self::Filter,
            ("map", 2 | 3) => Self::Map,
            _ => return None,
        })
    }
}

impl Program {
    /// Compiles a text.
    pub(super) fn compile(text: &str) -> Result<Self, CompileError> {
        if text.len() > limits::EXPRESSION_BYTES_MAX {
            return Err(CompileError::TooLong(text.len()));
        }
        parse::parse(text).map(Self)
    }

    /// The value over some attributes.
    pub(super) fn evaluate(&self, lookup: &Lookup<'_>) -> Result<Value, EvaluateError> {
        let work_left = Cell::new(limits::EXPRESSION_WORK_MAX);
        evaluate::evaluate(&self.0, &Scope::new(lookup, &work_left))
    }
}

#[cfg(test)]
mod tests;
