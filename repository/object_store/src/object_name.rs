//! Which names an object may have.

use crate::{StoreError, StoreErrorKind};

/// Fails unless `name` is one that every store takes.
///
/// Up to 200 bytes; parts of lower-case letters, digits, `-` and `.`, none of them empty or
/// beginning with a dot, joined by `/`. So no name leads out of a folder, and none differs from
/// another by case alone.
pub fn check_object_name(name: &str) -> Result<(), StoreError> {
    let part_is_good = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
            })
    };
    if name.len() <= 200 && name.split('/').all(part_is_good) {
        Ok(())
    } else {
        Err(StoreError::new(
            StoreErrorKind::BadName,
            name,
            "this is not the name of an object",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::check_object_name;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in ["packs/00/ab", "lifeboat-repository", "keys/0123"] {
            assert!(check_object_name(name).is_ok(), "{name}");
        }
        for name in [
            "", "/etc", "../x", "a/../b", "a//b", "a/", "A", "a\\b", "c:", ".hidden",
        ] {
            assert!(check_object_name(name).is_err(), "{name}");
        }
    }
}
