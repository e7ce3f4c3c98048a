//! The file table: records by number, and the whole content of their attributes.

use ntfs_format::{
    Attribute, AttributeKind, BootSector, FileRecord, Form, ListedAttribute, Run, append_runs,
    attribute_list,
};

use super::content::{Content, Runs};
use crate::volume::Volume;
use crate::{FileError, FileErrorKind};

/// Length of a list of attributes; Windows has at most a quarter of it.
const LIST_BYTES_MAX: u64 = 1 << 20;
/// Records that `$MFTMirr` has, whatever the size of clusters.
const COPIED_RECORDS: u64 = 4;
/// Records that one file may be spread over.
const PARTS_MAX: usize = 1 << 15;
/// A structure that is read whole is no longer than this.
const STRUCTURE_BYTES_MAX: u64 = 1 << 20;

/// The file table of a volume.
pub(super) struct Table {
    pub(super) volume: Volume,
    pub(super) boot: BootSector,
    content: Runs,
}

pub(super) fn corrupt(what: &str) -> FileError {
    FileError::new(FileErrorKind::Corrupt, what)
}

impl Table {
    pub(super) fn open(volume: Volume) -> Result<Self, FileError> {
        let boot = BootSector::parse(&volume.bytes(0, 512)?, volume.size_bytes())?;
        // Of its own first record only the place is known.
        let count = (16 * boot.record_bytes).div_ceil(boot.cluster_bytes);
        let begin = Run {
            first: 0,
            count,
            clusters: Some(boot.table..boot.table.saturating_add(count)),
        };
        let mut table = Self {
            volume,
            boot,
            content: Runs {
                runs: vec![begin],
                len_bytes: 16 * boot.record_bytes,
                valid_bytes: 16 * boot.record_bytes,
                unit_clusters: None,
            },
        };
        table.find_itself()?;
        Ok(table)
    }

    /// Puts together where the table lies, from its own records: each part of them lies in those
    /// that were found before it.
    fn find_itself(&mut self) -> Result<(), FileError> {
        let own = self.record(0)?;
        let mut whole = None;
        gather(
            &own,
            AttributeKind::Data,
            &[],
            self.boot.clusters,
            &mut whole,
        )?;
        self.move_to(whole.as_ref())?;
        let list = self.list(&own)?;
        for number in parts(&list, |part| part.is_a(AttributeKind::Data))? {
            if number == 0 {
                continue;
            }
            let part = self.part(&own, number)?;
            gather(
                &part,
                AttributeKind::Data,
                &[],
                self.boot.clusters,
                &mut whole,
            )?;
            self.move_to(whole.as_ref())?;
        }
        Ok(())
    }

    fn move_to(&mut self, content: Option<&Content>) -> Result<(), FileError> {
        let Some(Content::Runs(runs)) = content else {
            return Err(corrupt("the file table does not say where it lies"));
        };
        let first = runs.runs.first().and_then(|run| run.clusters.as_ref());
        if first.is_none_or(|first| first.start != self.boot.table) {
            return Err(corrupt(
                "the file table lies elsewhere than the boot sector says",
            ));
        }
        self.content = runs.clone();
        Ok(())
    }

    /// Returns a record that is in use.
    pub(super) fn record(&self, number: u64) -> Result<FileRecord, FileError> {
        let record_bytes = self.boot.record_bytes;
        let end = number.saturating_add(1).saturating_mul(record_bytes);
        if end > self.content.len_bytes {
            let what = format!("there is no file of number {number}");
            return Err(FileError::new(FileErrorKind::NotFound, what));
        }
        let mut bytes = vec![0; usize::try_from(record_bytes).unwrap_or(0)];
        self.read_structure(&self.content, end - record_bytes, &mut bytes)?;
        let record = FileRecord::parse(number, bytes)
            .or_else(|error| self.copied_record(number).ok_or(error))
            .map_err(|error| FileError::from(error).of(format!("file record {number}")))?;
        if !record.is_in_use() {
            let what = format!("there is no file of number {number} any more");
            return Err(FileError::new(FileErrorKind::NotFound, what));
        }
        Ok(record)
    }

    /// Returns one of the first records from the copy that the volume keeps of them.
    fn copied_record(&self, number: u64) -> Option<FileRecord> {
        if number >= COPIED_RECORDS {
            return None;
        }
        let boot = &self.boot;
        let place = boot.table_mirror * boot.cluster_bytes + number * boot.record_bytes;
        let len = usize::try_from(boot.record_bytes).ok()?;
        FileRecord::parse(number, self.volume.bytes(place, len).ok()?).ok()
    }

    /// Returns a record that continues `base`.
    fn part(&self, base: &FileRecord, number: u64) -> Result<FileRecord, FileError> {
        let part = self.record(number)?;
        if part.base() != base.number() {
            return Err(corrupt("a file is continued in another file"));
        }
        Ok(part)
    }

    /// Fills `buf` with a part of a structure, none of which is a hole.
    pub(super) fn read_structure(
        &self,
        runs: &Runs,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), FileError> {
        runs.pieces(self.boot.cluster_bytes, offset, buf, &mut |place, buf| {
            let place = place.ok_or_else(|| corrupt("a structure lies where nothing is"))?;
            self.volume.read(place, buf)
        })
    }

