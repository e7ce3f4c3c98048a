//! Names of a guest as names of this machine.

use std::ffi::OsString;

use guest_files::FileName;

/// Returns the name that a file gets here, and whether it is another one than it had.
///
/// On Unix every name is allowed. On Windows some are not, or stand for a device or for a stream:
/// what is not allowed becomes `%` and two digits, as in a URL.
pub(super) fn local_name(name: &FileName) -> (OsString, bool) {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        (OsString::from_vec(name.as_bytes().to_vec()), false)
    }
    #[cfg(not(unix))]
    {
        let shown = windows_name(&String::from_utf8_lossy(name.as_bytes()));
        let is_other = shown.as_bytes() != name.as_bytes();
        (OsString::from(shown), is_other)
    }
}

/// Makes a name of Windows out of any (Microsoft, "Naming Files, Paths, and Namespaces"). What Windows
/// allows stays as it is, `%` too.
pub(super) fn windows_name(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_control() || "<>:\"/\\|?*".contains(letter) {
            escape(&mut safe, letter);
        } else {
            safe.push(letter);
        }
    }
    // Windows drops these at the end, so that two names would be one.
    if let Some(last @ ('.' | ' ')) = safe.chars().last() {
        safe.pop();
        escape(&mut safe, last);
    }
    let stem = safe.split('.').next().unwrap_or("");
    if is_device(stem.trim_end()) {
        let first = safe.remove(0);
        let mut device = String::new();
        escape(&mut device, first);
        safe.insert_str(0, &device);
    }
    safe
}

fn escape(safe: &mut String, letter: char) {
    for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
        safe.push_str(&format!("%{byte:02X}"));
    }
}

fn is_device(stem: &str) -> bool {
    let stem = stem.to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) {
        return true;
    }
    let number = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    number.is_some_and(|number| {
        matches!(
            number,
            "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_windows_does_not_allow_is_written_in_digits() {
        for (name, safe) in [
            ("report.txt", "report.txt"),
            ("a:b", "a%3Ab"),
            ("what?", "what%3F"),
            ("trail.", "trail%2E"),
            ("blank ", "blank%20"),
            ("con", "%63on"),
            ("NUL.txt", "%4EUL.txt"),
            ("COM1 .x", "%43OM1 .x"),
            ("console", "console"),
            ("100%", "100%"),
            ("a\\b", "a%5Cb"),
            ("tab\there", "tab%09here"),
        ] {
            assert_eq!(windows_name(name), safe, "{name:?}");
        }
    }
}
