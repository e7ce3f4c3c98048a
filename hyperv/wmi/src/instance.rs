//! An instance of a class.

use jiff::Timestamp;

use crate::{ObjectPath, Value, WmiError, WmiErrorKind, key_properties};

/// An instance of a class, as a host described it at one moment: it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Instance {
    /// Name of the class.
    pub class: String,
    /// Where it can be had again, where the transport said so.
    pub path: Option<ObjectPath>,
    properties: Vec<(String, Value)>,
}

impl Instance {
    /// Makes an instance without properties.
    pub fn new(class: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            path: None,
            properties: Vec::new(),
        }
    }

    /// Sets a property.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a property; one of this name is replaced.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self
            .properties
            .iter_mut()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
        {
            Some((_, own)) => *own = value,
            None => self.properties.push((name.to_owned(), value)),
        }
    }

    /// Returns all properties, in the order they came.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.properties
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Returns a property; what is not there is `Null`.
    pub fn value(&self, name: &str) -> &Value {
        self.properties
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map_or(&Value::Null, |(_, value)| value)
    }

    /// Returns whether the class has the property at all, even without a value.
    pub fn has(&self, name: &str) -> bool {
        self.properties
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// Returns a string that is not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name).to_text().filter(|text| !text.is_empty())
    }

    /// Returns a string, or an error that names the property.
    pub fn required_text(&self, name: &str) -> Result<String, WmiError> {
        self.text(name).ok_or_else(|| self.lacks(name, "a text"))
    }

    /// Returns a number of any width, where it fits `T`.
    pub fn number<T: TryFrom<i128>>(&self, name: &str) -> Option<T> {
        T::try_from(self.value(name).to_integer()?).ok()
    }

    /// Returns a number, or an error that names the property.
    pub fn required_number<T: TryFrom<i128>>(&self, name: &str) -> Result<T, WmiError> {
        self.number(name)
            .ok_or_else(|| self.lacks(name, "a number that fits"))
    }

    /// Returns a truth value; what is not there is false.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name).to_bool().unwrap_or(false)
    }

    /// Returns the texts of an array.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.value(name)
            .items()
            .iter()
            .filter_map(Value::to_text)
            .collect()
    }

    /// Returns the numbers of an array, without those that do not fit.
    pub fn numbers<T: TryFrom<i128>>(&self, name: &str) -> Vec<T> {
        let items = self.value(name).items().iter();
        items
            .filter_map(|value| T::try_from(value.to_integer()?).ok())
            .collect()
    }

    /// Returns a time: CIM's `20261121042200.000000+060` as WMI writes it, or RFC 3339 as WS-Man
    /// does (DSP0004 section 5.2.4).
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        parse_time(&self.text(name)?)
    }

    /// Returns where the instance can be had again: the path that came with it, or one made of the
    /// keys of its class in `namespace`.
    pub fn object_path(&self, namespace: &str) -> Result<ObjectPath, WmiError> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let mut path = ObjectPath::new(namespace, &self.class);
        for key in key_properties(&self.class) {
            path = path.with_key(key, self.required_text(key)?);
        }
        Ok(path)
    }

    fn lacks(&self, name: &str, expected: &str) -> WmiError {
        let what = format!(
            "{} came without {name}, or it is not {expected}",
            self.class
        );
        WmiError::new(WmiErrorKind::Protocol, what)
    }
}

/// Reads a CIM datetime or one of RFC 3339.
fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    // yyyymmddHHMMSS.mmmmmmsutc, the offset in minutes.
    let digits = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let offset = match text.get(21..22)? {
        "+" => digits(22..25)?,
        "-" => -digits(22..25)?,
        _ => return None,
    };
    let part = |range| i8::try_from(digits(range)?).ok();
    let date = jiff::civil::Date::new(i16::try_from(digits(0..4)?).ok()?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(8..10)?, part(10..12)?, part(12..14)?);
    let nanosecond = i32::try_from(digits(15..21)?).ok()? * 1000;
    let time = jiff::civil::Time::new(hour, minute, second, nanosecond).ok()?;
    let offset = jiff::tz::Offset::from_seconds(i32::try_from(offset * 60).ok()?).ok()?;
    offset.to_timestamp(date.ok()?.to_datetime(time)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_truths_are_read_from_text_too() {
        let instance = Instance::new("Msvm_X")
            .with("Size", "18446744073709551615")
            .with("On", "TRUE")
            .with("One", 5_u16)
            .with("Many", vec![1_u16, 70_000_u32.try_into().unwrap_or(9)]);
        assert_eq!(instance.number::<u64>("size"), Some(u64::MAX));
        assert_eq!(instance.number::<u16>("Size"), None);
        assert!(instance.flag("on"));
        assert!(!instance.flag("absent"));
        assert_eq!(instance.numbers::<u16>("One"), [5]);
        assert_eq!(instance.numbers::<u16>("Many"), [1, 9]);
        let error = instance.required_text("Name").unwrap_err();
        assert!(error.to_string().contains("Name"), "{error}");
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let at = |text: &str| Instance::new("X").with("T", text).time("T");
        let expected: Timestamp = "2026-11-21T03:22:00.5Z".parse().unwrap();
        assert_eq!(at("20261121042200.500000+060"), Some(expected));
        assert_eq!(at("2026-11-21T04:22:00.5+01:00"), Some(expected));
        for bad in [
            "",
            "2026",
            "99999999999999.000000+000",
            "ééééééééééééééééééééééééé",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
