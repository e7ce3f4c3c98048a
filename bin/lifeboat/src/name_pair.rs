//! `A=B`: two names in one option.

/// Reads two names with `=` between them; neither is empty. The last `=` counts.
pub(crate) fn read_pair(text: &str) -> Result<(String, String), String> {
    let (one, other) = text.rsplit_once('=').unwrap_or((text, ""));
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
        let pair = Ok(("Prod=1 LAN".to_owned(), "Lab".to_owned()));
        assert_eq!(read_pair("Prod=1 LAN = Lab"), pair);
        for wrong in ["", "=", "A=", "=B", "A"] {
            assert!(read_pair(wrong).is_err(), "{wrong}");
        }
    }
}
