//! From tokens to an expression.
//!
//! Invariant: neither the parser's recursion nor the depth of what it returns exceeds its limit.

use weir_model::limits;

use super::token::{Token, Tokens};
use super::{CompileError, Expression, Operator};
use crate::property::Value;

mod operand;

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Expression, CompileError> {
    let mut tokens = Tokens::of(text);
    let (token, at) = tokens.next()?;
    let mut parser = Parser {
        tokens,
        token,
        at,
        nesting: 0,
    };
    let whole = parser.expression()?;
    match parser.token {
        Token::End => Ok(whole.expression),
        _ => Err(parser.error("the end of the expression")),
    }
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    token: Token<'t>,
    at: usize,
    nesting: usize,
}

/// An expression and its depth.
struct Tree {
    expression: Expression,
    depth: usize,
}

type Parsed = Result<Tree, CompileError>;

/// How strong an operator binds, and its symbol.
const OPERATORS: [(usize, &str, Operator); 11] = [
    (0, "==", Operator::Equal),
    (0, "!=", Operator::Unequal),
    (0, "<=", Operator::LessOrEqual),
    (0, ">=", Operator::GreaterOrEqual),
    (0, "<", Operator::Less),
    (0, ">", Operator::Greater),
    (1, "+", Operator::Add),
    (1, "-", Operator::Subtract),
    (2, "*", Operator::Multiply),
    (2, "/", Operator::Divide),
    (2, "%", Operator::Remainder),
];

impl Parser<'_> {
    fn expression(&mut self) -> Parsed {
        self.nesting += 1;
        if self.nesting > limits::EXPRESSION_NESTING_MAX {
            return Err(CompileError::TooDeep { at: self.at });
        }
        let (mut cases, mut depth) = (Vec::new(), 0);
        let otherwise = loop {
            let condition = self.joined("||", Expression::Any)?;
            depth = depth.max(condition.depth);
            if !self.accept("?")? {
                break condition;
            }
            let value = self.joined("||", Expression::Any)?;
            self.expect(":", "a colon")?;
            depth = depth.max(value.depth);
            cases.push((condition.expression, value.expression));
        };
        self.nesting -= 1;
        if cases.is_empty() {
            return Ok(otherwise);
        }
        self.tree(
            Expression::Conditional(cases, Box::new(otherwise.expression)),
            depth,
        )
    }

    /// Operands of `||`, each of which is operands of `&&`: long chains are flat, not deep.
    fn joined(&mut self, symbol: &str, join: fn(Vec<Expression>) -> Expression) -> Parsed {
        let first = self.operand_of(symbol)?;
        if self.token != Token::Symbol("||") && self.token != Token::Symbol("&&") {
            return Ok(first);
        }
        let (mut operands, mut depth) = (vec![first.expression], first.depth);
        while self.accept(symbol)? {
            let next = self.operand_of(symbol)?;
            depth = depth.max(next.depth);
            operands.push(next.expression);
        }
        match operands.len() {
            1 => Ok(Tree {
                expression: operands.remove(0),
                depth,
            }),
            _ => self.tree(join(operands), depth),
        }
    }

    fn operand_of(&mut self, symbol: &str) -> Parsed {
        if symbol == "||" {
            self.joined("&&", Expression::All)
        } else {
            self.binary(0)
        }
    }

    /// Operands joined by operators that bind at least so strongly.
    fn binary(&mut self, weakest: usize) -> Parsed {
        let mut left = self.unary()?;
        while let Some((strength, operator)) = self.operator()
            && strength >= weakest
        {
            self.advance()?;
            let right = self.binary(strength + 1)?;
            let depth = left.depth.max(right.depth);
            let operands = Box::new([left.expression, right.expression]);
            left = self.tree(Expression::Binary(operator, operands), depth)?;
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(usize, Operator)> {
        match self.token {
            Token::Symbol(symbol) => {
                let found = OPERATORS.iter().find(|(_, known, _)| *known == symbol);
                found.map(|(strength, _, operator)| (*strength, *operator))
            }
            Token::Identifier("in") => Some((0, Operator::In)),
            _ => None,
        }
    }

    fn unary(&mut self) -> Parsed {
        let (mut negations, mut minuses) = (0_usize, 0_usize);
        while self.accept("!")? {
            negations += 1;
        }
        while negations == 0 && self.accept("-")? {
            minuses += 1;
        }
        if minuses % 2 == 1
            && let Token::Int(magnitude) = self.token
        {
            let number = 0_i64.checked_sub_unsigned(magnitude);
            let number = number.ok_or_else(|| self.error("a number of at most 64 bits"))?;
            self.advance()?;
            return self.members(literal(Value::Int(number)));
        }
        let operand = self.primary()?;
        let operand = self.members(operand)?;
        let Tree { expression, depth } = operand;
        // Two of a kind still demand the right kind of operand.
        match (negations, minuses) {
            (0, 0) => Ok(Tree { expression, depth }),
            (0, minuses) => {
                let once = self.tree(Expression::Negative(Box::new(expression)), depth)?;
                self.repeat(once, minuses % 2 == 0, Expression::Negative)
            }
            (negations, _) => {
                let once = self.tree(Expression::Not(Box::new(expression)), depth)?;
                self.repeat(once, negations % 2 == 0, Expression::Not)
            }
        }
    }

    fn repeat(&self, once: Tree, is_even: bool, wrap: fn(Box<Expression>) -> Expression) -> Parsed {
        if is_even {
            self.tree(wrap(Box::new(once.expression)), once.depth)
        } else {
            Ok(once)
        }
    }

    /// An expression one deeper than what is in it.
    fn tree(&self, expression: Expression, inner: usize) -> Parsed {
        let depth = inner + 1;
        if depth > limits::EXPRESSION_DEPTH_MAX {
            return Err(CompileError::TooDeep { at: self.at });
        }
        Ok(Tree { expression, depth })
    }

    fn advance(&mut self) -> Result<(), CompileError> {
        (self.token, self.at) = self.tokens.next()?;
        Ok(())
    }

    fn accept(&mut self, symbol: &str) -> Result<bool, CompileError> {
        let is_there = matches!(self.token, Token::Symbol(found) if found == symbol);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    fn expect(&mut self, symbol: &str, expected: &'static str) -> Result<(), CompileError> {
        if self.accept(symbol)? {
            Ok(())
        } else {
            Err(self.error(expected))
        }
    }

    fn error(&self, expected: &'static str) -> CompileError {
        CompileError::Syntax {
            at: self.at,
            expected,
        }
    }
}

fn literal(value: Value) -> Tree {
    Tree {
        expression: Expression::Literal(value),
        depth: 1,
    }
}
