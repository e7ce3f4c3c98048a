//! Text of others on a terminal: names, labels and errors out of guests and hosts may hold what a
//! terminal takes for commands, or what turns the letters around. It is written in digits, in this
//! one place.

use std::borrow::Cow;

/// Writes what a terminal would act on as `\u{1b}`; new lines and tabs stay.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, |letter| {
        acts(letter) && !matches!(letter, '\n' | '\t')
    })
}

/// Writes what a terminal would act on in digits, and new lines and tabs as `\n` and `\t`: for a part
/// of a line.
pub(super) fn in_one_line(text: &str) -> Cow<'_, str> {
    escape(text, acts)
}

fn escape(text: &str, is_bad: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match is_bad(letter) {
            true => escaped.extend(letter.escape_default()),
            false => escaped.push(letter),
        }
    }
    Cow::Owned(escaped)
}

/// Returns whether a terminal does something else with it than to show it: control characters, and
/// those that begin lines or change which way text runs.
fn acts(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_written_in_digits() {
        assert_eq!(escaped("a\u{1b}[2Jb\u{9b}c\r"), "a\\u{1b}[2Jb\\u{9b}c\\r");
        assert_eq!(escaped("Zürich 日本 🙂\n\tx"), "Zürich 日本 🙂\n\tx");
        assert_eq!(in_one_line("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(in_one_line("exe.\u{202e}fdp"), "exe.\\u{202e}fdp");
        assert!(matches!(escaped("plain"), Cow::Borrowed(_)));
    }
}
