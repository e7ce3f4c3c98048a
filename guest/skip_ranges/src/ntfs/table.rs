//! The file table: records by number, and the whole content of their attributes.

use std::ops::Range;

use ntfs_format::{
    AttributeKind, BootSector, FileRecord, Form, Run, append_runs, attribute_list, is_called,
};

use crate::fields::index;
use crate::refusal::{Read, Refusal, ensure};
use crate::volume::{READ_BYTES_MAX, Volume};

/// Length of a list of attributes that is read.
const LIST_BYTES_MAX: u64 = 1 << 20;
/// Records that one attribute may be spread over.
const PARTS_MAX: usize = 4096;

/// The whole content of an attribute, from all of its parts.
#[derive(Debug)]
pub(crate) enum Content {
    Resident(Vec<u8>),
    Runs {
        runs: Vec<Run>,
        len_bytes: u64,
        /// Neither compressed nor encrypted nor sparse: what a system would page to.
        plain: bool,
    },
}

/// The file table of a volume.
pub(crate) struct Table<'a> {
    pub(crate) volume: Volume<'a>,
    pub(crate) boot: BootSector,
    runs: Vec<Run>,
}

impl<'a> Table<'a> {
    pub(crate) fn open(volume: Volume<'a>) -> Read<Self> {
        let boot = BootSector::parse(&volume.read(0, 512)?, volume.len_bytes)?;
        let begin = Run {
            first: 0,
            count: 64 * boot.record_bytes / boot.cluster_bytes + 1,
            clusters: Some(boot.table..boot.clusters),
        };
        // Its own first record says where it lies: the first part of it where the rest begins.
        let mut table = Self {
            volume,
            boot,
            runs: vec![begin],
        };
        let own = table.record(0)?;
        let mut first_part = None;
        table.gather(&own, AttributeKind::Data, "", &mut first_part)?;
        table.move_to(first_part)?;
        let all = table.content(&own, AttributeKind::Data, "")?;
        table.move_to(all)?;
        Ok(table)
    }

    fn move_to(&mut self, content: Option<Content>) -> Read<()> {
        let Some(Content::Runs { runs, .. }) = content else {
            return Err(Refusal::damaged(
                "the file table does not say where it lies",
            ));
        };
        let first = runs.first().and_then(|run| run.clusters.clone());
        ensure(
            first.is_some_and(|first| first.start == self.boot.table),
            "the file table lies elsewhere than the boot sector says",
        )?;
        self.runs = runs;
        Ok(())
    }

    /// Returns a record that is in use.
    pub(crate) fn record(&self, number: u64) -> Read<FileRecord> {
        let record_bytes = self.boot.record_bytes;
        let offset = number
            .checked_mul(record_bytes)
            .ok_or_else(|| Refusal::damaged("a file has a number that none has"))?;
        let bytes = self.read_runs(&self.runs, offset, record_bytes)?;
        let record = FileRecord::parse(number, bytes)?;
        ensure(record.is_in_use(), "a file that is needed is not in use")?;
        Ok(record)
    }

    /// Reads a part of an attribute's content.
    pub(crate) fn read_runs(&self, runs: &[Run], offset: u64, len_bytes: u64) -> Read<Vec<u8>> {
        ensure(len_bytes <= READ_BYTES_MAX, "a structure is too large")?;
        let cluster_bytes = self.boot.cluster_bytes;
        let mut bytes = Vec::with_capacity(index(len_bytes)?);
        let (mut at, end) = (offset, offset.saturating_add(len_bytes));
        while at < end {
            let cluster = at / cluster_bytes;
            let found = runs.partition_point(|run| run.first + run.count <= cluster);
            let run = runs.get(found);
            let Some(Run {
                first,
                count,
                clusters: Some(clusters),
            }) = run
            else {
                return Err(Refusal::damaged("a structure lies where nothing is"));
            };
            let run_end = first.saturating_add(*count).saturating_mul(cluster_bytes);
            let place = clusters.start * cluster_bytes + (at - first * cluster_bytes);
            let len = end.min(run_end).saturating_sub(at);
            bytes.extend(self.volume.read(place, len)?);
            at += len.max(1);
        }
        Ok(bytes)
    }

