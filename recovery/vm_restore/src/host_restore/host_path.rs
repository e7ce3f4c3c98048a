//! Paths of a host, as texts.

use block_io::DiskError;

use crate::target_path::check_name;

/// Joins a name with `/` between its parts to a host's folder, unless it could lead anywhere else.
pub(crate) fn join(folder: &str, name: &str) -> Result<String, DiskError> {
    check_name(name)?;
    Ok(format!(
        "{}\\{}",
        folder.trim_end_matches('\\'),
        name.replace('/', "\\")
    ))
}

/// Returns the folder that a path lies in; `None` for a drive, a share, or a name alone.
pub(crate) fn parent(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('\\');
    let (folder, name) = path.rsplit_once('\\')?;
    // `C:` and `\\server` are no folders.
    let is_folder = !name.is_empty() && folder.contains('\\') && !folder.ends_with('\\')
        || folder.ends_with(':');
    is_folder.then_some(folder)
}

/// Returns the last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// Says whether two paths are the same to a host.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Says whether a path lies in a folder, or on a volume that is mounted there.
pub(crate) fn lies_in(path: &str, folder: &str) -> bool {
    let folder = format!("{}\\", folder.trim_end_matches('\\')).to_lowercase();
    path.to_lowercase().starts_with(&folder)
}

/// Returns a file name with `mark` before its extension: `web (mark).vhdx`.
pub(crate) fn marked(name: &str, mark: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem} ({mark}).{extension}"),
        None => format!("{name} ({mark})"),
    }
}

/// Returns a VM's name as one part of a path.
pub(crate) fn part_of_name(name: &str) -> String {
    let kept = name.chars().map(|c| match c {
        '\\' | '/' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
        c if c.is_control() => '_',
        c => c,
    });
    let kept: String = kept.take(100).collect();
    let kept = kept.trim().trim_end_matches(['.', ' ']).to_owned();
    if check_name(&kept).is_ok() {
        kept
    } else {
        "VM".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_s_paths_are_taken_apart_and_put_together() {
        assert_eq!(join(r"C:\VMs\", "a/b.vhdx").unwrap(), r"C:\VMs\a\b.vhdx");
        assert!(join(r"C:\VMs", "../b").is_err());
        assert_eq!(parent(r"C:\VMs\a.vhdx"), Some(r"C:\VMs"));
        assert_eq!(parent(r"C:\VMs"), Some("C:"));
        assert_eq!(parent(r"\\nas\vm\a.vhdx"), Some(r"\\nas\vm"));
        assert_eq!(parent("C:"), None);
        assert_eq!(parent(r"\\nas"), None);
        assert!(lies_in(r"c:\vms\x", r"C:\VMs"));
        assert!(lies_in(r"C:\x", r"C:\"));
        assert!(!lies_in(r"C:\VMs2\x", r"C:\VMs"));
        assert_eq!(marked("web.vhdx", "new"), "web (new).vhdx");
        assert_eq!(part_of_name("a:b/c. "), "a_b_c");
        assert_eq!(part_of_name("NUL"), "VM");
        assert_eq!(part_of_name(""), "VM");
    }
}
