//! What the partitions of a guest's disk mean for its backup (requirements PRE-23 to PRE-25).

use hyperv_host::{Finding, Severity};
use volume_map::{Role, Scheme, VolumeMap};

/// Says what is wrong with a disk. `is_windows`: what the guest says of itself, if anything.
pub(super) fn findings(label: &str, is_windows: Option<bool>, map: &VolumeMap) -> Vec<Finding> {
    let mut found = Vec::new();
    // A Linux guest's daemon freezes file systems one by one, and LDM is Windows' own.
    if is_windows != Some(false) {
        found.extend(fat(label, map));
    }
    found.extend(ldm(label, map));
    found
}

/// The partitions could not be looked at.
pub(super) fn unread(label: &str, why: &str) -> Finding {
    let text = format!("the partitions of {label} could not be looked at: {why}");
    Finding::new("VM-GUEST-DISK-UNREAD", Severity::Info, text)
        .cure("nothing, as far as the backup goes: it does not depend on them")
}

/// EFI system partitions are always FAT, and of no interest.
fn fat(label: &str, map: &VolumeMap) -> Option<Finding> {
    let volumes: Vec<String> = map
        .partitions
        .iter()
        .enumerate()
        .filter(|(_, part)| part.role == Role::Data && part.content.is_fat())
        .map(|(number, part)| match map.scheme {
            Scheme::None => format!("the whole disk ({})", part.content.name()),
            _ => format!("partition {} ({})", number + 1, part.content.name()),
        })
        .collect();
    if volumes.is_empty() {
        return None;
    }
    let text = format!(
        "{label} has a volume of which VSS makes no snapshots in the guest: {}; hosts up to Windows \
         Server 2012 R2 cannot back such a guest up while it runs, on later ones that volume is \
         crash-consistent",
        volumes.join(", ")
    );
    Some(
        Finding::new("VM-FS", Severity::Warn, text)
            .cure("convert it in the guest: convert X: /fs:ntfs"),
    )
}

fn ldm(label: &str, map: &VolumeMap) -> Option<Finding> {
    map.is_ldm().then(|| {
        let text = format!(
            "{label} is a dynamic disk of Windows (LDM), which is not a dynamically expanding VHDX: \
             the file may grow as it likes, the partitions in it are what hosts up to Windows \
             Server 2012 R2 cannot freeze while the guest runs"
        );
        Finding::new("VM-DYNAMIC-DISK", Severity::Warn, text).cure(
            "move its data to a basic disk in the guest; converting the VHDX changes nothing about \
             it",
        )
    })
}

#[cfg(test)]
mod tests {
    use volume_map::{Content, Partition};

    use super::*;

    fn map(parts: &[(Role, Content)]) -> VolumeMap {
        let partition = |(role, content): &(Role, Content)| Partition {
            offset: 1 << 20,
            len_bytes: 1 << 20,
            role: *role,
            content: *content,
        };
        VolumeMap {
            scheme: Scheme::Gpt,
            partitions: parts.iter().map(partition).collect(),
        }
    }

    fn ids(is_windows: Option<bool>, parts: &[(Role, Content)]) -> Vec<String> {
        let found = findings("disk 0", is_windows, &map(parts));
        found.into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn fat_matters_in_windows_and_nowhere_else_and_efi_never() {
        let fat = [(Role::Data, Content::Fat32)];
        assert_eq!(ids(Some(true), &fat), ["VM-FS"]);
        assert_eq!(ids(None, &fat), ["VM-FS"]);
        assert!(ids(Some(false), &fat).is_empty());
        let usual = [
            (Role::EfiSystem, Content::Fat32),
            (Role::Data, Content::Ntfs),
        ];
        assert!(ids(Some(true), &usual).is_empty());
    }

    #[test]
    fn a_dynamic_disk_is_told_from_a_dynamic_vhdx_in_words() {
        let parts = [(Role::Ldm, Content::Unknown), (Role::Ldm, Content::Unknown)];
        let found = findings("disk 1 (SCSI 0:1, D:\\a.vhdx)", None, &map(&parts));
        assert_eq!(
            found[0].text,
            "disk 1 (SCSI 0:1, D:\\a.vhdx) is a dynamic disk of Windows (LDM), which is not a \
             dynamically expanding VHDX: the file may grow as it likes, the partitions in it are \
             what hosts up to Windows Server 2012 R2 cannot freeze while the guest runs"
        );
        assert_eq!(found.len(), 1);
    }
}
