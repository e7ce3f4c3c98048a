//! The letter that a drive gets on Windows.

/// Returns the first letter that is free, from the end of the alphabet on as Windows itself does for
/// shares. A, B and C are never given: they mean diskettes and the system.
pub fn free_letter(taken: impl IntoIterator<Item = char>) -> Option<char> {
    let taken: Vec<char> = taken
        .into_iter()
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    ('D'..='Z').rev().find(|letter| !taken.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_free_letter_is_given() {
        assert_eq!(free_letter(['C', 'D']), Some('Z'));
        assert_eq!(free_letter(['z', 'Y']), Some('X'));
    }

    #[test]
    fn the_letters_of_diskettes_and_the_system_are_never_given() {
        assert_eq!(free_letter('D'..='Z'), None);
        assert_eq!(free_letter('E'..='Z'), Some('D'));
    }
}
