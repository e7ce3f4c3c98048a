//! Lines of a machine-readable listing (RFC 3659, section 7).

use std::time::SystemTime;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What a line says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) sort: Sort,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) modified: Option<SystemTime>,
}

/// What is under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    File,
    Folder,
    /// The folder itself, the one above, a link: none of ours.
    Other,
}

/// Reads `type=file;size=12;modify=20261121110000; name`.
pub(crate) fn read_facts(line: &str) -> Option<Facts> {
    let (facts, name) = line.split_once(' ')?;
    let mut found = Facts {
        name: name.to_owned(),
        sort: Sort::Other,
        size_bytes: None,
        modified: None,
    };
    for fact in facts.split(';') {
        let Some((fact, value)) = fact.split_once('=') else {
            continue;
        };
        match fact.to_ascii_lowercase().as_str() {
            "type" => {
                found.sort = match value.to_ascii_lowercase().as_str() {
                    "file" => Sort::File,
                    "dir" => Sort::Folder,
                    _ => Sort::Other,
                }
            }
            "size" => found.size_bytes = value.parse().ok(),
            "modify" => found.modified = read_time(value),
            _ => {}
        }
    }
    Some(found)
}

/// Reads `YYYYMMDDHHMMSS`, with or without a fraction, in UTC.
pub(crate) fn read_time(text: &str) -> Option<SystemTime> {
    let digits = text.split('.').next()?;
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i8>().ok();
    let year = digits.get(..4)?.parse().ok()?;
    // A leap second is the one before it.
    let second = part(12, 14)?.min(59);
    let time = DateTime::new(
        year,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        second,
        0,
    );
    let time = time.ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(SystemTime::from(time.timestamp()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn lines_are_read_and_rubbish_is_not() {
        let facts = read_facts("Type=file;Size=12;Modify=19700102000001.25;Perm=r; a b").unwrap();
        assert_eq!(facts.name, "a b");
        assert_eq!((facts.sort, facts.size_bytes), (Sort::File, Some(12)));
        assert_eq!(
            facts.modified,
            Some(UNIX_EPOCH + Duration::from_secs(86401))
        );
        assert_eq!(read_facts("type=cdir; .").unwrap().sort, Sort::Other);
        assert_eq!(read_facts("type=dir; x").unwrap().sort, Sort::Folder);
        assert_eq!(read_facts("-rw-r--r--"), None);
        let odd = read_facts("type=file;size=-1;modify=20269999999999; x").unwrap();
        assert_eq!((odd.size_bytes, odd.modified), (None, None));
        for text in ["", "2026", "2026112111000é", "20261121110000Z"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }
}
