//! Paths in URLs.

use std::fmt::Write as _;

/// Most folders in a path.
const DEPTH_MAX: usize = 512;

/// Reads the names of a path; `None` for what no path of ours is.
pub(crate) fn names(path: &str) -> Option<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let name = decoded(part)?;
        let leads_elsewhere = matches!(&*name, b"." | b"..");
        if leads_elsewhere || name.contains(&b'/') || name.contains(&0) || names.len() == DEPTH_MAX
        {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    let mut bytes = part.bytes();
    let mut name = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            name.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        name.push(u8::try_from(high << 4 | low).ok()?);
    }
    Some(name)
}

/// Writes a name as a part of a path.
pub(crate) fn encoded(name: &[u8]) -> String {
    let mut text = String::new();
    for &byte in name {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            // Writing into a text does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back() {
        let every: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
        for name in [
            every.as_slice(),
            b"100 % #1?.txt",
            "Ünï ファイル".as_bytes(),
        ] {
            let text = encoded(name);
            assert!(
                text.is_ascii() && !text.contains([' ', '#', '?', '/']),
                "{text}"
            );
            assert_eq!(
                names(&format!("/a/{text}/")).unwrap(),
                [b"a".as_slice(), name]
            );
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_path() {
        for bad in [
            "/..",
            "/a/%2e%2E/b",
            "/a%2fb",
            "/%00",
            "/%",
            "/%4",
            "/%zz",
            "/.",
        ] {
            assert_eq!(names(bad), None, "{bad}");
        }
    }
}
