//! What the numbers mean that VSS answers with.

mod restores;
mod service;
mod volumes;
mod windows_own;
mod writers;

use crate::VssErrorKind;

/// What an `HRESULT` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeMeaning {
    /// The number.
    pub code: u32,
    /// Its name in `vsserror.h` or `winerror.h`.
    pub name: &'static str,
    /// What sort of failure it stands for; `None` for a success.
    pub kind: Option<VssErrorKind>,
    /// What happened, in a sentence without a full stop.
    pub sentence: &'static str,
}

/// Returns what an `HRESULT` means; `None` for one that has no place in VSS.
///
/// The table has all codes of `vsserror.h`, and those of Windows that requesters meet.
pub fn meaning_of(code: u32) -> Option<&'static CodeMeaning> {
    tables().flatten().find(|meaning| meaning.code == code)
}

/// Returns all codes that have a meaning.
pub fn all_codes() -> impl Iterator<Item = &'static CodeMeaning> {
    tables().flatten()
}

fn tables() -> impl Iterator<Item = &'static [CodeMeaning]> {
    [
        service::CODES,
        volumes::CODES,
        writers::CODES,
        restores::CODES,
        windows_own::CODES,
    ]
    .into_iter()
}

/// A line of a table: a failure.
const fn failure(
    code: u32,
    name: &'static str,
    kind: VssErrorKind,
    sentence: &'static str,
) -> CodeMeaning {
    CodeMeaning {
        code,
        name,
        kind: Some(kind),
        sentence,
    }
}

/// A line of a table: a success.
const fn success(code: u32, name: &'static str, sentence: &'static str) -> CodeMeaning {
    CodeMeaning {
        code,
        name,
        kind: None,
        sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_and_each_name_is_there_once() {
        let mut codes: Vec<u32> = all_codes().map(|meaning| meaning.code).collect();
        let mut names: Vec<&str> = all_codes().map(|meaning| meaning.name).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!((codes.len(), names.len()), (count, count));
    }

    #[test]
    fn failures_have_kinds_and_successes_have_none() {
        for meaning in all_codes() {
            let is_failure = meaning.code & 0x8000_0000 != 0;
            assert_eq!(meaning.kind.is_some(), is_failure, "{meaning:?}");
            let is_named_success = meaning.name.starts_with("VSS_S_");
            assert_eq!(is_failure, !is_named_success, "{meaning:?}");
            assert!(!meaning.sentence.ends_with('.'), "{meaning:?}");
        }
    }

    #[test]
    fn all_of_vsserror_h_is_there() {
        let of_the_facility = |meaning: &&CodeMeaning| meaning.name.starts_with("VSS_");
        assert_eq!(all_codes().filter(of_the_facility).count(), 81);
        for meaning in all_codes().filter(of_the_facility) {
            let facility = meaning.code & 0x7FFF_F000;
            assert_eq!(facility, 0x0004_2000, "{meaning:?}");
        }
    }

    #[test]
    fn an_unknown_code_means_nothing() {
        for code in [0, 1, 0x8004_2300, 0x8004_2330, u32::MAX] {
            assert_eq!(meaning_of(code), None);
        }
    }
}
