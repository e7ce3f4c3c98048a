//! Versions such as 22.04.

/// A version: its first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemVersion {
    /// The first number.
    pub major: u32,
    /// The second, or 0.
    pub minor: u32,
}

impl SystemVersion {
    /// Reads `22.04`, `8` or `10.0.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.');
        let mut next = || parts.next().map(str::parse);
        Some(Self {
            major: next()?.ok()?,
            minor: next().unwrap_or(Ok(0)).ok()?,
        })
    }

    /// Reads the first version in a text: of ` linux 12 (bookworm)` it is 12.
    pub(crate) fn first_in(text: &str) -> Option<Self> {
        let begin = text.find(|character: char| character.is_ascii_digit())?;
        let rest = text.get(begin..)?;
        let end = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(rest.len());
        let version = rest.get(..end)?.trim_end_matches('.');
        Self::parse(version)
    }
}
