//! Whether an instance answers a condition.

use std::borrow::Cow;
use std::cmp::Ordering;

use wmi::{Instance, ObjectPath, Value};

use super::like::is_like;
use super::{Condition, Literal, Operator};

impl Condition {
    /// Returns whether the condition holds for an instance.
    pub(crate) fn holds(&self, instance: &Instance) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(instance)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(instance)),
            Self::Not(inner) => !inner.holds(instance),
            Self::IsNull { property } => *lookup(instance, property) == Value::Null,
            Self::Compare {
                property,
                operator,
                literal,
            } => compares(&lookup(instance, property), *operator, literal),
        }
    }
}

/// Returns a property by its name: a system property, one of the instance, or with dots one of an
/// instance inside it.
pub(crate) fn lookup<'a>(instance: &'a Instance, name: &str) -> Cow<'a, Value> {
    if let Some(system) = name.strip_prefix("__") {
        return Cow::Owned(system_property(instance, system));
    }
    let mut instance = instance;
    let mut name = name;
    // A property's own name comes first: some contain a dot.
    while !instance.has(name) {
        let Some((first, rest)) = name.split_once('.') else {
            break;
        };
        match instance.value(first) {
            Value::Instance(inner) => instance = inner,
            // `Class.Property` names the class before the property.
            _ if first.eq_ignore_ascii_case(&instance.class) => {}
            _ => break,
        }
        name = rest;
    }
    Cow::Borrowed(instance.value(name))
}

fn system_property(instance: &Instance, name: &str) -> Value {
    let path = instance.path.as_ref();
    let text = match name.to_ascii_uppercase().as_str() {
        "CLASS" => Some(instance.class.clone()),
        "PATH" => path.map(ToString::to_string),
        "RELPATH" => path.map(ObjectPath::relative),
        "NAMESPACE" => path.map(|path| path.namespace().to_owned()),
        "SERVER" => path.and_then(ObjectPath::host).map(ToOwned::to_owned),
        _ => None,
    };
    text.map_or(Value::Null, Value::Text)
}

/// Compares; what has no order with the literal, as a list or null, is neither equal nor unequal.
fn compares(value: &Value, operator: Operator, literal: &Literal) -> bool {
    if operator == Operator::Like {
        let Literal::Text(pattern) = literal else {
            return false;
        };
        return value.to_text().is_some_and(|text| is_like(&text, pattern));
    }
    let Some(order) = order(value, literal) else {
        return false;
    };
    match operator {
        Operator::Equal => order == Ordering::Equal,
        Operator::NotEqual => order != Ordering::Equal,
        Operator::Less => order == Ordering::Less,
        Operator::Greater => order == Ordering::Greater,
        Operator::AtMost => order != Ordering::Greater,
        Operator::AtLeast => order != Ordering::Less,
        Operator::Like => false,
    }
}

fn order(value: &Value, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::Null | Value::Instance(_) | Value::List(_), _) => None,
        (Value::Reference(own), Literal::Text(text)) => {
            let same = ObjectPath::parse(text).is_some_and(|path| path == *own);
            Some(if same {
                Ordering::Equal
            } else {
                Ordering::Less
            })
        }
        (Value::Bool(own), other) => {
            let other = match other {
                Literal::Truth(truth) => Some(*truth),
                Literal::Number(number) => Some(*number != 0),
                Literal::Text(text) => Value::from(text.as_str()).to_bool(),
            };
            Some(own.cmp(&other?))
        }
        (own, Literal::Number(number)) => Some(own.to_integer()?.cmp(number)),
        (own, Literal::Truth(truth)) => Some(own.to_bool()?.cmp(truth)),
        (Value::Integer(own), Literal::Text(text)) => {
            Some(own.cmp(&text.trim().parse::<i128>().ok()?))
        }
        (own, Literal::Text(text)) => Some(own.to_text()?.to_lowercase().cmp(&text.to_lowercase())),
    }
}
