//! Operators over two values.

use std::cmp::Ordering;

use super::EvaluateError;
use crate::property::Value;

/// An operator that needs both of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(super) fn apply(self, left: &Value, right: &Value) -> Result<Value, EvaluateError> {
        let compared =
            |holds: fn(Ordering) -> bool| Ok(Value::Bool(ordered(left, right)?.is_some_and(holds)));
        match self {
            Self::Equal => Ok(Value::Bool(equal(left, right))),
            Self::Unequal => Ok(Value::Bool(!equal(left, right))),
            Self::Less => compared(Ordering::is_lt),
            Self::LessOrEqual => compared(Ordering::is_le),
            Self::Greater => compared(Ordering::is_gt),
            Self::GreaterOrEqual => compared(Ordering::is_ge),
            Self::In => contains(right, left).map(Value::Bool),
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder => {
                self.calculate(left, right)
            }
        }
    }

    fn calculate(self, left: &Value, right: &Value) -> Result<Value, EvaluateError> {
        match (left, right) {
            (Value::Int(left), Value::Int(right)) => self.signed(*left, *right).map(Value::Int),
            (Value::Uint(left), Value::Uint(right)) => {
                self.unsigned(*left, *right).map(Value::Uint)
            }
            (Value::Double(left), Value::Double(right)) => {
                self.float(*left, *right).map(Value::Double)
            }
            (Value::Timestamp(left), Value::Duration(right)) if self.is_sum() => {
                self.signed(*left, *right).map(Value::Timestamp)
            }
            (Value::Duration(left), Value::Timestamp(right)) if self == Self::Add => {
                self.signed(*left, *right).map(Value::Timestamp)
            }
            (Value::Duration(left), Value::Duration(right)) if self.is_sum() => {
                self.signed(*left, *right).map(Value::Duration)
            }
            (Value::Timestamp(left), Value::Timestamp(right)) if self == Self::Subtract => {
                self.signed(*left, *right).map(Value::Duration)
            }
            (Value::String(left), Value::String(right)) if self == Self::Add => {
                Ok(Value::String([&left[..], right].concat().into()))
            }
            (Value::Bytes(left), Value::Bytes(right)) if self == Self::Add => {
                Ok(Value::Bytes([&left[..], right].concat().into()))
            }
            (Value::List(left), Value::List(right)) if self == Self::Add => {
                Ok(Value::List([&left[..], right].concat()))
            }
            _ => Err(EvaluateError::NoOverload),
        }
    }

    fn is_sum(self) -> bool {
        matches!(self, Self::Add | Self::Subtract)
    }

    fn signed(self, left: i64, right: i64) -> Result<i64, EvaluateError> {
        let result = match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide | Self::Remainder if right == 0 => {
                return Err(EvaluateError::DivisionByZero);
            }
            Self::Divide => left.checked_div(right),
            Self::Remainder => left.checked_rem(right),
            _ => return Err(EvaluateError::NoOverload),
        };
        result.ok_or(EvaluateError::Range)
    }

    fn unsigned(self, left: u64, right: u64) -> Result<u64, EvaluateError> {
        let result = match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide | Self::Remainder if right == 0 => {
                return Err(EvaluateError::DivisionByZero);
            }
            Self::Divide => left.checked_div(right),
            Self::Remainder => left.checked_rem(right),
            _ => return Err(EvaluateError::NoOverload),
        };
        result.ok_or(EvaluateError::Range)
    }

    fn float(self, left: f64, right: f64) -> Result<f64, EvaluateError> {
        match self {
            Self::Add => Ok(left + right),
            Self::Subtract => Ok(left - right),
            Self::Multiply => Ok(left * right),
            Self::Divide => Ok(left / right),
            _ => Err(EvaluateError::NoOverload),
        }
    }
}

/// Whether two values are equal. Numbers of different kinds compare by their value; other values
/// of different kinds are unequal.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    if let Ok(order) = numbers(left, right) {
        return order == Some(Ordering::Equal);
    }
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(a, b)| equal(a, b))
        }
        (Value::Map(left), Value::Map(right)) => {
            let held = |(key, value): &(_, Value)| {
                right
                    .iter()
                    .any(|(other, theirs)| key == other && equal(value, theirs))
            };
            left.len() == right.len() && left.iter().all(held)
        }
        _ => left == right,
    }
}

/// `None` for what has no order: a number that is none.
fn ordered(left: &Value, right: &Value) -> Result<Option<Ordering>, EvaluateError> {
    if let Ok(order) = numbers(left, right) {
        return Ok(order);
    }
    match (left, right) {
        (Value::String(left), Value::String(right)) | (Value::Bytes(left), Value::Bytes(right)) => {
            Ok(Some(left.cmp(right)))
        }
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
        (Value::Timestamp(left), Value::Timestamp(right))
        | (Value::Duration(left), Value::Duration(right)) => Ok(Some(left.cmp(right))),
        _ => Err(EvaluateError::NoOverload),
    }
}

/// Not both values are numbers.
struct NotNumbers;

/// `None` for numbers without an order.
fn numbers(left: &Value, right: &Value) -> Result<Option<Ordering>, NotNumbers> {
    let whole = |value: &Value| match value {
        Value::Int(number) => Ok(i128::from(*number)),
        Value::Uint(number) => Ok(i128::from(*number)),
        _ => Err(NotNumbers),
    };
    match (left, right) {
        (Value::Double(left), Value::Double(right)) => Ok(left.partial_cmp(right)),
        (Value::Double(left), right) => {
            Ok(whole_to_float(whole(right)?, *left).map(Ordering::reverse))
        }
        (left, Value::Double(right)) => Ok(whole_to_float(whole(left)?, *right)),
        (left, right) => Ok(Some(whole(left)?.cmp(&whole(right)?))),
    }
}

/// Exact: a 64-bit number need not have a float that equals it.
fn whole_to_float(whole: i128, float: f64) -> Option<Ordering> {
    /// 2^100 is above every number of 64 bits, and a float.
    const FAR: f64 = 1_267_650_600_228_229_401_496_703_205_376.0;
    if float.is_nan() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped far inside the range of i128"
    )]
    let floor = float.floor().clamp(-FAR, FAR) as i128;
    let has_fraction = float.is_finite() && float.fract() != 0.0;
    let order = whole.cmp(&floor);
    Some(if order.is_eq() && has_fraction {
        Ordering::Less
    } else {
        order
    })
}

fn contains(container: &Value, wanted: &Value) -> Result<bool, EvaluateError> {
    match (container, wanted) {
        (Value::List(elements), wanted) => {
            Ok(elements.iter().any(|element| equal(element, wanted)))
        }
        (Value::Map(entries), Value::String(key)) => {
            Ok(entries.iter().any(|(known, _)| known == key))
        }
        // Maps of attributes and literals have text for keys.
        (Value::Map(_), Value::Int(_) | Value::Uint(_) | Value::Bool(_)) => Ok(false),
        _ => Err(EvaluateError::NoOverload),
    }
}
