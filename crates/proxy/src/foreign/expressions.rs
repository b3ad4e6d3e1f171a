//! `expr_create`, `expr_evaluate` and `expr_delete`: the expressions of one root context.

use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tracing::debug;
use weir_model::limits;

use super::ForeignStatus;
pub use super::cel::Lookup;
use super::cel::{EvaluateError, Program};

/// Compiled expressions by token, from 0. One table per root context.
#[derive(Clone, Debug, Default)]
pub struct Expressions {
    programs: FxHashMap<u32, Arc<Program>>,
    next_token: u32,
}

impl Expressions {
    /// No expressions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compiles a text. The result is its token, four bytes, little-endian.
    ///
    /// # Errors
    /// [`ForeignStatus::BadArgument`] for what is no expression, or one that Envoy does not allow
    /// (comprehensions, `string()`); [`ForeignStatus::InternalFailure`] beyond
    /// [`limits::EXPRESSIONS_MAX`].
    pub fn create(&mut self, argument: &[u8]) -> Result<Bytes, ForeignStatus> {
        let text = std::str::from_utf8(argument).map_err(|_| ForeignStatus::BadArgument)?;
        let program = Program::compile(text).map_err(|error| {
            debug!(expression = text, %error, "a plugin's expression does not compile");
            ForeignStatus::BadArgument
        })?;
        if self.programs.len() >= limits::EXPRESSIONS_MAX {
            debug!(
                limit = limits::EXPRESSIONS_MAX,
                "a plugin has too many expressions"
            );
            return Err(ForeignStatus::InternalFailure);
        }
        while self.programs.contains_key(&self.next_token) {
            self.next_token = self.next_token.wrapping_add(1);
        }
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        self.programs.insert(token, Arc::new(program));
        Ok(Bytes::copy_from_slice(&token.to_le_bytes()))
    }

    /// The byte form of an expression's value over the attributes that `lookup` answers.
    ///
    /// # Errors
    /// [`ForeignStatus::BadArgument`] unless the argument has four bytes,
    /// [`ForeignStatus::NotFound`] for an unknown token, [`ForeignStatus::InternalFailure`] if
    /// evaluation fails (an absent attribute too), [`ForeignStatus::SerializationFailure`] if the
    /// value has no byte form.
    pub fn evaluate(&self, argument: &[u8], lookup: &Lookup<'_>) -> Result<Bytes, ForeignStatus> {
        let token = token(argument)?;
        let program = self.programs.get(&token).ok_or(ForeignStatus::NotFound)?;
        let value = program.evaluate(lookup).map_err(|error| {
            debug!(token, %error, "a plugin's expression has no value");
            match error {
                EvaluateError::Group => ForeignStatus::SerializationFailure,
                EvaluateError::NotFound
                | EvaluateError::Attribute
                | EvaluateError::NoOverload
                | EvaluateError::Range
                | EvaluateError::DivisionByZero
                | EvaluateError::Pattern
                | EvaluateError::TooMuch => ForeignStatus::InternalFailure,
            }
        })?;
        Ok(value.serialize()?)
    }

    /// Forgets an expression; one that is unknown is no error.
    ///
    /// # Errors
    /// [`ForeignStatus::BadArgument`] unless the argument has four bytes.
    pub fn delete(&mut self, argument: &[u8]) -> Result<Bytes, ForeignStatus> {
        self.programs.remove(&token(argument)?);
        Ok(Bytes::new())
    }
}

fn token(argument: &[u8]) -> Result<u32, ForeignStatus> {
    argument
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| ForeignStatus::BadArgument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::{PropertyError, Value};

    fn lookup(path: &[&[u8]]) -> Result<Value, PropertyError> {
        match path {
            [b"request"] => Err(PropertyError::SerializationFailure),
            [b"request", b"path"] => Ok(Value::literal("/x")),
            [b"nothing"] => Ok(Value::Null),
            _ => Err(PropertyError::NotFound),
        }
    }

    fn check(text: &str, expected: Result<&[u8], ForeignStatus>) {
        let mut expressions = Expressions::new();
        let token = expressions.create(text.as_bytes()).unwrap();
        assert_eq!(
            expressions.evaluate(&token, &lookup).as_deref(),
            expected.as_ref().copied(),
            "{text}"
        );
    }

    #[test]
    fn values_and_statuses_are_those_of_section_6_8() {
        check("request.path == \"/x\"", Ok(&[1]));
        check("request.path", Ok(b"/x"));
        check("1 + 1", Ok(&2_i64.to_le_bytes()));
        for text in ["request.nosuch == ''", "nosuch", "1 / 0"] {
            check(text, Err(ForeignStatus::InternalFailure));
        }
        check("'a' + 1", Err(ForeignStatus::InternalFailure));
        check("request", Err(ForeignStatus::SerializationFailure));
        check("nothing", Err(ForeignStatus::SerializationFailure));
        check("[null]", Err(ForeignStatus::SerializationFailure));
    }

    #[test]
    fn tokens_begin_at_zero_and_end_with_delete() {
        let mut expressions = Expressions::new();
        assert_eq!(expressions.create(b"1").as_deref(), Ok(&[0, 0, 0, 0][..]));
        assert_eq!(expressions.create(b"2").as_deref(), Ok(&[1, 0, 0, 0][..]));
        assert_eq!(expressions.delete(&[0; 4]), Ok(Bytes::new()));
        assert_eq!(expressions.delete(&[0; 4]), Ok(Bytes::new()));
        assert_eq!(
            expressions.evaluate(&[0; 4], &lookup),
            Err(ForeignStatus::NotFound)
        );
        assert_eq!(expressions.create(b"3").as_deref(), Ok(&[2, 0, 0, 0][..]));
    }

    #[test]
    fn bad_arguments_are_refused() {
        let mut expressions = Expressions::new();
        for bad in [
            &b"\xFF"[..],
            b"",
            b"1 +",
            b"'A'.lowerAscii()",
            b"[1].all(x)",
        ] {
            assert_eq!(
                expressions.create(bad),
                Err(ForeignStatus::BadArgument),
                "{bad:?}"
            );
        }
        assert_eq!(
            expressions.evaluate(&[0; 3], &lookup),
            Err(ForeignStatus::BadArgument)
        );
        assert_eq!(expressions.delete(&[0; 5]), Err(ForeignStatus::BadArgument));
    }

    #[test]
    fn their_number_is_bounded() {
        let mut expressions = Expressions::new();
        for _ in 0..limits::EXPRESSIONS_MAX {
            expressions.create(b"1").unwrap();
        }
        assert_eq!(
            expressions.create(b"1"),
            Err(ForeignStatus::InternalFailure)
        );
        expressions.delete(&[7, 0, 0, 0]).unwrap();
        assert!(expressions.create(b"1").is_ok());
    }
}
