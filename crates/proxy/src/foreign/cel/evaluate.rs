//! The value of an expression.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{EvaluateError, Expression, Lookup};
use crate::property::{PropertyError, Value};

type Evaluated = Result<Value, EvaluateError>;

/// Recurses as deep as the expression, which the parser has bounded.
pub(super) fn evaluate(expression: &Expression, lookup: &Lookup<'_>) -> Evaluated {
    match expression {
        Expression::Literal(value) => Ok(value.clone()),
        Expression::Path(path) => attribute(path, None, lookup),
        Expression::Field(operand, name) => {
            let operand = evaluate(operand, lookup)?;
            operand.child(name).cloned().ok_or(EvaluateError::NotFound)
        }
        Expression::Index(operand, key) => index(operand, key, lookup),
        Expression::Has(operand) => has(operand, lookup).map(Value::Bool),
        Expression::Not(operand) => Ok(Value::Bool(!truth(operand, lookup)?)),
        Expression::Negative(operand) => negative(&evaluate(operand, lookup)?),
        Expression::All(operands) => decided(operands, false, lookup),
        Expression::Any(operands) => decided(operands, true, lookup),
        Expression::Conditional(cases, otherwise) => conditional(cases, otherwise, lookup),
        Expression::Binary(operator, operands) => {
            let [left, right] = &**operands;
            operator.apply(&evaluate(left, lookup)?, &evaluate(right, lookup)?)
        }
        Expression::List(elements) => {
            let elements = elements.iter().map(|element| evaluate(element, lookup));
            elements.collect::<Result<_, _>>().map(Value::List)
        }
        Expression::Map(entries) => map(entries, lookup),
        Expression::Call(function, arguments) => {
            let arguments = arguments.iter().map(|argument| evaluate(argument, lookup));
            function.call(&arguments.collect::<Result<SmallVec<[Value; 2]>, _>>()?)
        }
        Expression::Matches(operand, pattern) => match evaluate(operand, lookup)? {
            Value::String(text) => Ok(Value::Bool(pattern.is_match(&text))),
            _ => Err(EvaluateError::NoOverload),
        },
    }
}

fn attribute(path: &[Bytes], key: Option<&[u8]>, lookup: &Lookup<'_>) -> Evaluated {
    let segments: SmallVec<[&[u8]; 4]> =
        path.iter().map(|segment| &segment[..]).chain(key).collect();
    lookup(&segments).map_err(|error| match error {
        PropertyError::NotFound => EvaluateError::NotFound,
        PropertyError::SerializationFailure => EvaluateError::Group,
        PropertyError::InternalFailure => EvaluateError::Attribute,
    })
}

/// A computed text key of an attribute is looked up like a constant one.
fn index(operand: &Expression, key: &Expression, lookup: &Lookup<'_>) -> Evaluated {
    let key = evaluate(key, lookup)?;
    if let (Expression::Path(path), Value::String(key)) = (operand, &key) {
        return attribute(path, Some(key), lookup);
    }
    let operand = evaluate(operand, lookup)?;
    let found = match (&operand, &key) {
        (Value::Map(_), Value::String(key)) => operand.child(key),
        (Value::Map(_), Value::Int(_) | Value::Uint(_) | Value::Bool(_)) => None,
        (Value::List(elements), Value::Int(index)) => usize::try_from(*index)
            .ok()
            .and_then(|index| elements.get(index)),
        (Value::List(elements), Value::Uint(index)) => usize::try_from(*index)
            .ok()
            .and_then(|index| elements.get(index)),
        _ => return Err(EvaluateError::NoOverload),
    };
    found.cloned().ok_or(EvaluateError::NotFound)
}

/// What has no attribute of its first name is an error, not absent.
fn has(operand: &Expression, lookup: &Lookup<'_>) -> Result<bool, EvaluateError> {
    if let Expression::Path(path) = operand
        && let Err(EvaluateError::NotFound) = attribute(&path[..1], None, lookup)
    {
        return Err(EvaluateError::NotFound);
    }
    match evaluate(operand, lookup) {
        Ok(_) | Err(EvaluateError::Group) => Ok(true),
        Err(EvaluateError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `&&` (decided by a false) and `||` (decided by a true). An error counts only if no operand
/// decides, whatever their order.
fn decided(operands: &[Expression], deciding: bool, lookup: &Lookup<'_>) -> Evaluated {
    let mut undecided = Ok(Value::Bool(!deciding));
    for operand in operands {
        match truth(operand, lookup) {
            Ok(value) if value == deciding => return Ok(Value::Bool(deciding)),
            Ok(_) => {}
            Err(error) => undecided = Err(error),
        }
    }
    undecided
}

fn conditional(
    cases: &[(Expression, Expression)],
    otherwise: &Expression,
    lookup: &Lookup<'_>,
) -> Evaluated {
    for (condition, value) in cases {
        if truth(condition, lookup)? {
            return evaluate(value, lookup);
        }
    }
    evaluate(otherwise, lookup)
}

fn truth(operand: &Expression, lookup: &Lookup<'_>) -> Result<bool, EvaluateError> {
    match evaluate(operand, lookup)? {
        Value::Bool(value) => Ok(value),
        _ => Err(EvaluateError::NoOverload),
    }
}

fn negative(operand: &Value) -> Evaluated {
    match operand {
        Value::Int(number) => number
            .checked_neg()
            .map(Value::Int)
            .ok_or(EvaluateError::Range),
        Value::Double(number) => Ok(Value::Double(-number)),
        Value::Duration(length) => length
            .checked_neg()
            .map(Value::Duration)
            .ok_or(EvaluateError::Range),
        _ => Err(EvaluateError::NoOverload),
    }
}

fn map(entries: &[(Expression, Expression)], lookup: &Lookup<'_>) -> Evaluated {
    let mut map: Vec<(Bytes, Value)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let Value::String(key) = evaluate(key, lookup)? else {
            return Err(EvaluateError::NoOverload);
        };
        if map.iter().any(|(known, _)| *known == key) {
            return Err(EvaluateError::NoOverload);
        }
        map.push((key, evaluate(value, lookup)?));
    }
    Ok(Value::Map(map))
}
