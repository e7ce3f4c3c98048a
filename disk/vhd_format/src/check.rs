//! Looking for everything that is wrong with a VHD.

use std::sync::Arc;

use block_io::{DiskError, ImageFile};

use crate::block_table::NOT_ALLOCATED;
use crate::footer::{self, VhdKind};
use crate::sector_bitmap::bitmap_bytes;
use crate::vhd_layer::{Blocks, VhdLayer};

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the file, in bytes, where that is known.
    pub offset: Option<u64>,
    /// What was expected and what was found.
    pub message: String,
    /// The disk cannot be read, or part of it would be read wrongly.
    pub serious: bool,
}

/// More problems than these are not listed.
const MAX_PROBLEMS: usize = 1000;
/// A table of more blocks is not looked through: no disk of 2040 GiB needs it at 64 KiB a block.
const MAX_BLOCKS: u64 = 1 << 25;

/// Looks for everything that is wrong with a VHD, not only for the first thing.
///
/// Structures, the block table and overlaps are looked at; the disk's data has no checksums.
pub fn check(file: Arc<dyn ImageFile>) -> Vec<Problem> {
    let layer = match VhdLayer::open(Arc::clone(&file)) {
        Ok(layer) => layer,
        Err(error) => return vec![serious(&error)],
    };
    let mut problems: Vec<Problem> = layer
        .info()
        .notes
        .iter()
        .map(|note| Problem {
            offset: None,
            message: note.clone(),
            serious: false,
        })
        .collect();
    if let Some(blocks) = layer.blocks() {
        check_copy(&layer, &mut problems);
        if let Err(error) = check_blocks(&layer, blocks, &mut problems) {
            problems.push(serious(&error));
        }
    }
    problems.truncate(MAX_PROBLEMS);
    problems
}

fn serious(error: &DiskError) -> Problem {
    Problem {
        offset: error.offset(),
        message: error.to_string(),
        serious: true,
    }
}

fn check_copy(layer: &VhdLayer, problems: &mut Vec<Problem>) {
    let message = match footer::read(layer.file(), 0, footer::FOOTER_BYTES) {
        Ok(Some(copy)) if copy.unique_id == layer.info().unique_id => return,
        Ok(Some(_)) => "the footer's copy has another unique id".to_owned(),
        Ok(None) => "there is no copy of the footer".to_owned(),
        Err(error) => format!("the footer's copy is bad: {error}"),
    };
    problems.push(Problem {
        offset: Some(0),
        message,
        serious: false,
    });
}

fn check_blocks(
    layer: &VhdLayer,
    blocks: &Blocks,
    problems: &mut Vec<Problem>,
) -> Result<(), DiskError> {
    let count = blocks.table.entries();
    if count > MAX_BLOCKS {
        problems.push(Problem {
            offset: Some(blocks.header.table_offset),
            message: format!("a block table of {count} entries is too large to be checked"),
            serious: false,
        });
        return Ok(());
    }
    let block_bytes = u64::from(blocks.header.block_bytes);
    let bitmap = u64::from(bitmap_bytes(blocks.header.block_bytes));
    let table_end = blocks.header.table_offset + count * 4;
    let mut used = Vec::new();
    for block in 0..count {
        let sector = blocks.table.sector_of(block)?;
        if sector == NOT_ALLOCATED {
            continue;
        }
        let start = u64::from(sector) * 512;
        let used_bytes = block_bytes.min(layer.info().size_bytes - block * block_bytes);
        let end = start + bitmap + used_bytes;
        let mut bad = |message: String| {
            if problems.len() < MAX_PROBLEMS {
                problems.push(Problem {
                    offset: Some(start),
                    message,
                    serious: true,
                });
            }
        };
        if end > blocks.data_end {
            bad(format!(
                "block {block} ends at {end}, beyond the blocks' end at {}",
                blocks.data_end
            ));
        }
        if start < footer::FOOTER_BYTES + crate::dynamic_header::HEADER_BYTES
            || (start < table_end && end > blocks.header.table_offset)
        {
            bad(format!("block {block} overlaps the headers or the table"));
        }
        used.push((sector, block));
    }
    used.sort_unstable();
    for pair in used.windows(2) {
        let [(first, block), (second, other)] = pair else {
            continue;
        };
        if (u64::from(*second) - u64::from(*first)) * 512 < bitmap + block_bytes
            && problems.len() < MAX_PROBLEMS
        {
            problems.push(Problem {
                offset: Some(u64::from(*second) * 512),
                message: format!("blocks {block} and {other} overlap"),
                serious: true,
            });
        }
    }
    check_locators(layer, blocks, problems);
    Ok(())
}

fn check_locators(layer: &VhdLayer, blocks: &Blocks, problems: &mut Vec<Problem>) {
    if layer.info().kind != VhdKind::Differencing {
        return;
    }
    for entry in &blocks.header.locators {
        if let Err(error) = entry.read(layer.file()) {
            problems.push(Problem {
                serious: false,
                ..serious(&error)
            });
        }
    }
}
