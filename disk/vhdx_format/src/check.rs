//! Looking for everything that is wrong with a file.

use std::sync::Arc;

use block_io::{DiskError, ImageFile};

use crate::bat::{BatEntry, BlockState, ENTRY_BYTES, EntryOwner};
use crate::block_map::BlockMap;
use crate::claims::Claims;
use crate::field::{MAX_FILE_BYTES, MIB, index, u64_at};
use crate::header::{HEADER_OFFSETS, Headers, read_identifier};
use crate::metadata::Metadata;
use crate::region_table::{REGION_TABLE_OFFSETS, RegionTable};
use crate::replayed_file::ReplayedFile;
use crate::sector_bitmap::BITMAP_BYTES;
use crate::structure::{block_map, replay_log};

/// More problems than these are counted, not listed.
const MAX_PROBLEMS: usize = 1000;
/// Part of the BAT that is looked at at once, in bytes.
const BAT_PIECE: u64 = 1 << 20;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// The file breaks a rule, but the disk reads as it should.
    Warning,
    /// The disk cannot be read, or part of it would be read wrongly.
    Error,
}

/// Something that [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where in the file, in bytes, where that is known.
    pub offset: Option<u64>,
    /// What was expected and what was found.
    pub message: String,
}

/// Looks for everything that is wrong with the structure of a file, not only for the first thing.
///
/// The disk's data has no checksums, so nothing is said about it. Memory is bounded by one bit
/// for each MiB of the file.
pub fn check(file: Arc<dyn ImageFile>) -> Vec<Problem> {
    let mut findings = Findings::default();
    if let Err(error) = check_structure(file, &mut findings) {
        findings.add_error(&error);
    }
    findings.into_problems()
}

/// The list of problems, bounded.
#[derive(Default)]
pub(crate) struct Findings {
    problems: Vec<Problem>,
    more: u64,
}

impl Findings {
    fn add(&mut self, severity: Severity, offset: impl Into<Option<u64>>, message: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                severity,
                offset: offset.into(),
                message,
            });
        } else {
            self.more += 1;
        }
    }

    fn add_error(&mut self, error: &DiskError) {
        let message = error.to_string();
        self.add(Severity::Error, error.offset(), message);
    }

    /// Returns the first problem that makes the file unfit for changes.
    pub(crate) fn worst(&self) -> Option<&Problem> {
        self.problems
            .iter()
            .find(|problem| problem.severity == Severity::Error)
    }

    fn into_problems(mut self) -> Vec<Problem> {
        if self.more > 0 {
            self.problems.push(Problem {
                severity: Severity::Error,
                offset: None,
                message: format!("{} more problems are not listed", self.more),
            });
        }
        self.problems
    }
}

fn check_structure(file: Arc<dyn ImageFile>, findings: &mut Findings) -> Result<(), DiskError> {
    let mut file = ReplayedFile::new(file)?;
    if let Err(error) = read_identifier(&file) {
        findings.add_error(&error);
    }
    if file.real_bytes() > MAX_FILE_BYTES {
        return Ok(());
    }
    let headers = Headers::read(&file)?;
    for (copy, offset) in headers.copies.iter().zip(HEADER_OFFSETS) {
        if let Err(message) = copy {
            let message = format!("one copy of the header is bad: {message}");
            findings.add(Severity::Warning, offset, message);
        }
    }
    if replay_log(&mut file, &headers)? {
        let message = "the file was not closed cleanly; its log was replayed in memory";
        findings.add(
            Severity::Info,
            headers.header.log_offset,
            message.to_owned(),
        );
    }
    let table = check_region_tables(&file, &headers, findings)?;
    let metadata = Metadata::read(&file, table.metadata)?;
    let map = block_map(&file, &table, &metadata)?;
    let claims = check_blocks(&file, &headers, &table, &map, findings)?;
    report_space(&file, &claims, findings);
    Ok(())
}

fn check_region_tables(
    file: &ReplayedFile,
    headers: &Headers,
    findings: &mut Findings,
) -> Result<RegionTable, DiskError> {
    let copies =
        REGION_TABLE_OFFSETS.map(|offset| RegionTable::read_copy(file, &headers.header, offset));
    match copies {
        [Ok(first), Ok(second)] => {
            if first.regions != second.regions {
                let message = "the two copies of the region table differ; the first counts";
                let offset = REGION_TABLE_OFFSETS[1];
                findings.add(Severity::Warning, offset, message.to_owned());
            }
            Ok(first)
        }
        [Ok(table), Err(error)] | [Err(error), Ok(table)] => {
            let message = format!("one copy of the region table is bad: {error}");
            findings.add(Severity::Warning, error.offset(), message);
            Ok(table)
        }
        [Err(first), Err(second)] => {
            findings.add_error(&second);
            Err(first)
        }
    }
}

