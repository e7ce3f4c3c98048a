//! The records of a database. Numbers and texts have their length, in bytes, in front; numbers are
//! big-endian; all places and sizes are counted in sectors.

use uuid::Uuid;

/// A record, of the kinds that are needed here.
#[derive(Debug, Clone)]
pub(super) enum Record {
    Volume(Volume),
    Component(Component),
    Partition(PartitionOf),
    Disk(Disk),
}

#[derive(Debug, Clone)]
pub(super) struct Volume {
    pub(super) id: u64,
    pub(super) name: String,
    /// `gen` or `raid5`.
    pub(super) kind: String,
    pub(super) sectors: u64,
    pub(super) guid: Uuid,
    /// A drive letter with its colon.
    pub(super) drive_hint: String,
}

/// One of a volume's mirrors; most volumes have one.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) id: u64,
    pub(super) volume: u64,
    pub(super) layout: ComponentLayout,
    /// How many partitions it has.
    pub(super) partitions: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComponentLayout {
    Striped { chunk_sectors: u64 },
    Spanned,
    Raid5,
}

/// A part of a disk that a component lies on.
#[derive(Debug, Clone)]
pub(super) struct PartitionOf {
    pub(super) component: u64,
    pub(super) disk: u64,
    /// From the beginning of the disk's data.
    pub(super) start: u64,
    /// Where in the component.
    pub(super) volume_offset: u64,
    pub(super) sectors: u64,
    /// Its place among the component's columns.
    pub(super) index: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) disk_id: Uuid,
}

impl Record {
    /// Reads a record that is put together; `None` for other kinds, and what is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        // Status (2), flags, kind, length (4).
        let [_, _, flags, kind, ..] = *bytes.first_chunk::<8>()?;
        let fields = &mut Fields {
            rest: bytes.get(8..)?,
        };
        match kind {
            0x51 => volume(fields, flags).map(Self::Volume),
            0x32 => component(fields, flags).map(Self::Component),
            0x33 => partition(fields, flags).map(Self::Partition),
            0x34 => disk(fields, false).map(Self::Disk),
            0x44 => disk(fields, true).map(Self::Disk),
            _ => None,
        }
    }
}

fn volume(fields: &mut Fields<'_>, flags: u8) -> Option<Volume> {
    let id = fields.number()?;
    let name = fields.text()?;
    let kind = fields.text()?;
    // A zero, the state in letters, what it is, its number, three zeros, flags.
    fields.skip(1 + 14 + 1 + 1 + 1 + 3 + 1)?;
    let _children = fields.number()?;
    // Two numbers of commits.
    fields.skip(16)?;
    let sectors = fields.number()?;
    // Four zeros, the type that a partition would have.
    fields.skip(5)?;
    let guid = Uuid::from_bytes(*fields.take(16)?.first_chunk()?);
    for flag in [0x08, 0x20, 0x80] {
        if flags & flag != 0 {
            fields.bytes()?;
        }
    }
    let drive_hint = match flags & 0x02 {
        0 => String::new(),
        _ => fields.text()?,
    };
    Some(Volume {
        id,
        name,
        kind,
        sectors,
        guid,
        drive_hint,
    })
}

fn component(fields: &mut Fields<'_>, flags: u8) -> Option<Component> {
    let id = fields.number()?;
    let _name = fields.text()?;
    let _state = fields.text()?;
    let kind = *fields.take(1)?.first()?;
    fields.skip(4)?;
    let partitions = fields.number()?;
    // A commit's number, eight zeros.
    fields.skip(16)?;
    let volume = fields.number()?;
    fields.skip(1)?;
    let chunk_sectors = match flags & 0x10 {
        0 => 0,
        _ => fields.number()?,
    };
    let layout = match kind {
        1 => ComponentLayout::Striped { chunk_sectors },
        2 => ComponentLayout::Spanned,
        3 => ComponentLayout::Raid5,
        _ => return None,
    };
    Some(Component {
        id,
        volume,
        layout,
        partitions,
    })
}

fn partition(fields: &mut Fields<'_>, flags: u8) -> Option<PartitionOf> {
    let _id = fields.number()?;
    let _name = fields.text()?;
    // Four zeros, a commit's number.
    fields.skip(12)?;
    let start = fields.fixed()?;
    let volume_offset = fields.fixed()?;
    let sectors = fields.number()?;
    let component = fields.number()?;
    let disk = fields.number()?;
    let index = match flags & 0x08 {
        0 => 0,
        _ => fields.number()?,
    };
    Some(PartitionOf {
        component,
        disk,
        start,
        volume_offset,
        sectors,
        index,
    })
}

/// The newer kind of record has the disk's id as 16 bytes, the older one as text.
fn disk(fields: &mut Fields<'_>, is_binary: bool) -> Option<Disk> {
    let id = fields.number()?;
    let name = fields.text()?;
    let disk_id = if is_binary {
        Uuid::from_bytes(*fields.take(16)?.first_chunk()?)
    } else {
        fields.text()?.parse().ok()?
    };
    Some(Disk { id, name, disk_id })
}

/// What is left of a record.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(field)
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(|_| ())
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = *self.take(1)?.first()?;
        self.take(usize::from(len))
    }

    fn number(&mut self) -> Option<u64> {
        let bytes = self.bytes()?;
        (bytes.len() <= 8).then(|| {
            let digits = bytes.iter();
            digits.fold(0, |number, byte| number << 8 | u64::from(*byte))
        })
    }

    fn fixed(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(*self.take(8)?.first_chunk()?))
    }

    fn text(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.bytes()?).into_owned())
    }
}
