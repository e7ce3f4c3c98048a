//! The table of a disk, of whichever kind.

use block_io::DiskError;
use uuid::Uuid;

use crate::content::{self, Content};
use crate::reader::Reader;
use crate::{Partition, Scheme, gpt, mbr};

/// A table with all that it says.
#[derive(Debug)]
pub(crate) struct PartitionTable {
    /// Its kind. [`Scheme::None`]: the first sector is a volume's own.
    pub(crate) scheme: Scheme,
    /// In which sectors it counts, in bytes.
    pub(crate) sector_bytes: u64,
    /// The partitions as it has them: they may leave the disk.
    pub(crate) entries: Vec<Listed>,
    /// What Windows knows a disk with a master boot record by.
    pub(crate) disk_signature: Option<u32>,
    /// What a disk with a GPT is known by.
    pub(crate) disk_guid: Option<Uuid>,
    /// What a person should know of it.
    pub(crate) notes: Vec<String>,
}

/// A partition with all that its table says of it.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Its number as Linux counts: its slot, and from 5 on in an extended partition.
    pub(crate) number: u32,
    /// Where it lies, and what for.
    pub(crate) partition: Partition,
    /// Its name; a master boot record has none.
    pub(crate) name: String,
    /// Its own GUID; a master boot record has none.
    pub(crate) guid: Option<Uuid>,
    /// Whether it is where a dynamic disk of Windows keeps its database.
    pub(crate) is_ldm_database: bool,
}

impl PartitionTable {
    pub(crate) fn new(scheme: Scheme, sector_bytes: u64) -> Self {
        Self {
            scheme,
            sector_bytes,
            entries: Vec::new(),
            disk_signature: None,
            disk_guid: None,
            notes: Vec::new(),
        }
    }

    /// Reads the table of a disk.
    pub(crate) fn read(reader: &Reader<'_>) -> Result<Self, DiskError> {
        let first = reader.read(0, 4096)?;
        let bare = |scheme| Self::new(scheme, reader.sector_bytes());
        match mbr::entries(&first) {
            Some(entries) if mbr::is_protective(&entries) => {
                let Some(mut table) = gpt::table(reader)? else {
                    let mut table = bare(Scheme::Unknown);
                    let note = "the master boot record says that there is a GPT, and none is there";
                    table.notes.push(note.to_owned());
                    return Ok(table);
                };
                if mbr::is_hybrid(&entries) {
                    let note = "the disk has a hybrid partition table; the GPT of it is used";
                    table.notes.push(note.to_owned());
                }
                Ok(table)
            }
            // A boot sector of a volume ends like a table.
            _ if content::of(&first) != Content::Unknown => Ok(bare(Scheme::None)),
            Some(entries) => mbr::table(&entries, &first, reader),
            // Somebody has overwritten sector 0 alone.
            None => match gpt::table(reader)? {
                Some(mut table) => {
                    let note = "the protective master boot record is missing; the GPT is used";
                    table.notes.push(note.to_owned());
                    Ok(table)
                }
                None => Ok(bare(Scheme::Unknown)),
            },
        }
    }
}
