//! What can be told in a line of any language: GUIDs, and numbers in brackets.

use uuid::Uuid;

/// Something told in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// `{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}`
    Guid(Uuid),
    /// `[5]`
    Number(u32),
}

/// Characters of a GUID between its braces.
const GUID_LENGTH: usize = 36;
/// Digits of a state, at most.
const DIGITS_MAX: usize = 4;

/// Returns the tokens of a line, in order, each with what follows it.
pub(super) fn tokens(line: &str) -> impl Iterator<Item = (Token, &str)> {
    line.match_indices(['{', '['])
        .filter_map(move |(at, opening)| {
            let rest = line.get(at + 1..)?;
            match opening {
                "{" => guid(rest),
                _ => number(rest),
            }
        })
}

fn guid(rest: &str) -> Option<(Token, &str)> {
    let (text, after) = (rest.get(..GUID_LENGTH)?, rest.get(GUID_LENGTH..)?);
    let after = after.strip_prefix('}')?;
    // Of the forms that are taken only the one with hyphens has this length.
    let id = Uuid::try_parse(text).ok()?;
    Some((Token::Guid(id), after))
}

fn number(rest: &str) -> Option<(Token, &str)> {
    let (text, after) = rest.split_once(']')?;
    let is_number = (1..=DIGITS_MAX).contains(&text.len());
    let number = text.parse().ok().filter(|_| is_number)?;
    Some((Token::Number(number), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_and_numbers_are_found_wherever_they_stand() {
        let line = "a {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de} [5] b {no} [x] [] [12345] {";
        let found: Vec<_> = tokens(line).map(|(token, _)| token).collect();
        let id = uuid::uuid!("66841cd4-6ded-4f4b-8f17-fd23f8ddc3de");
        assert_eq!(found, [Token::Guid(id), Token::Number(5)]);
        let (_, after) = tokens("State: [1] Stable").next().unwrap();
        assert_eq!(after, " Stable");
    }

    #[test]
    fn what_ends_in_the_middle_is_no_token() {
        for line in ["{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de", "[5", "{ü", "[ü]"] {
            let found: Vec<_> = tokens(line).map(|(token, _)| token).collect();
            assert!(found.is_empty(), "{line}: {found:?}");
        }
    }
}
