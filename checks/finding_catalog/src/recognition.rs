//! Finds pages by what Windows, Hyper-V and other programs say.

use crate::result_code::named_in;
use crate::{Explanation, ResultCode, all, find, of_return_code, result_code};

/// Most of a text that is looked at, in bytes.
const TEXT_MAX_BYTES: usize = 64 << 10;
/// Most numbers that are looked at.
const NUMBERS_MAX: usize = 256;
/// Return values of Hyper-V's methods (contract 0.2).
const RETURN_VALUES: std::ops::RangeInclusive<u32> = 32768..=32780;

/// A page that explains a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognized {
    /// The page.
    pub page: &'static Explanation,
    /// By what it was found.
    pub sign: Sign,
}

/// By what a page was found, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Its code or id.
    Name,
    /// A part of a message.
    Phrase(&'static str),
    /// An `HRESULT`, its name, or an error number of Windows.
    Code(ResultCode),
    /// What a method of Hyper-V returned.
    ReturnValue(u32),
    /// An event's number.
    Event(u32),
}

/// Finds the pages that explain a text, the surest first, each once: a code or an id of ours, a
/// message in any case and with any names in it, `0x80042336`, `VSS_E_…`, `32775`, `event 10172`,
/// an event as XML. At most 64 KiB are looked at.
pub fn recognize(text: &str) -> Vec<Recognized> {
    let text = bounded(text.trim());
    let mut found: Vec<Recognized> = Vec::new();
    let mut add = |page: &'static Explanation, sign: Sign| {
        if found.iter().all(|own| own.page.code != page.code) {
            found.push(Recognized { page, sign });
        }
    };
    if let Some(page) = find(text) {
        add(page, Sign::Name);
    }
    let lower = flat(text);
    let mut phrases: Vec<(&'static Explanation, &'static str)> = all()
        .flat_map(|page| page.phrases.iter().map(move |phrase| (page, *phrase)))
        .filter(|(_, phrase)| says(&lower, phrase))
        .collect();
    // What more is said in is meant more likely.
    phrases.sort_by_key(|(_, phrase)| std::cmp::Reverse(phrase.len()));
    for (page, phrase) in phrases {
        add(page, Sign::Phrase(phrase));
    }
    let numbers = numbers(&lower);
    for code in numbers.iter().filter(|number| number.is_code(&lower)) {
        if let Some(code) = result_code(code.value) {
            add(code.page, Sign::Code(code));
        }
    }
    if let Some(code) = named_in(&lower.to_ascii_uppercase()) {
        add(code.page, Sign::Code(code));
    }
    for number in &numbers {
        if RETURN_VALUES.contains(&number.value)
            && let Some(page) = of_return_code(number.value)
        {
            add(page, Sign::ReturnValue(number.value));
        }
    }
    for number in numbers.iter().filter(|number| number.is_event(&lower)) {
        for page in all().filter(|page| page.events.contains(&number.value)) {
            add(page, Sign::Event(number.value));
        }
    }
    found
}

fn bounded(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Lower case, one blank between words, and one sort of quotation marks.
fn flat(text: &str) -> String {
    let mut flat = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !flat.is_empty() {
            flat.push(' ');
        }
        flat.extend(word.chars().map(|character| match character {
            '“' | '”' | '„' | '«' | '»' => '"',
            '‘' | '’' => '\'',
            other => other.to_ascii_lowercase(),
        }));
    }
    flat
}

/// Returns whether a text has all parts of a phrase, in their order.
fn says(lower: &str, phrase: &str) -> bool {
    let mut rest = lower;
    phrase.split('…').map(str::trim).all(|part| {
        let found = rest.split_once(part);
        if let Some((_, behind)) = found {
            rest = behind;
        }
        found.is_some()
    })
}

/// A number in a text.
#[derive(Debug, Clone, Copy)]
struct Number {
    value: u32,
    /// Written as `0x…`, or as a negative `HRESULT`.
    is_result: bool,
    /// Where it begins.
    at: usize,
    /// Nothing else is in the text.
    is_alone: bool,
}

impl Number {
    fn is_code(&self, lower: &str) -> bool {
        self.is_result || self.is_alone || self.follows(lower, &["error", "code", "hr ="])
    }

    fn is_event(&self, lower: &str) -> bool {
        !self.is_result && (self.is_alone || self.follows(lower, &["event", "eventid", "ereignis"]))
    }

    /// Returns whether one of these words stands shortly before.
    fn follows(&self, lower: &str, words: &[&str]) -> bool {
        const NEAR_BYTES: usize = 48;
        let mut begin = self.at.saturating_sub(NEAR_BYTES);
        while !lower.is_char_boundary(begin) {
            begin -= 1;
        }
        let before = lower.get(begin..self.at).unwrap_or_default();
        words.iter().any(|word| before.contains(word))
    }
}

fn numbers(lower: &str) -> Vec<Number> {
    let mut found = Vec::new();
    let is_part = |character: char| character.is_ascii_alphanumeric();
    let mut at = 0;
    for token in lower.split(|character: char| !is_part(character)) {
        let begin = at;
        // Whatever ends a token is one character of whatever length.
        at += token.len();
        at += lower
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        let before = lower.get(..begin).unwrap_or_default();
        let is_negative = before.ends_with('-') && !before.trim_end_matches('-').ends_with(is_part);
        let hex = token.strip_prefix("0x").filter(|digits| digits.len() <= 8);
        let (value, is_result) = match hex {
            Some(digits) => (u32::from_str_radix(digits, 16).ok(), true),
            None if is_negative => {
                let value = token.parse::<i64>().ok().map(|value| -value);
                let value = value.and_then(|value| i32::try_from(value).ok());
                (value.map(i32::cast_unsigned), true)
            }
            None if token.len() == 8 && token == lower => {
                (u32::from_str_radix(token, 16).ok(), true)
            }
            None => (token.parse().ok(), false),
        };
        let Some(value) = value else { continue };
        let is_alone = token == lower;
        found.push(Number {
            value,
            is_result,
            at: begin,
            is_alone,
        });
        if found.len() == NUMBERS_MAX {
            break;
        }
    }
    found
}
