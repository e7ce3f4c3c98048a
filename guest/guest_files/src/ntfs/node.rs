//! What NTFS says of a file.

use ntfs_format::{
    AttributeKind, FileNameValue, FileRecord, Form, Malformed, NameSpace, ReparsePoint, fields,
    tags,
};

use super::table::{Table, corrupt};
use crate::{FileError, FileErrorKind, Node, NodeId, NodeKind, Owner, Time, Times};

/// 100 nanoseconds in a second, and seconds from 1601 to 1970.
const TICKS: i64 = 10_000_000;
const FROM_1601_TO_1970: i64 = 11_644_473_600;

/// What is gathered of the attributes of a file, whichever records they are in.
#[derive(Default)]
struct Gathered {
    standard: Option<(Times, u32)>,
    names: u32,
    size_bytes: Option<u64>,
    tag: Option<u32>,
}

pub(super) fn read(table: &Table, record: &FileRecord, id: NodeId) -> Result<Node, FileError> {
    let mut gathered = Gathered::default();
    table.each_record(
        record,
        |part| {
            let is_content =
                part.is_a(AttributeKind::Data) && part.name.is_empty() && part.first == 0;
            is_content
                || part.is_a(AttributeKind::StandardInformation)
                || part.is_a(AttributeKind::FileName)
                || part.is_a(AttributeKind::ReparsePoint)
        },
        |part| gather(table, part, &mut gathered),
    )?;
    let (times, attributes) = gathered
        .standard
        .ok_or_else(|| corrupt("a file says nothing of itself"))?;
    let kind = kind(record.is_folder(), gathered.tag);
    Ok(Node {
        id,
        kind,
        size_bytes: match kind {
            NodeKind::File => gathered.size_bytes.unwrap_or(0),
            _ => 0,
        },
        links: gathered.names.max(1),
        times,
        owner: Owner::Windows { attributes },
    })
}

fn gather(table: &Table, part: &FileRecord, gathered: &mut Gathered) -> Result<(), FileError> {
    for attribute in part.attributes()? {
        let resident = attribute.resident();
        if attribute.is(AttributeKind::StandardInformation, &[]) {
            let bytes =
                resident.ok_or_else(|| corrupt("what a file says of itself is not here"))?;
            gathered.standard.get_or_insert(standard(bytes)?);
        } else if attribute.is_a(AttributeKind::FileName) {
            let name = FileNameValue::parse(resident.unwrap_or_default())?;
            if name.name_space != NameSpace::Dos {
                gathered.names += 1;
            }
        } else if attribute.is(AttributeKind::Data, &[]) && attribute.is_first_part() {
            gathered.size_bytes.get_or_insert(attribute.len_bytes());
        } else if attribute.is(AttributeKind::ReparsePoint, &[]) && attribute.is_first_part() {
            let tag = match attribute.form() {
                Form::Resident(bytes) => ReparsePoint::parse(bytes)?.tag,
                Form::Runs(_) => {
                    let content = table.content(part, AttributeKind::ReparsePoint, &[])?;
                    let content = content.ok_or_else(|| corrupt("a reparse point is nowhere"))?;
                    ReparsePoint::parse(&table.whole(&content)?)?.tag
                }
            };
            gathered.tag = Some(tag);
        }
    }
    Ok(())
}

fn kind(is_folder: bool, tag: Option<u32>) -> NodeKind {
    match tag {
        Some(tags::SYMBOLIC_LINK | tags::MOUNT_POINT | tags::LINUX_LINK) => NodeKind::Link,
        _ if is_folder => NodeKind::Folder,
        // Files, which can be read or are refused by name.
        None | Some(tags::WOF | tags::DEDUPLICATED) => NodeKind::File,
        Some(tag) if tags::is_cloud(tag) => NodeKind::File,
        Some(_) => NodeKind::Other,
    }
}

/// Says why the content behind a reparse point is not here.
pub(super) fn refusal(tag: u32) -> FileError {
    let unreadable = |what: &str| FileError::new(FileErrorKind::Unreadable, what);
    match tag {
        tags::DEDUPLICATED => {
            unreadable("the guest has deduplicated it, and keeps its content in a chunk store")
        }
        tag if tags::is_cloud(tag) => unreadable(
            "it is a placeholder of cloud storage (such as OneDrive), whose content may not be here",
        ),
        tags::SYMBOLIC_LINK | tags::MOUNT_POINT | tags::LINUX_LINK => {
            FileError::new(FileErrorKind::WrongKind, "a link has no content")
        }
        tag => unreadable(&format!(
            "something else stands for its content (reparse point {tag:#010x})"
        )),
    }
}

/// Reads `$STANDARD_INFORMATION`: the times, and the attributes as Windows has them.
fn standard(bytes: &[u8]) -> Result<(Times, u32), Malformed> {
    let times = Times {
        created: time(fields::u64_at(bytes, 0)?),
        modified: time(fields::u64_at(bytes, 8)?),
        changed: time(fields::u64_at(bytes, 16)?),
        accessed: time(fields::u64_at(bytes, 24)?),
    };
    Ok((times, fields::u32_at(bytes, 32)?))
}

/// Turns 100 nanoseconds since 1601 into a moment; zero is none.
fn time(stored: u64) -> Option<Time> {
    let ticks = i64::try_from(stored).ok().filter(|ticks| *ticks != 0)?;
    Some(Time {
        seconds: ticks / TICKS - FROM_1601_TO_1970,
        nanoseconds: u32::try_from(ticks % TICKS * 100).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1970() {
        let time = |ticks| time(ticks).map(|time| (time.seconds, time.nanoseconds));
        assert_eq!(time(0), None);
        assert_eq!(time(u64::MAX), None);
        assert_eq!(time(116_444_736_000_000_001), Some((0, 100)));
        assert_eq!(time(1), Some((-FROM_1601_TO_1970, 100)));
    }
}
