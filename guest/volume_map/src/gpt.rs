//! The GUID partition table (UEFI 2.10 §5.3).

use block_io::DiskError;
use uuid::{Uuid, uuid};

use crate::content::Content;
use crate::reader::{Reader, bytes_at, u32_at, u64_at};
use crate::{PARTITIONS_MAX, Partition, Role};

const EFI_SYSTEM: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
const LDM_METADATA: Uuid = uuid!("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3");
const LDM_DATA: Uuid = uuid!("af9b60a0-1431-4f62-bc68-3311714a69ad");
const STORAGE_SPACES: Uuid = uuid!("e75caf8f-f680-4cee-afa3-b001e56efc2d");
const MICROSOFT_RESERVED: Uuid = uuid!("e3c9e316-0b5c-4db8-817d-f92df00215ae");
const BIOS_BOOT: Uuid = uuid!("21686148-6449-6e6f-744e-656564454649");
const LINUX_SWAP: Uuid = uuid!("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f");

/// Returns the partitions; `None` where there is no table. Checksums are not checked: a table that
/// the guest can live with is told as it is.
pub(crate) fn partitions(reader: &Reader<'_>) -> Result<Option<Vec<Partition>>, DiskError> {
    // The disk says how long its sectors are; an image that was moved may say it wrongly.
    let own = reader.sector_bytes();
    for sector_bytes in [own, if own == 512 { 4096 } else { 512 }] {
        let header = reader.read(sector_bytes, 512)?;
        if header.starts_with(b"EFI PART") {
            return entries(&header, sector_bytes, reader).map(Some);
        }
    }
    Ok(None)
}

fn entries(
    header: &[u8],
    sector_bytes: u64,
    reader: &Reader<'_>,
) -> Result<Vec<Partition>, DiskError> {
    let at = u64_at(header, 72).saturating_mul(sector_bytes);
    let count = usize::try_from(u32_at(header, 80)).unwrap_or(usize::MAX);
    let entry_bytes = usize::try_from(u32_at(header, 84)).unwrap_or(usize::MAX);
    if !(128..=4096).contains(&entry_bytes) {
        return Ok(Vec::new());
    }
    let wanted = count.min(PARTITIONS_MAX).saturating_mul(entry_bytes);
    let table = reader.read(at, wanted)?;
    let found = table.chunks_exact(entry_bytes).filter_map(|entry| {
        let kind = Uuid::from_bytes_le(bytes_at(entry, 0));
        let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
        let sectors = last.checked_sub(first)?.checked_add(1)?;
        (!kind.is_nil()).then_some(Partition {
            offset: first.saturating_mul(sector_bytes),
            len_bytes: sectors.saturating_mul(sector_bytes),
            role: role(kind),
            content: Content::Unknown,
        })
    });
    Ok(found.collect())
}

fn role(kind: Uuid) -> Role {
    match kind {
        EFI_SYSTEM => Role::EfiSystem,
        LDM_METADATA | LDM_DATA => Role::Ldm,
        STORAGE_SPACES => Role::StorageSpaces,
        MICROSOFT_RESERVED | BIOS_BOOT | LINUX_SWAP => Role::Reserved,
        _ => Role::Data,
    }
}
