//! `A=B`: two names in one option.

/// Reads two names with `=` between them; neither is empty. The first ends at the first `=`.
pub(crate) fn read_pair(text: &str) -> Result<(String, String), String> {
    let (one, other) = text.split_once('=').unwrap_or((text, ""));
    if one.trim().is_empty() || other.trim().is_empty() {
        return Err(format!("{text:?} is not of the form A=B"));
    }
    Ok((one.trim().to_owned(), other.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_are_needed() {
        let pair = Ok(("Prod LAN".to_owned(), "Lab=1".to_owned()));
        assert_eq!(read_pair("Prod LAN = Lab=1"), pair);
        for wrong in ["", "=", "A=", "=B", "A"] {
            assert!(read_pair(wrong).is_err(), "{wrong}");
        }
    }
}
