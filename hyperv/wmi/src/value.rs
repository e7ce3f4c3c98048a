//! Values of properties and parameters.

use crate::{Instance, ObjectPath};

/// A value of a property or a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// Any whole number; WMI's range from `sint64` to `uint64` fits.
    Integer(i128),
    /// A string, a datetime, or a number as text.
    Text(String),
    /// A reference to another object.
    Reference(ObjectPath),
    /// An instance inside this one.
    Instance(Box<Instance>),
    /// An array.
    List(Vec<Self>),
}

impl Value {
    /// Returns the text of a string; of a number its digits.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Reference(path) => Some(path.to_string()),
            Self::Null | Self::Instance(_) | Self::List(_) => None,
        }
    }

    /// Returns a number, also from its text.
    pub fn to_integer(&self) -> Option<i128> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Returns a truth value, also from its text. Windows writes `TRUE`, WS-Man `true`.
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Self::Text(text) if text == "1" => Some(true),
            Self::Text(text) if text == "0" => Some(false),
            Self::Integer(0) => Some(false),
            Self::Integer(1) => Some(true),
            _ => None,
        }
    }

    /// Returns a reference, also from the text of a path.
    pub fn to_reference(&self) -> Option<ObjectPath> {
        match self {
            Self::Reference(path) => Some(path.clone()),
            Self::Text(text) => ObjectPath::parse(text),
            _ => None,
        }
    }

    /// Returns the values of an array. One value is an array of one, since WS-Man cannot tell
    /// them apart, and none is an empty one.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Null => &[],
            Self::List(values) => values,
            one => std::slice::from_ref(one),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<ObjectPath> for Value {
    fn from(path: ObjectPath) -> Self {
        Self::Reference(path)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

macro_rules! from_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::Integer(i128::from(number))
            }
        }
    )*};
}

from_numbers!(u8, u16, u32, u64, i32, i64);
