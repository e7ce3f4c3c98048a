//! Content and streams of files, and what stands for content that is elsewhere.

use std::cmp::Ordering;

use ntfs_format::{AttributeKind, FileRecord, ReparsePoint, tags};

use super::content::{self, Content, LastPiece, NtfsFile};
use super::table::corrupt;
use super::wof::WofContent;
use super::{Ntfs, WOF_STREAM, node};
use crate::file_name::from_wtf8;
use crate::{FileError, FileErrorKind, FileName};

impl Ntfs {
    pub(super) fn reparse_point(&self, record: &FileRecord) -> Result<Option<Vec<u8>>, FileError> {
        let content = self
            .table
            .content(record, AttributeKind::ReparsePoint, &[])?;
        content
            .map(|content| self.table.whole(&content))
            .transpose()
    }

    /// Returns the stored content of a stream whose name is in UTF-16, and refuses what cannot be
    /// read.
    pub(super) fn data(
        &self,
        record: &FileRecord,
        name: &[u8],
    ) -> Result<Option<Content>, FileError> {
        let mut refused = None;
        self.table.each_record(
            record,
            |part| part.is_a(AttributeKind::Data) && part.name == name && part.first == 0,
            |part| {
                for attribute in part.attributes()? {
                    if !attribute.is(AttributeKind::Data, name) {
                        continue;
                    }
                    if attribute.is_encrypted() {
                        refused = Some(
                            "the guest has encrypted it (EFS), and the key is the guest's"
                                .to_owned(),
                        );
                    } else if attribute.compression() > 1 {
                        refused = Some(format!(
                            "it is compressed by method {}, for which there is no reader",
                            attribute.compression()
                        ));
                    }
                }
                Ok(())
            },
        )?;
        match refused {
            Some(what) => Err(FileError::new(FileErrorKind::Unreadable, what)),
            None => self.table.content(record, AttributeKind::Data, name),
        }
    }

    /// Opens the content that is not in a named stream.
    pub(super) fn open_unnamed(&self, record: &FileRecord) -> Result<NtfsFile<'_>, FileError> {
        if let Some(bytes) = self.reparse_point(record)? {
            let point = ReparsePoint::parse(&bytes)?;
            return match point.tag {
                tags::WOF => self.open_wof(record, &point),
                tag => Err(node::refusal(tag)),
            };
        }
        let content = self.data(record, &[])?;
        let content =
            content.ok_or_else(|| FileError::new(FileErrorKind::WrongKind, "it has no content"))?;
        NtfsFile::new(&self.table, content)
    }

    fn open_wof(
        &self,
        record: &FileRecord,
        point: &ReparsePoint<'_>,
    ) -> Result<NtfsFile<'_>, FileError> {
        let Some(algorithm) = point.wof_algorithm()? else {
            return Err(FileError::new(
                FileErrorKind::Unreadable,
                "its content is in an image file (WIM), or compressed in a way that is not known",
            ));
        };
        let size_bytes = match self.data(record, &[])? {
            Some(Content::Runs(runs)) => runs.len_bytes,
            Some(Content::Resident(bytes)) => content::count(bytes.len()),
            None => return Err(corrupt("a compressed file has no length")),
        };
        let name: Vec<u8> = WOF_STREAM
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let stored = self.data(record, &name)?;
        let stored = stored.ok_or_else(|| corrupt("a compressed file has lost its content"))?;
        if let Content::Runs(runs) = &stored
            && (runs.unit_clusters.is_some() || runs.valid_bytes < runs.len_bytes)
        {
            return Err(FileError::new(
                FileErrorKind::Unreadable,
                "its content is compressed twice, or was not written to its end",
            ));
        }
        Ok(NtfsFile::wof(
            &self.table,
            WofContent {
                size_bytes,
                stored,
                algorithm,
                last: LastPiece::default(),
            },
        ))
    }

    /// Returns the stored name of a stream that is called so, letters large or small.
    pub(super) fn stream_name(
        &self,
        record: &FileRecord,
        name: &FileName,
    ) -> Result<Option<Vec<u8>>, FileError> {
        let Some(wanted) = from_wtf8(name) else {
            return Ok(None);
        };
        let upcase = self.upcase()?;
        let mut found: Option<Vec<u8>> = None;
        self.each_stream(record, |stored, _| {
            let is_better = stored == wanted || found.is_none();
            if is_better && upcase.compare(stored, &wanted) == Ordering::Equal {
                found = Some(stored.to_vec());
            }
        })?;
        Ok(found)
    }

    /// Calls `visit` with the name in UTF-16 and the length of each named stream.
    pub(super) fn each_stream(
        &self,
        record: &FileRecord,
        mut visit: impl FnMut(&[u8], u64),
    ) -> Result<(), FileError> {
        self.table.each_record(
            record,
            |part| part.is_a(AttributeKind::Data) && !part.name.is_empty() && part.first == 0,
            |part| {
                for attribute in part.attributes()? {
                    let is_one = attribute.is_a(AttributeKind::Data)
                        && !attribute.name().is_empty()
                        && attribute.is_first_part();
                    if is_one {
                        visit(attribute.name(), attribute.len_bytes());
                    }
                }
                Ok(())
            },
        )
    }
}
