//! The value of an expression.

use std::cell::Cell;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Each, EvaluateError, Expression, Lookup, Macro};
use crate::property::{PropertyError, Value};

type Evaluated = Result<Value, EvaluateError>;

/// What an attribute costs: it may be a map of all headers.
const ATTRIBUTE_WORK: usize = 64;

/// Where names are looked up, and what evaluating may still cost.
pub(super) struct Scope<'s> {
    lookup: &'s Lookup<'s>,
    work_left: &'s Cell<usize>,
}

impl<'s> Scope<'s> {
    pub(super) fn new(lookup: &'s Lookup<'s>, work_left: &'s Cell<usize>) -> Self {
        Self { lookup, work_left }
    }

    fn charge(&self, work: usize) -> Result<(), EvaluateError> {
        let left = self.work_left.get().checked_sub(work);
        self.work_left.set(left.ok_or(EvaluateError::TooMuch)?);
        Ok(())
    }
}

/// Recurses as deep as the expression, which the parser has bounded.
pub(super) fn evaluate(expression: &Expression, scope: &Scope<'_>) -> Evaluated {
    scope.charge(1)?;
    match expression {
        Expression::Literal(value) => Ok(value.clone()),
        Expression::Path(path) => attribute(path, None, scope),
        Expression::Field(operand, name) => {
            let operand = evaluate(operand, scope)?;
            operand.child(name).cloned().ok_or(EvaluateError::NotFound)
        }
        Expression::Index(operand, key) => index(operand, key, scope),
        Expression::Has(operand) => has(operand, scope).map(Value::Bool),
        Expression::Not(operand) => Ok(Value::Bool(!truth(operand, scope)?)),
        Expression::Negative(operand) => negative(&evaluate(operand, scope)?),
        Expression::All(operands) => decided(operands, false, scope),
        Expression::Any(operands) => decided(operands, true, scope),
        Expression::Conditional(cases, otherwise) => conditional(cases, otherwise, scope),
        Expression::Binary(operator, operands) => {
            let [left, right] = &**operands;
            let value = operator.apply(&evaluate(left, scope)?, &evaluate(right, scope)?)?;
            scope.charge(joined(&value))?;
            Ok(value)
        }
        Expression::Each(each) => comprehended(each, scope),
        Expression::List(elements) => {
            let elements = elements.iter().map(|element| evaluate(element, scope));
            elements.collect::<Result<_, _>>().map(Value::List)
        }
        Expression::Map(entries) => map(entries, scope),
        Expression::Call(function, arguments) => {
            let arguments = arguments.iter().map(|argument| evaluate(argument, scope));
            function.call(&arguments.collect::<Result<SmallVec<[Value; 2]>, _>>()?)
        }
        Expression::Matches(operand, pattern) => match evaluate(operand, scope)? {
            Value::String(text) => Ok(Value::Bool(pattern.is_match(&text))),
            _ => Err(EvaluateError::NoOverload),
        },
    }
}

fn attribute(path: &[Bytes], key: Option<&[u8]>, scope: &Scope<'_>) -> Evaluated {
    let segments: SmallVec<[&[u8]; 4]> =
        path.iter().map(|segment| &segment[..]).chain(key).collect();
    scope.charge(ATTRIBUTE_WORK)?;
    (scope.lookup)(&segments).map_err(|error| match error {
        PropertyError::NotFound => EvaluateError::NotFound,
        PropertyError::SerializationFailure => EvaluateError::Group,
        PropertyError::InternalFailure => EvaluateError::Attribute,
    })
}

