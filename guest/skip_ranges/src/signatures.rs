//! What a volume is, by all that it could be.
//!
//! A volume that was made anew may still carry what it was before. Where two things could be meant
//! nothing is left out.

use volume_map::Content;

use crate::fields::le;
use crate::refusal::{Read, Refusal, RefusalKind};
use crate::volume::Volume;

/// What a reader is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ntfs,
    Ext,
    Xfs,
    Btrfs,
    Swap,
    Other(Content),
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ntfs => Content::Ntfs.name(),
            Self::Ext => Content::Ext.name(),
            Self::Xfs => Content::Xfs.name(),
            Self::Btrfs => Content::Btrfs.name(),
            Self::Swap => Content::Swap.name(),
            Self::Other(content) => content.name(),
        }
    }
}

/// What memory that sleeps in a swap area begins with, in place of the area's own mark.
const HIBERNATED: [&[u8]; 4] = [b"S1SUSPEND", b"S2SUSPEND", b"LINHIB0001", b"ULSUSPEND"];

const MD_MAGIC: u32 = 0xA92B_4EFC;

/// Says what a volume is; `first` is what its first bytes look like.
pub(crate) fn told_by_signatures(volume: &Volume<'_>, first: Content) -> Read<Kind> {
    let head = volume.read_up_to(0, 8192)?;
    let mark = head.get(4086..4096).unwrap_or_default();
    if HIBERNATED.iter().any(|known| mark.starts_with(known)) {
        let what = "a hibernated system sleeps in this swap area";
        return Err(Refusal::new(RefusalKind::Hibernated, what));
    }
    if is_md(volume, &head)? {
        let what = "a part of a software RAID of Linux (md)";
        return Err(Refusal::new(RefusalKind::NotUnderstood, what));
    }
    let btrfs = volume.read_up_to(0x1_0040, 8)? == b"_BHRfS_M";
    let ext = le::u16_at(&head, 1024 + 56).is_ok_and(|magic| magic == 0xEF53)
        && le::u32_at(&head, 1024 + 24).is_ok_and(|size| size <= 6);
    let possible = [
        (head.get(3..11) == Some(b"NTFS    "), Kind::Ntfs),
        (ext, Kind::Ext),
        (head.starts_with(b"XFSB"), Kind::Xfs),
        (btrfs, Kind::Btrfs),
        (mark == b"SWAPSPACE2", Kind::Swap),
    ];
    let mut possible = possible.into_iter().filter(|(is, _)| *is);
    let known = match (possible.next(), possible.next()) {
        (None, _) => return Ok(Kind::Other(first)),
        (Some((_, kind)), None) => kind,
        (Some(_), Some(_)) => return Err(ambiguous()),
    };
    // What was found must be what the first bytes say, where these say anything.
    let agrees = match first {
        Content::Unknown => true,
        first => first.name() == known.name(),
    };
    if agrees { Ok(known) } else { Err(ambiguous()) }
}

fn ambiguous() -> Refusal {
    let what = "it carries the marks of more than one kind of volume";
    Refusal::new(RefusalKind::NotUnderstood, what)
}

/// Looks for the superblock of md where its versions keep it: 1.1, 1.2, 1.0 and 0.90.
fn is_md(volume: &Volume<'_>, head: &[u8]) -> Read<bool> {
    let at_end = (volume.len_bytes.saturating_sub(8192)) / 4096 * 4096;
    let before_end = (volume.len_bytes / 65536 * 65536).saturating_sub(65536);
    let mut found = [0, 4096]
        .iter()
        .any(|at| le::u32_at(head, *at).is_ok_and(|magic| magic == MD_MAGIC));
    for at in [at_end, before_end] {
        let bytes = volume.read_up_to(at, 4)?;
        found |= le::u32_at(&bytes, 0)
            .is_ok_and(|magic| magic == MD_MAGIC || magic == MD_MAGIC.swap_bytes());
    }
    Ok(found)
}
