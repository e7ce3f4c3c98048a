//! Times and intervals: CIM's form (DSP0004 section 5.2.4) to that of XML.

use std::time::Duration;

use super::{Element, names};
use crate::Instance;

/// Writes the text of a CIM datetime as `cim:Datetime` or `cim:Interval`; `None` where the text is
/// not one. No string of another meaning has this form: 25 characters, a dot and a sign.
///
/// Contract: 0.5 [M]
pub(super) fn datetime_element(text: &str) -> Option<Element> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes
            .get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    if bytes.len() != 25 || bytes.get(14) != Some(&b'.') {
        return None;
    }
    if !(digits(0..14) && digits(15..21) && digits(22..25)) {
        return None;
    }
    let element = |name: &str, text: String| Element::new(names::CIM, name).with_text(text);
    if bytes.get(21) == Some(&b':') {
        return interval(text).map(|interval| element("Interval", interval));
    }
    let time = Instance::new("").with("T", text).time("T")?;
    Some(element("Datetime", time.to_string()))
}

/// Writes `ddddddddhhmmss.mmmmmm:000` as a duration of XML Schema.
fn interval(text: &str) -> Option<String> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let (days, hours) = (part(0..8)?, part(8..10)?);
    let (minutes, seconds, fraction) = (part(10..12)?, part(12..14)?, part(15..21)?);
    let fraction = match fraction {
        0 => String::new(),
        microseconds => {
            let whole = Duration::from_micros(microseconds.into()).as_micros();
            format!(".{whole:06}")
        }
    };
    Some(format!("P{days}DT{hours}H{minutes}M{seconds}{fraction}S"))
}

/// Returns the text of `cim:Datetime` and its kin inside a property, with or without namespace
/// (a projection comes without).
pub(super) fn datetime_text(property: &Element) -> Option<&str> {
    const NAMES: [&str; 4] = ["Datetime", "Interval", "Date", "Time"];
    let [only] = &property.children[..] else {
        return None;
    };
    let known = &*only.namespace == names::CIM || only.namespace.is_empty();
    (known && NAMES.contains(&&*only.name) && only.children.is_empty()).then(|| only.text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Option<(String, String)> {
        datetime_element(text).map(|element| (element.name.to_string(), element.text))
    }

    #[test]
    fn times_and_intervals_take_the_form_of_xml() {
        let time = written("20261121042200.500000+060").unwrap();
        assert_eq!(
            time,
            ("Datetime".to_owned(), "2026-11-21T03:22:00.5Z".to_owned())
        );
        let interval = written("00000000000500.000000:000").unwrap();
        assert_eq!(interval, ("Interval".to_owned(), "P0DT0H5M0S".to_owned()));
        let (_, fraction) = written("00000002030405.000600:000").unwrap();
        assert_eq!(fraction, "P2DT3H4M5.000600S");
    }

    #[test]
    fn other_texts_stay_texts() {
        for text in [
            "",
            "2026",
            "20261121042200.500000?060",
            "99999999999999.999999+999",
            "2026112104220a.500000+060",
            "éééééééééééé.",
        ] {
            assert_eq!(written(text), None, "{text}");
        }
    }
}
