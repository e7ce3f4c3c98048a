//! The incremental through changed ranges: what a host's tracking names, and nothing else, is read.
//!
//! The ranges are the chunks of 64 KiB in which the two days' images differ; all contenders get the
//! same. Keys are not derived here: Lifeboat opens its repository with the recovery key.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use super::benji::{self, Benji};
use super::contender::Place;
use super::floor::{CHUNK_BYTES, Floor, FloorBuilder};
use super::image::Image;
use super::lifeboat::Lifeboat;
use super::measure::{self, Measurement, read_full};
use super::peers::find_program;

/// What one tool took for it.
#[derive(Clone, Serialize)]
pub(crate) struct ChangedRow {
    pub(crate) tool: String,
    pub(crate) took: Measurement,
    pub(crate) growth_bytes: u64,
}

/// The row of the table.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Changed {
    pub(crate) dirty_bytes: u64,
    /// Hashing, compressing and encrypting these chunks alone.
    pub(crate) floor: Floor,
    pub(crate) own: Option<ChangedRow>,
    pub(crate) benji: Option<ChangedRow>,
    /// What stands in the way of a measurement.
    pub(crate) notes: Vec<String>,
}

/// Rounds, each with the parts alone and then the program. The round counts in which the program
/// came closest to its parts: on a busy machine a figure of one round says nothing of another's.
const RUNS: usize = 3;

/// Measures the floor and each contender that `wanted` names.
pub(crate) fn measure(
    own: Option<&Lifeboat>,
    image: &Image,
    work: &Path,
    with_benji: bool,
) -> Result<Changed, String> {
    let ranges = differing_ranges(image)?;
    let mut changed = Changed {
        dirty_bytes: ranges.iter().map(|(_, len)| len).sum(),
        ..Changed::default()
    };
    let megabytes = changed.dirty_bytes >> 20;
    println!("changed ranges: {} of {megabytes} MiB", ranges.len());
    for _ in 0..RUNS {
        let floor = floor_of(image, &ranges)?;
        let Some(own) = own else {
            changed.floor = floor;
            break;
        };
        let row = compete(own, image, &ranges)?;
        println!(
            "  lifeboat {:.2} s, {:.2} s of processors, +{} MiB; parts alone {:.2} s",
            row.took.wall_seconds,
            row.took.processor_seconds,
            row.growth_bytes >> 20,
            floor.seconds()
        );
        let ratio = |row: &ChangedRow, floor: &Floor| row.took.processor_seconds / floor.seconds();
        let before = changed.own.as_ref().map(|row| ratio(row, &changed.floor));
        if before.is_none_or(|before| ratio(&row, &floor) < before) {
            (changed.own, changed.floor) = (Some(row), floor);
        }
    }
    if with_benji {
        match find_program("benji", work) {
            Some(program) => {
                let place = Place::new(work, "benji", image);
                let benji = Benji { program, place };
                match benji.compete(image, &ranges) {
                    Ok((took, growth_bytes)) => {
                        println!(
                            "  benji {:.2} s, +{} MiB",
                            took.wall_seconds,
                            growth_bytes >> 20
                        );
                        let tool = format!("Benji {}", benji.version());
                        changed.benji = Some(ChangedRow {
                            tool,
                            took,
                            growth_bytes,
                        });
                    }
                    Err(reason) => changed.notes.push(format!("Benji failed: {reason}")),
                }
                benji.place.clear()?;
            }
            None => changed
                .notes
                .push(format!("Benji is not installed ({})", benji::HINT)),
        }
    }
    for note in &changed.notes {
        println!("  {note}");
    }
    Ok(changed)
}

/// Backs up the first day, then the ranges of the second, and proves that the result is that day.
fn compete(own: &Lifeboat, image: &Image, ranges: &[(u64, u64)]) -> Result<ChangedRow, String> {
    let place = own.place();
    place.clear()?;
    place.prepare()?;
    measure::run(own.init_with_key())?;
    image.present(&image.first, &place.source)?;
    measure::run(own.with_key(own.back_up_all()))?;
    let before = measure::folder_bytes(&place.repository);
    let list = place.output.join("ranges");
    let mut file = File::create(&list).map_err(|error| error.to_string())?;
    for (offset, len) in ranges {
        writeln!(file, "{offset} {len}").map_err(|error| error.to_string())?;
    }
    image.present(&image.second_raw, &place.vm.join("disk.raw"))?;
    let mut command = own.command(&["point", "bench-store", "disk@latest"]);
    command.arg("--image").arg(place.vm.join("disk.raw"));
    command.arg("--ranges").arg(&list);
    let took = measure::run(own.with_key(command))?;
    let growth_bytes = measure::folder_bytes(&place.repository) - before;
    measure::run(own.with_key(own.restore_disk()))?;
    if !measure::same_content(&own.restored_disk(), &image.second_raw)? {
        return Err("what was stored through ranges differs from the disk".into());
    }
    Ok(ChangedRow {
        tool: "lifeboat".into(),
        took,
        growth_bytes,
    })
}

/// The parts alone, over the chunks of the ranges.
fn floor_of(image: &Image, ranges: &[(u64, u64)]) -> Result<Floor, String> {
    use std::io::{Seek as _, SeekFrom};
    let mut file = File::open(&image.second_raw).map_err(|error| error.to_string())?;
    let mut builder = FloorBuilder::new()?;
    let mut content = Vec::new();
    for (offset, len) in ranges {
        let start = content.len();
        content.resize(start + usize::try_from(*len).unwrap_or_default(), 0);
        file.seek(SeekFrom::Start(*offset))
            .map_err(|error| error.to_string())?;
        read_full(&mut file, &mut content[start..])?;
    }
    // In pieces, as the whole disk is measured.
    for piece in content.chunks(CHUNK_BYTES * 256) {
        builder.process(piece)?;
    }
    Ok(builder.floor)
}

/// The chunks in which the images differ, neighbours together: offset and length.
fn differing_ranges(image: &Image) -> Result<Vec<(u64, u64)>, String> {
    let open =
        |path: &Path| File::open(path).map_err(|error| format!("{}: {error}", path.display()));
    let (mut first, mut second) = (open(&image.first_raw)?, open(&image.second_raw)?);
    let mut blocks = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let mut offset = 0_u64;
    loop {
        let len = read_full(&mut second, &mut blocks.1)?;
        if read_full(&mut first, &mut blocks.0)? != len {
            return Err("the images differ in size".into());
        }
        if len == 0 {
            return Ok(ranges);
        }
        let chunks = blocks.0[..len].chunks(CHUNK_BYTES);
        for (old, new) in chunks.zip(blocks.1[..len].chunks(CHUNK_BYTES)) {
            let bytes = u64::try_from(new.len()).unwrap_or_default();
            if old != new {
                match ranges.last_mut() {
                    Some((start, len)) if *start + *len == offset => *len += bytes,
                    _ => ranges.push((offset, bytes)),
                }
            }
            offset += bytes;
        }
    }
}