/// A computed text key of an attribute is looked up like a constant one.
fn index(operand: &Expression, key: &Expression, scope: &Scope<'_>) -> Evaluated {
    let key = evaluate(key, scope)?;
    if let (Expression::Path(path), Value::String(key)) = (operand, &key) {
        return attribute(path, Some(key), scope);
    }
    let operand = evaluate(operand, scope)?;
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
fn has(operand: &Expression, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
    if let Expression::Path(path) = operand
        && let Err(EvaluateError::NotFound) = attribute(&path[..1], None, scope)
    {
        return Err(EvaluateError::NotFound);
    }
    match evaluate(operand, scope) {
        Ok(_) | Err(EvaluateError::Group) => Ok(true),
        Err(EvaluateError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `&&` (decided by a false) and `||` (decided by a true). An error counts only if no operand
/// decides, whatever their order.
fn decided(operands: &[Expression], deciding: bool, scope: &Scope<'_>) -> Evaluated {
    let mut undecided = Ok(Value::Bool(!deciding));
    for operand in operands {
        match truth(operand, scope) {
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
    scope: &Scope<'_>,
) -> Evaluated {
    for (condition, value) in cases {
        if truth(condition, scope)? {
            return evaluate(value, scope);
        }
    }
    evaluate(otherwise, scope)
}

fn truth(operand: &Expression, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
    match evaluate(operand, scope)? {
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

fn map(entries: &[(Expression, Expression)], scope: &Scope<'_>) -> Evaluated {
    let mut map: Vec<(Bytes, Value)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let Value::String(key) = evaluate(key, scope)? else {
            return Err(EvaluateError::NoOverload);
        };
        if map.iter().any(|(known, _)| *known == key) {
            return Err(EvaluateError::NoOverload);
        }
        map.push((key, evaluate(value, scope)?));
    }
    Ok(Value::Map(map))
}

/// What it costs that a value was put together.
fn joined(value: &Value) -> usize {
    match value {
        Value::String(bytes) | Value::Bytes(bytes) => bytes.len(),
        Value::List(elements) => elements.len(),
        _ => 0,
    }
}

/// A macro over the elements of a list or the keys of a map.
fn comprehended(each: &Each, scope: &Scope<'_>) -> Evaluated {
    let elements = match evaluate(&each.range, scope)? {
        Value::List(elements) => elements,
        Value::Map(entries) => entries
            .into_iter()
            .map(|(key, _)| Value::String(key))
            .collect(),
        _ => return Err(EvaluateError::NoOverload),
    };
    let mut fold = Fold::of(each.kind);
    for element in &elements {
        let lookup = |segments: &[&[u8]]| match segments.split_first() {
            Some((first, rest)) if **first == *each.name => element.descend(rest).cloned(),
            Some(_) | None => (scope.lookup)(segments),
        };
        let inner = Scope {
            lookup: &lookup,
            work_left: scope.work_left,
        };
        if fold.take(each, element, &inner)? == Fold::DECIDED {
            break;
        }
    }
    fold.end()
}

/// What a macro has come to so far.
struct Fold {
    kind: Macro,
    found: Vec<Value>,
    count: usize,
    /// An error of `all` and `exists` counts only if no element decides.
    undecided: Option<EvaluateError>,
    is_decided: bool,
}

impl Fold {
    const DECIDED: bool = true;

    fn of(kind: Macro) -> Self {
        Self {
            kind,
            found: Vec::new(),
            count: 0,
            undecided: None,
            is_decided: false,
        }
    }

    /// Takes one element; says whether the rest does not matter.
    fn take(
        &mut self,
        each: &Each,
        element: &Value,
        scope: &Scope<'_>,
    ) -> Result<bool, EvaluateError> {
        let holds = |condition: &Expression| truth(condition, scope);
        match self.kind {
            Macro::All | Macro::Exists => match holds(&each.body) {
                Ok(value) => self.is_decided = value == (self.kind == Macro::Exists),
                Err(EvaluateError::TooMuch) => return Err(EvaluateError::TooMuch),
                Err(error) => self.undecided = Some(error),
            },
            Macro::ExistsOne => self.count += usize::from(holds(&each.body)?),
            Macro::Filter => {
                if holds(&each.body)? {
                    self.found.push(element.clone());
                }
            }
            Macro::Map => {
                let is_taken = each.condition.as_ref().map_or(Ok(true), holds)?;
                if is_taken {
                    self.found.push(evaluate(&each.body, scope)?);
                }
            }
        }
        Ok(self.is_decided)
    }

    fn end(self) -> Evaluated {
        match self.kind {
            Macro::Filter | Macro::Map => Ok(Value::List(self.found)),
            Macro::ExistsOne => Ok(Value::Bool(self.count == 1)),
            Macro::All | Macro::Exists => match self.undecided {
                Some(error) if !self.is_decided => Err(error),
                Some(_) | None => Ok(Value::Bool(self.is_decided == (self.kind == Macro::Exists))),
            },
        }
    }
}
