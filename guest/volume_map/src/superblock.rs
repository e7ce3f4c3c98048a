//! What a file system's superblock says of it cheaply: its label and its id.

use block_io::{BlockDevice, DiskError};

use crate::Content;
use crate::reader::{Reader, bytes_at, u32_at, u64_at};

/// A file system's own names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Its name for people; empty where it has none, or where it costs more than a read or two.
    pub(crate) label: String,
    /// Its id as Linux writes it into its tables (`UUID=`); empty where it has none.
    pub(crate) uuid: String,
}

/// Reads the names of a volume: one or two reads.
pub(crate) fn names(volume: &dyn BlockDevice, content: Content) -> Result<Names, DiskError> {
    let reader = Reader::new(volume);
    let base = match content {
        Content::Btrfs => 0x1_0000,
        _ => 0,
    };
    let block = reader.read(base, 4096)?;
    let (label, uuid) = match content {
        Content::Ext => (text(&block, 1024 + 120, 16), uuid(&block, 1024 + 104)),
        Content::Xfs => (text(&block, 108, 12), uuid(&block, 32)),
        Content::Btrfs => (text(&block, 299, 256), uuid(&block, 32)),
        Content::Swap => (text(&block, 1052, 16), uuid(&block, 1036)),
        Content::Fat12 | Content::Fat16 => (fat_label(&block, 43), fat_serial(&block, 39)),
        Content::Fat32 => (fat_label(&block, 71), fat_serial(&block, 67)),
        Content::ExFat => (exfat_label(&reader, &block)?, fat_serial(&block, 100)),
        Content::Ntfs => (String::new(), format!("{:016X}", u64_at(&block, 72))),
        // LUKS1 and LUKS2 have the id in one place; a label only the second one has.
        Content::Luks if bytes_at(&block, 6) == [0, 2] => {
            (text(&block, 24, 48), text(&block, 168, 40))
        }
        Content::Luks => (String::new(), text(&block, 168, 40)),
        _ => (String::new(), String::new()),
    };
    Ok(Names { label, uuid })
}

/// Returns a text that ends at a NUL, or where its field does.
fn text(block: &[u8], at: usize, len_bytes: usize) -> String {
    let field = block.get(at..at.saturating_add(len_bytes)).unwrap_or(&[]);
    let text = field.split(|byte| *byte == 0).next().unwrap_or(&[]);
    String::from_utf8_lossy(text).trim().to_owned()
}

fn uuid(block: &[u8], at: usize) -> String {
    uuid::Uuid::from_bytes(bytes_at(block, at)).to_string()
}

/// A label in a boot sector of FAT; what all tools write for "none" is none.
fn fat_label(block: &[u8], at: usize) -> String {
    let label = text(block, at, 11);
    if label == "NO NAME" {
        String::new()
    } else {
        label
    }
}

fn fat_serial(block: &[u8], at: usize) -> String {
    let serial = u32_at(block, at);
    format!("{:04X}-{:04X}", serial >> 16, serial & 0xFFFF)
}

/// exFAT keeps its label in the root folder, mostly as its first entry (exFAT §7.3).
fn exfat_label(reader: &Reader<'_>, boot: &[u8]) -> Result<String, DiskError> {
    let [sector_shift, cluster_shift] = bytes_at::<2>(boot, 108);
    if !(9..=12).contains(&sector_shift) || sector_shift.saturating_add(cluster_shift) > 25 {
        return Ok(String::new());
    }
    let heap = u64::from(u32_at(boot, 88)) << sector_shift;
    let cluster = u64::from(u32_at(boot, 96)).saturating_sub(2);
    let root = reader.read(
        heap.saturating_add(cluster << (sector_shift + cluster_shift)),
        512,
    )?;
    let mut entries = root.chunks_exact(32);
    let Some(entry) = entries.find(|entry| entry.first() == Some(&0x83)) else {
        return Ok(String::new());
    };
    let letters = usize::from(entry.get(1).copied().unwrap_or(0)).min(11);
    let units = (0..letters).map(|at| u16::from_le_bytes(bytes_at(entry, 2 + 2 * at)));
    Ok(char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect())
}