    /// Returns the whole content of an attribute, from this record and those that continue it.
    pub(crate) fn content(
        &self,
        record: &FileRecord,
        kind: AttributeKind,
        name: &str,
    ) -> Read<Option<Content>> {
        let mut gathered = None;
        match self.parts_in(record, kind, name)? {
            None => self.gather(record, kind, name, &mut gathered)?,
            Some(numbers) => {
                for number in numbers {
                    if number == record.number() {
                        self.gather(record, kind, name, &mut gathered)?;
                        continue;
                    }
                    let part = self.record(number)?;
                    ensure(
                        part.base() == record.number(),
                        "a file is continued in another file",
                    )?;
                    self.gather(&part, kind, name, &mut gathered)?;
                }
            }
        }
        if let Some(Content::Runs {
            runs, len_bytes, ..
        }) = &gathered
        {
            let clusters = runs.last().map_or(0, Run::end);
            ensure(
                len_bytes.div_ceil(self.boot.cluster_bytes) <= clusters,
                "a file has fewer clusters than bytes",
            )?;
        }
        Ok(gathered)
    }

    /// Adds what a record holds of an attribute.
    fn gather(
        &self,
        record: &FileRecord,
        kind: AttributeKind,
        name: &str,
        gathered: &mut Option<Content>,
    ) -> Read<()> {
        for attribute in record.attributes()? {
            if !attribute.is_called(kind, name) {
                continue;
            }
            match (attribute.form(), &mut *gathered) {
                (Form::Resident(bytes), None) => {
                    *gathered = Some(Content::Resident(bytes.to_vec()));
                }
                (Form::Runs(stored), None) if stored.first == 0 => {
                    let mut runs = Vec::new();
                    append_runs(&mut runs, stored.pairs, self.boot.clusters)?;
                    *gathered = Some(Content::Runs {
                        runs,
                        len_bytes: stored.len_bytes,
                        plain: attribute.is_plain(),
                    });
                }
                (Form::Runs(stored), Some(Content::Runs { runs, .. })) => {
                    ensure(
                        stored.first == runs.last().map_or(0, Run::end),
                        "the parts of a file do not follow one another",
                    )?;
                    append_runs(runs, stored.pairs, self.boot.clusters)?;
                }
                _ => return Err(Refusal::damaged("a file has an attribute twice")),
            }
        }
        Ok(())
    }

    /// Returns the records that hold parts of an attribute, in the order of the parts; `None` where
    /// all is in the record itself.
    fn parts_in(
        &self,
        record: &FileRecord,
        kind: AttributeKind,
        name: &str,
    ) -> Read<Option<Vec<u64>>> {
        let mut list = None;
        self.gather(record, AttributeKind::AttributeList, "", &mut list)?;
        let bytes = match list {
            None => return Ok(None),
            Some(Content::Resident(bytes)) => bytes,
            Some(Content::Runs {
                runs, len_bytes, ..
            }) => self.read_runs(&runs, 0, len_bytes.min(LIST_BYTES_MAX))?,
        };
        let mut numbers = Vec::new();
        for part in attribute_list(&bytes)? {
            let is_it = part.is_a(kind) && is_called(part.name, name);
            if is_it && numbers.last() != Some(&part.record) {
                ensure(numbers.len() < PARTS_MAX, "a file has more parts than any")?;
                numbers.push(part.record);
            }
        }
        Ok(Some(numbers))
    }

    /// Returns the bytes of the disk that clusters take.
    pub(crate) fn bytes_of(&self, clusters: &Range<u64>) -> Range<u64> {
        let at = |cluster: u64| self.volume.offset + cluster * self.boot.cluster_bytes;
        at(clusters.start)..at(clusters.end)
    }

    /// Says whether clusters can be a file's: not the boot sector's and not the file table's.
    pub(crate) fn may_be_a_file(&self, clusters: &Range<u64>) -> bool {
        let own = [0, self.boot.table, self.boot.table_mirror];
        !own.iter().any(|cluster| clusters.contains(cluster))
    }
}
