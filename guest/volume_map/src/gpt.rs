//! The GUID partition table (UEFI 2.10 §5.3).

use block_io::DiskError;
use uuid::{Uuid, uuid};

use crate::content::Content;
use crate::partition_table::{Listed, PartitionTable};
use crate::reader::{READ_MAX_BYTES, Reader, bytes_at, is_sum, u16_at, u32_at, u64_at};
use crate::{PARTITIONS_MAX, Partition, Role, Scheme};

const EFI_SYSTEM: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
const LDM_METADATA: Uuid = uuid!("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3");
const LDM_DATA: Uuid = uuid!("af9b60a0-1431-4f62-bc68-3311714a69ad");
const STORAGE_SPACES: Uuid = uuid!("e75caf8f-f680-4cee-afa3-b001e56efc2d");
const MICROSOFT_RESERVED: Uuid = uuid!("e3c9e316-0b5c-4db8-817d-f92df00215ae");
const BIOS_BOOT: Uuid = uuid!("21686148-6449-6e6f-744e-656564454649");
const LINUX_SWAP: Uuid = uuid!("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f");

/// A header that was found.
struct Header {
    bytes: Vec<u8>,
    sector_bytes: u64,
    /// Whether its own checksum is right.
    is_whole: bool,
}

/// Returns the table; `None` where there is none.
///
/// A table with right checksums is believed. Without one the backup at the disk's end is; without
/// that, what is there is told as it is, since the guest may live with it: the notes say which.
pub(crate) fn table(reader: &Reader<'_>) -> Result<Option<PartitionTable>, DiskError> {
    let sizes = sector_sizes(reader);
    let mut damaged = None;
    for sector_bytes in sizes {
        let Some(header) = header(reader, sector_bytes, sector_bytes)? else {
            continue;
        };
        let (table, is_whole) = read(&header, reader)?;
        if is_whole {
            return Ok(Some(table));
        }
        damaged = damaged.or(Some((header, table)));
    }
    let alternate = damaged.as_ref().map(|(header, _)| {
        let place = u64_at(&header.bytes, 32).saturating_mul(header.sector_bytes);
        (place, header.sector_bytes)
    });
    let ends = sizes.map(|bytes| {
        (
            (reader.size_bytes() / bytes).saturating_sub(1) * bytes,
            bytes,
        )
    });
    for (place, sector_bytes) in ends.into_iter().chain(alternate) {
        let Some(header) = header(reader, place, sector_bytes)? else {
            continue;
        };
        let (mut table, is_whole) = read(&header, reader)?;
        if is_whole {
            let note =
                "the first partition table (GPT) is damaged; its backup at the disk's end is used";
            table.notes.push(note.to_owned());
            return Ok(Some(table));
        }
    }
    Ok(damaged.map(|(_, mut table)| {
        let note = "the partition table (GPT) has a wrong checksum, and so has its backup";
        table.notes.push(note.to_owned());
        table
    }))
}

/// The disk says how long its sectors are; an image that was moved may say it wrongly.
pub(crate) fn sector_sizes(reader: &Reader<'_>) -> [u64; 2] {
    match reader.sector_bytes() {
        512 => [512, 4096],
        own => [own, 512],
    }
}

fn header(reader: &Reader<'_>, place: u64, sector_bytes: u64) -> Result<Option<Header>, DiskError> {
    let bytes = reader.read(place, 512)?;
    if !bytes.starts_with(b"EFI PART") {
        return Ok(None);
    }
    let len_bytes = usize::try_from(u32_at(&bytes, 12)).unwrap_or(usize::MAX);
    let mut checked = bytes.get(..len_bytes).unwrap_or(&[]).to_vec();
    if let Some(sum) = checked.get_mut(16..20) {
        sum.fill(0);
    }
    let is_here = u64_at(&bytes, 24).checked_mul(sector_bytes) == Some(place);
    let is_whole =
        len_bytes >= 92 && is_here && is_sum(crc32fast::hash(&checked), u32_at(&bytes, 16));
    Ok(Some(Header {
        bytes,
        sector_bytes,
        is_whole,
    }))
}

/// Reads the entries; says whether both checksums are right.
fn read(header: &Header, reader: &Reader<'_>) -> Result<(PartitionTable, bool), DiskError> {
    let (bytes, sector_bytes) = (&header.bytes, header.sector_bytes);
    let mut table = PartitionTable::new(Scheme::Gpt, sector_bytes);
    table.disk_guid = Some(Uuid::from_bytes_le(bytes_at(bytes, 56)));
    let at = u64_at(bytes, 72).saturating_mul(sector_bytes);
    let count = usize::try_from(u32_at(bytes, 80)).unwrap_or(usize::MAX);
    let entry_bytes = usize::try_from(u32_at(bytes, 84)).unwrap_or(usize::MAX);
    if !(128..=4096).contains(&entry_bytes) {
        return Ok((table, false));
    }
    let all = count.saturating_mul(entry_bytes);
    let entries = reader.read(at, all)?;
    // A table that is longer than all that anybody makes is not read whole, and so not checked.
    let is_right = all > READ_MAX_BYTES
        || (entries.len() == all && is_sum(crc32fast::hash(&entries), u32_at(bytes, 88)));
    let found = entries.chunks_exact(entry_bytes).zip(1_u32..);
    let found = found.filter_map(|(entry, number)| listed(entry, number, sector_bytes));
    table.entries = found.take(PARTITIONS_MAX).collect();
    Ok((table, header.is_whole && is_right))
}

fn listed(entry: &[u8], number: u32, sector_bytes: u64) -> Option<Listed> {
    let kind = Uuid::from_bytes_le(bytes_at(entry, 0));
    let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
    let sectors = last.checked_sub(first)?.checked_add(1)?;
    if kind.is_nil() {
        return None;
    }
    let units = (0..36).map(|at| u16_at(entry, 56 + 2 * at));
    let name = char::decode_utf16(units.take_while(|unit| *unit != 0));
    Some(Listed {
        number,
        partition: Partition {
            offset: first.saturating_mul(sector_bytes),
            len_bytes: sectors.saturating_mul(sector_bytes),
            role: role(kind),
            content: Content::Unknown,
        },
        name: name
            .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        guid: Some(Uuid::from_bytes_le(bytes_at(entry, 16))),
        is_ldm_database: kind == LDM_METADATA,
    })
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
