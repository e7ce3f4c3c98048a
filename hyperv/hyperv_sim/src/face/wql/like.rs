//! `LIKE`: patterns of texts.

/// A part of a pattern that stands for one character, or for any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `%`
    Any,
    /// `_`
    One,
    /// `[a-f]`, `[^a-f]`, or one character.
    Of {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

impl Part {
    fn fits(&self, character: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Of { ranges, negated } => {
                let inside = |(first, last): &(char, char)| (*first..=*last).contains(&character);
                ranges.iter().any(inside) != *negated
            }
        }
    }
}

/// Returns whether a text is like a pattern. Takes time proportional to the product of both
/// lengths at most.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let parts = parts(&pattern.to_lowercase());
    let (mut at, mut part) = (0, 0);
    // Where to go on when what follows the last `%` does not fit.
    let mut again: Option<(usize, usize)> = None;
    while let Some(character) = text.get(at) {
        match parts.get(part) {
            Some(Part::Any) => {
                again = Some((at, part + 1));
                part += 1;
            }
            Some(one) if one.fits(*character) => {
                at += 1;
                part += 1;
            }
            _ => match again {
                Some((from, after)) => {
                    again = Some((from + 1, after));
                    at = from + 1;
                    part = after;
                }
                None => return false,
            },
        }
    }
    let rest = parts.get(part..).unwrap_or_default();
    rest.iter().all(|part| *part == Part::Any)
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        parts.push(match character {
            '%' => Part::Any,
            '_' => Part::One,
            '[' => match set(rest.as_str()) {
                Some((part, after)) => {
                    rest = after.chars();
                    part
                }
                None => exactly('['),
            },
            other => exactly(other),
        });
    }
    parts
}

fn exactly(character: char) -> Part {
    Part::Of {
        ranges: vec![(character, character)],
        negated: false,
    }
}

/// Reads what follows `[` up to `]`.
fn set(text: &str) -> Option<(Part, &str)> {
    let (inside, after) = text.split_once(']')?;
    let (inside, negated) = match inside.strip_prefix('^') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let mut ranges = Vec::new();
    let mut characters = inside.chars().peekable();
    while let Some(first) = characters.next() {
        let last = if characters.peek() == Some(&'-') {
            characters.next();
            // A dash at the end is one.
            characters.next().unwrap_or_else(|| {
                ranges.push(('-', '-'));
                first
            })
        } else {
            first
        };
        ranges.push((first, last));
    }
    Some((Part::Of { ranges, negated }, after))
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn patterns_fit_as_the_reference_says() {
        for (text, pattern, expected) in [
            ("SQL01", "sql%", true),
            ("SQL01", "%01", true),
            ("SQL01", "%Q%1", true),
            ("SQL01", "SQL_1", true),
            ("SQL01", "SQL_", false),
            ("SQL01", "SQL[0-9]1", true),
            ("SQL01", "SQL[^0-9]1", false),
            ("SQLx1", "SQL[^0-9]1", true),
            ("a-b", "a[x-]b", true),
            ("a_b", "a[_]b", true),
            ("axb", "a[_]b", false),
            ("a[b", "a[b", true),
            ("", "%", true),
            ("", "", true),
            ("a", "", false),
            ("ab%", "ab[%]", true),
            ("Größe", "gRÖ%", true),
        ] {
            assert_eq!(
                is_like(text, pattern),
                expected,
                "{text:?} LIKE {pattern:?}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let text = "a".repeat(4000);
        let pattern = format!("{}b", "%a".repeat(500));
        assert!(!is_like(&text, &pattern));
    }
}
