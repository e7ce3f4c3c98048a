//! From words to a query.

use wmi::{ObjectPath, WmiError};

use super::tokens::{Token, tokens};
use super::{Associated, Condition, DEPTH_MAX, Literal, Operator, Query, Select, bad_query};

/// Reads a query.
///
/// Errors: `BadQuery`.
pub(crate) fn parse(text: &str) -> Result<Query, WmiError> {
    let mut parser = Parser {
        tokens: tokens(text)?.into_iter().peekable(),
    };
    let query = parser.query()?;
    match parser.tokens.next() {
        None => Ok(query),
        Some(token) => Err(unexpected(Some(token), "its end")),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Parser {
    fn query(&mut self) -> Result<Query, WmiError> {
        if self.skip_word("SELECT") {
            return self.select().map(Query::Select);
        }
        let associators = self.skip_word("ASSOCIATORS");
        if !associators && !self.skip_word("REFERENCES") {
            let next = self.tokens.next();
            return Err(unexpected(next, "SELECT, ASSOCIATORS or REFERENCES"));
        }
        self.expect_word("OF")?;
        let associated = self.associated()?;
        Ok(if associators {
            Query::Associators(associated)
        } else {
            Query::References(associated)
        })
    }

    fn select(&mut self) -> Result<Select, WmiError> {
        let mut columns = Vec::new();
        if self.tokens.next_if_eq(&Token::Star).is_none() {
            columns.push(self.name("a property")?);
            while self.tokens.next_if_eq(&Token::Comma).is_some() {
                columns.push(self.name("a property")?);
            }
        }
        self.expect_word("FROM")?;
        let class = self.name("a class")?;
        let condition = if self.skip_word("WHERE") {
            Some(self.condition(0)?)
        } else {
            None
        };
        Ok(Select {
            columns,
            class,
            condition,
        })
    }

    fn associated(&mut self) -> Result<Associated, WmiError> {
        let Some(Token::Object(path)) = self.tokens.next() else {
            return Err(bad_query("an object path in braces is missing"));
        };
        let object = ObjectPath::parse(&path)
            .ok_or_else(|| bad_query(format!("{path} is not the path of an object")))?;
        let mut associated = Associated {
            object,
            association: None,
            result_class: None,
            role: None,
            result_role: None,
        };
        if self.skip_word("WHERE") {
            self.option(&mut associated)?;
            while self.tokens.peek().is_some() {
                self.option(&mut associated)?;
            }
        }
        Ok(associated)
    }

    fn option(&mut self, associated: &mut Associated) -> Result<(), WmiError> {
        let name = self.name("an option")?;
        let slot = match name.to_ascii_lowercase().as_str() {
            "assocclass" => &mut associated.association,
            "resultclass" => &mut associated.result_class,
            "resultrole" => &mut associated.result_role,
            "role" => &mut associated.role,
            // What is left out is no more than what is asked for here anyway.
            "keysonly" => return Ok(()),
            _ => return Err(bad_query(format!("{name} is not an option"))),
        };
        if self
            .tokens
            .next_if_eq(&Token::Operator(Operator::Equal))
            .is_none()
        {
            return Err(bad_query(format!("{name} has no value")));
        }
        *slot = Some(self.name("a class or a role")?);
        Ok(())
    }

    fn condition(&mut self, depth: usize) -> Result<Condition, WmiError> {
        let mut parts = vec![self.conjunction(depth)?];
        while self.skip_word("OR") {
            parts.push(self.conjunction(depth)?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    fn conjunction(&mut self, depth: usize) -> Result<Condition, WmiError> {
        let mut parts = vec![self.negation(depth)?];
        while self.skip_word("AND") {
            parts.push(self.negation(depth)?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn negation(&mut self, depth: usize) -> Result<Condition, WmiError> {
        if depth > DEPTH_MAX {
            return Err(bad_query("its conditions are nested too deeply"));
        }
        if self.skip_word("NOT") {
            return Ok(Condition::Not(Box::new(self.negation(depth + 1)?)));
        }
        if self.tokens.next_if_eq(&Token::Open).is_some() {
            let inner = self.condition(depth + 1)?;
            return match self.tokens.next() {
                Some(Token::Close) => Ok(inner),
                other => Err(unexpected(other, "a closing parenthesis")),
            };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, WmiError> {
        match self.tokens.next() {
            Some(Token::Word(word)) if truth(&word).is_none() => self.compared(word),
            // A literal may come first: `"on" = State`.
            first => {
                let literal = literal(first)?;
                let operator = mirrored(self.operator()?)?;
                let property = self.name("a property")?;
                Ok(Condition::Compare {
                    property,
                    operator,
                    literal,
                })
            }
        }
    }

    fn compared(&mut self, property: String) -> Result<Condition, WmiError> {
        if self.skip_word("IS") {
            let negated = self.skip_word("NOT");
            self.expect_word("NULL")?;
            return Ok(null_test(property, negated));
        }
        let operator = self.operator()?;
        if self.skip_word("NULL") {
            return match operator {
                Operator::Equal => Ok(null_test(property, false)),
                Operator::NotEqual => Ok(null_test(property, true)),
                _ => Err(bad_query("null has no order")),
            };
        }
        let literal = literal(self.tokens.next())?;
        if operator == Operator::Like && !matches!(literal, Literal::Text(_)) {
            return Err(bad_query("LIKE needs a text"));
        }
        Ok(Condition::Compare {
            property,
            operator,
            literal,
        })
    }

    fn operator(&mut self) -> Result<Operator, WmiError> {
        match self.tokens.next() {
            Some(Token::Operator(operator)) => Ok(operator),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("LIKE") => Ok(Operator::Like),
            other => Err(unexpected(other, "a comparison")),
        }
    }

    fn name(&mut self, what: &str) -> Result<String, WmiError> {
        match self.tokens.next() {
            Some(Token::Word(word)) if !is_keyword(&word) => Ok(word),
            other => Err(unexpected(other, what)),
        }
    }

    fn skip_word(&mut self, wanted: &str) -> bool {
        let is_wanted =
            |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted));
        self.tokens.next_if(is_wanted).is_some()
    }

    fn expect_word(&mut self, wanted: &str) -> Result<(), WmiError> {
        if self.skip_word(wanted) {
            return Ok(());
        }
        let next = self.tokens.next();
        Err(unexpected(next, wanted))
    }
}

fn one_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

fn null_test(property: String, negated: bool) -> Condition {
    let is_null = Condition::IsNull { property };
    if negated {
        Condition::Not(Box::new(is_null))
    } else {
        is_null
    }
}

fn literal(token: Option<Token>) -> Result<Literal, WmiError> {
    match token {
        Some(Token::Text(text)) => Ok(Literal::Text(text)),
        Some(Token::Number(number)) => Ok(Literal::Number(number)),
        Some(Token::Word(word)) => truth(&word)
            .map(Literal::Truth)
            .ok_or_else(|| unexpected(Some(Token::Word(word)), "a literal")),
        other => Err(unexpected(other, "a literal")),
    }
}

fn truth(word: &str) -> Option<bool> {
    if word.eq_ignore_ascii_case("TRUE") {
        Some(true)
    } else if word.eq_ignore_ascii_case("FALSE") {
        Some(false)
    } else {
        None
    }
}

/// Returns what an operator becomes when its sides change places.
fn mirrored(operator: Operator) -> Result<Operator, WmiError> {
    Ok(match operator {
        Operator::Equal => Operator::Equal,
        Operator::NotEqual => Operator::NotEqual,
        Operator::Less => Operator::Greater,
        Operator::Greater => Operator::Less,
        Operator::AtMost => Operator::AtLeast,
        Operator::AtLeast => Operator::AtMost,
        Operator::Like => return Err(bad_query("a pattern stands behind LIKE")),
    })
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 10] = [
        "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IS", "NULL", "LIKE", "OF",
    ];
    KEYWORDS.iter().any(|own| own.eq_ignore_ascii_case(word))
}

fn unexpected(token: Option<Token>, wanted: &str) -> WmiError {
    match token {
        Some(token) => bad_query(format!("{token:?} stands where {wanted} should")),
        None => bad_query(format!("it ends where {wanted} should stand")),
    }
}
