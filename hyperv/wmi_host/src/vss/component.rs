//! A VM's component among those of the host's writer (contract 5.1).

use ::vss::{Component, FileSet, HYPERV_WRITER, Writer};
use uuid::Uuid;

/// Returns the host's writer, by its id: names are in the host's language (requirement PRE-09).
pub(super) fn hyperv_writer(writers: &[Writer]) -> Option<&Writer> {
    writers.iter().find(|writer| writer.id == HYPERV_WRITER)
}

/// Returns a VM's component: it is named by the VM's GUID.
pub(super) fn component_of(writer: &Writer, vm: Uuid) -> Option<&Component> {
    let mut components = writer.components.iter();
    components.find(|component| vm_of(&component.id.name) == Some(vm))
}

/// Returns the VM that a component's name stands for; `Host Component` stands for none.
pub(super) fn vm_of(name: &str) -> Option<Uuid> {
    Uuid::parse_str(name.trim_matches(['{', '}'])).ok()
}

/// Returns whether the writer asks the guest to take part; `None`: its caption does not say.
///
/// `Online\<VM>` and `Offline\<VM>` since 2012 R2, `Backup Using Child Partition Snapshot\<VM>` and
/// `Backup Using Saved State\<VM>` before. Whether other languages have other words is not known.
/// Contract: 5.1 [M]
pub(super) fn is_online(caption: &str) -> Option<bool> {
    let caption = caption.to_ascii_lowercase();
    let begins = |word: &str| caption.starts_with(word) || caption.contains(&format!("({word})"));
    if begins("online") || begins("backup using child partition snapshot") {
        Some(true)
    } else if begins("offline") || begins("backup using saved state") {
        Some(false)
    } else {
        None
    }
}

/// Returns the files and folders of a component, as the host names them.
pub(super) fn paths_of(component: &Component) -> impl Iterator<Item = String> {
    component.files.iter().map(path_of)
}

fn path_of(files: &FileSet) -> String {
    let folder = files.path.trim_end_matches('\\');
    if files.spec.is_empty() || files.spec.contains(['*', '?']) {
        return format!("{folder}\\");
    }
    format!("{folder}\\{}", files.spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_of_all_versions_are_understood() {
        let table = [
            (r"Online\web", Some(true)),
            (r"Offline\Online web", Some(false)),
            ("web(Online)", Some(true)),
            (r"Backup Using Child Partition Snapshot\web", Some(true)),
            (r"Backup Using Saved State\web", Some(false)),
            (r"En ligne\web", None),
        ];
        for (caption, expected) in table {
            assert_eq!(is_online(caption), expected, "{caption}");
        }
        assert_eq!(vm_of("Host Component"), None);
        let id = Uuid::from_u128(7);
        assert_eq!(
            vm_of(&format!("{{{}}}", id.to_string().to_uppercase())),
            Some(id)
        );
    }
}