    /// Returns a structure that is short enough to be read whole.
    pub(super) fn whole(&self, content: &Content) -> Result<Vec<u8>, FileError> {
        match content {
            Content::Resident(bytes) => Ok(bytes.clone()),
            Content::Runs(runs) if runs.len_bytes <= STRUCTURE_BYTES_MAX => {
                let allocated = runs.allocated_bytes(self.boot.cluster_bytes);
                if runs.len_bytes > allocated {
                    return Err(corrupt("a structure has fewer clusters than bytes"));
                }
                let mut bytes = vec![0; usize::try_from(runs.len_bytes).unwrap_or(0)];
                self.read_structure(runs, 0, &mut bytes)?;
                Ok(bytes)
            }
            Content::Runs(_) => Err(corrupt("a structure is too large")),
        }
    }

    /// Returns the content of the record's list of attributes; nothing where it has none.
    fn list(&self, record: &FileRecord) -> Result<Vec<u8>, FileError> {
        let mut list = None;
        let clusters = self.boot.clusters;
        gather(
            record,
            AttributeKind::AttributeList,
            &[],
            clusters,
            &mut list,
        )?;
        match list {
            None => Ok(Vec::new()),
            Some(Content::Runs(runs)) if runs.len_bytes > LIST_BYTES_MAX => {
                Err(corrupt("a list of attributes is longer than any"))
            }
            Some(list) => self.whole(&list),
        }
    }

    /// Calls `visit` for the record, and for those that continue it and hold something `wanted`.
    pub(super) fn each_record(
        &self,
        base: &FileRecord,
        wanted: impl Fn(&ListedAttribute<'_>) -> bool,
        mut visit: impl FnMut(&FileRecord) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let list = self.list(base)?;
        if list.is_empty() {
            return visit(base);
        }
        let mut seen_base = false;
        for number in parts(&list, wanted)? {
            if number == base.number() {
                seen_base = true;
                visit(base)?;
            } else {
                visit(&self.part(base, number)?)?;
            }
        }
        // What is wanted may be in no part at all; the record itself is looked at in any case.
        if seen_base { Ok(()) } else { visit(base) }
    }

    /// Returns the whole content of an attribute, whose name is in UTF-16.
    pub(super) fn content(
        &self,
        record: &FileRecord,
        kind: AttributeKind,
        name: &[u8],
    ) -> Result<Option<Content>, FileError> {
        let mut gathered = None;
        let clusters = self.boot.clusters;
        self.each_record(
            record,
            |part| part.is_a(kind) && part.name == name,
            |part| gather(part, kind, name, clusters, &mut gathered),
        )?;
        Ok(gathered)
    }
}

/// Returns the numbers of the records that hold something wanted, in order, each once.
fn parts(
    list: &[u8],
    wanted: impl Fn(&ListedAttribute<'_>) -> bool,
) -> Result<Vec<u64>, FileError> {
    let mut numbers: Vec<u64> = Vec::new();
    for part in attribute_list(list)?.iter().filter(|part| wanted(part)) {
        if numbers.last() != Some(&part.record) {
            numbers.push(part.record);
        }
    }
    if numbers.len() > PARTS_MAX {
        return Err(corrupt("a file has more parts than any"));
    }
    // One that comes back would be taken twice.
    let mut seen = std::collections::HashSet::new();
    numbers.retain(|number| seen.insert(*number));
    Ok(numbers)
}

/// Adds what a record holds of an attribute.
fn gather(
    record: &FileRecord,
    kind: AttributeKind,
    name: &[u8],
    clusters: u64,
    gathered: &mut Option<Content>,
) -> Result<(), FileError> {
    for attribute in record.attributes()? {
        if attribute.is(kind, name) {
            add_part(&attribute, clusters, gathered)?;
        }
    }
    Ok(())
}

fn add_part(
    attribute: &Attribute<'_>,
    clusters: u64,
    gathered: &mut Option<Content>,
) -> Result<(), FileError> {
    match (attribute.form(), &mut *gathered) {
        (Form::Resident(bytes), None) => *gathered = Some(Content::Resident(bytes.to_vec())),
        (Form::Runs(stored), None) if stored.first == 0 => {
            let mut runs = Vec::new();
            append_runs(&mut runs, stored.pairs, clusters)?;
            *gathered = Some(Content::Runs(Runs {
                runs,
                len_bytes: stored.len_bytes,
                valid_bytes: stored.valid_bytes.min(stored.len_bytes),
                unit_clusters: match (attribute.compression(), stored.unit_shift) {
                    (0, _) => None,
                    (_, shift) => Some(1_u64.checked_shl(u32::from(shift)).unwrap_or(0)),
                },
            }));
        }
        (Form::Runs(stored), Some(Content::Runs(whole))) => {
            if stored.first != whole.runs.last().map_or(0, Run::end) {
                return Err(corrupt("the parts of a file do not follow one another"));
            }
            append_runs(&mut whole.runs, stored.pairs, clusters)?;
        }
        _ => {
            return Err(corrupt(
                "a file has an attribute twice, or a part is missing",
            ));
        }
    }
    Ok(())
}