/// Looks at every BAT entry, and notes who owns which part of the file.
pub(crate) fn check_blocks(
    file: &ReplayedFile,
    headers: &Headers,
    table: &RegionTable,
    map: &BlockMap,
    findings: &mut Findings,
) -> Result<Claims, DiskError> {
    let mut claims = Claims::new(file.size_bytes());
    claims.claim(0, MIB);
    claims.claim(headers.header.log_offset, headers.header.log_length.into());
    for region in &table.regions {
        claims.claim(region.offset, region.length);
    }
    let mut scan = Scan {
        file,
        map,
        claims,
        findings,
        chunk_needs_bitmap: false,
    };
    let length = map.layout.entry_count() * ENTRY_BYTES;
    let mut piece = vec![0; index(BAT_PIECE.min(length))];
    let mut number = 0;
    for start in (0..length).step_by(index(BAT_PIECE)) {
        let len = index((length - start).min(BAT_PIECE));
        let Some(piece) = piece.get_mut(..len) else {
            break;
        };
        file.read(map.bat_offset + start, piece)?;
        for bytes in piece.chunks_exact(index(ENTRY_BYTES)) {
            scan.entry(number, BatEntry(u64_at(bytes, 0)));
            number += 1;
        }
    }
    Ok(scan.claims)
}

/// One walk over the BAT.
struct Scan<'a> {
    file: &'a ReplayedFile,
    map: &'a BlockMap,
    claims: Claims,
    findings: &'a mut Findings,
    /// A block of the chunk that is being looked at is partially present. Its bitmap's entry
    /// comes after all of its blocks.
    chunk_needs_bitmap: bool,
}

impl Scan<'_> {
    fn entry(&mut self, number: u64, entry: BatEntry) {
        let at = self.map.entry_offset(number);
        if entry.reserved() != 0 {
            let message = format!("reserved bits of BAT entry {number} are set");
            self.findings.add(Severity::Warning, at, message);
        }
        match self.map.layout.owner(number) {
            EntryOwner::Block(block) if block < self.map.layout.block_count() => {
                self.block(block, entry, at);
            }
            EntryOwner::Block(block) => {
                if entry.raw_state() != 0 {
                    let message = format!("block {block} lies behind the end of the disk");
                    self.findings.add(Severity::Warning, at, message);
                }
            }
            EntryOwner::Bitmap(chunk) => self.bitmap(chunk, entry, at),
        }
    }

    fn block(&mut self, block: u64, entry: BatEntry, at: u64) {
        let what = format!("block {block}");
        match entry.state() {
            Some(BlockState::NotPresent | BlockState::Zero) => {}
            // Such a block may keep its place.
            Some(BlockState::Undefined | BlockState::Unmapped) => {
                if entry.offset() != 0 {
                    self.place(&what, entry, at, self.map.layout.block_bytes);
                }
            }
            Some(BlockState::FullyPresent) => {
                self.place(&what, entry, at, self.map.layout.block_bytes);
            }
            Some(BlockState::PartiallyPresent) => {
                if !self.map.layout.has_parent {
                    let message =
                        format!("block {block} is partially present, but the disk has no parent");
                    self.findings.add(Severity::Error, at, message);
                }
                self.chunk_needs_bitmap = true;
                self.place(&what, entry, at, self.map.layout.block_bytes);
            }
            None => {
                let message = format!("block {block} has the unknown state {}", entry.raw_state());
                self.findings.add(Severity::Error, at, message);
            }
        }
    }

    fn bitmap(&mut self, chunk: u64, entry: BatEntry, at: u64) {
        let needed = std::mem::take(&mut self.chunk_needs_bitmap);
        match entry.state() {
            Some(BlockState::FullyPresent | BlockState::PartiallyPresent) => {
                self.place(&format!("sector bitmap {chunk}"), entry, at, BITMAP_BYTES);
            }
            Some(BlockState::NotPresent) if needed && self.map.layout.has_parent => {
                let message =
                    format!("chunk {chunk} has partially present blocks but no sector bitmap");
                self.findings.add(Severity::Error, at, message);
            }
            Some(BlockState::NotPresent) => {}
            _ => {
                let severity = if needed {
                    Severity::Error
                } else {
                    Severity::Warning
                };
                let message = format!(
                    "sector bitmap {chunk} has the state {}, which means nothing",
                    entry.raw_state()
                );
                self.findings.add(severity, at, message);
            }
        }
    }

    fn place(&mut self, what: &str, entry: BatEntry, at: u64, len_bytes: u64) {
        let offset = entry.offset();
        let size = self.file.size_bytes();
        if offset < MIB || offset >= size {
            let message = format!("{what} lies at {offset}, outside the file of {size} bytes");
            self.findings.add(Severity::Error, at, message);
            return;
        }
        if offset.saturating_add(len_bytes) > size {
            let message = format!("{what} at {offset} is cut by the end of the file");
            self.findings.add(Severity::Warning, at, message);
        }
        if !self.claims.claim(offset, len_bytes) {
            let message = format!("{what} at {offset} overlaps something else in the file");
            self.findings.add(Severity::Error, at, message);
        }
    }
}

fn report_space(file: &ReplayedFile, claims: &Claims, findings: &mut Findings) {
    let free = claims.free_mib();
    if free > 0 {
        let message = format!("{free} MiB of the file are not in use");
        findings.add(Severity::Info, None, message);
    }
    let trailing = file.real_bytes() % MIB;
    if trailing > 0 {
        let message = format!("{trailing} bytes follow the last whole MiB");
        findings.add(Severity::Info, file.real_bytes() - trailing, message);
    }
}
