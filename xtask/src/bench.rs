//! Lifeboat against its peers: one machine, one run, one image.
//!
//! The image is an ext4 disk made of this machine's own programs and text, random data and a
//! database ([`image`]), as a dynamic VHDX. Each tool backs it up, backs up the next day's image
//! (a new file, so everything is read again), restores it, and is asked for random blocks while no
//! cache is warm. Ratios are what counts: the absolute figures are this machine's.
//!
//! What must lie on the machine: `mkfs.ext4`, `qemu-img`, GNU `time`. Peers that are missing are
//! named, with the command that installs them.

mod benji;
mod bounds;
mod changed;
mod collection;
mod contender;
mod files;
mod floor;
mod image;
mod lifeboat;
mod measure;
mod nbd_reads;
mod peers;
mod random_reads;
mod report;
mod restore_floor;
mod tracked;

use std::path::{Path, PathBuf};

use contender::{Contender, Place};
use image::Image;
use lifeboat::Lifeboat;
use report::{Findings, Machine, Report, Row};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Folder for the image, the repositories and the report; the image is made once and kept.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    work: PathBuf,
    /// A 512 MiB image: for trying the benchmark, not for its figures.
    #[arg(long)]
    quick: bool,
    /// Run these tools alone (part of a name; may be given more than once).
    #[arg(long, value_name = "TOOL")]
    only: Vec<String>,
    /// Install rustic from its crate below the work folder first (takes half an hour).
    #[arg(long)]
    install_peers: bool,
    /// Measure the same change on a disk of 4 GiB and on one of 256 GiB instead.
    #[arg(long)]
    tracked: bool,
    /// Measure files out of a backup against the same volume mounted instead (needs ntfs-3g).
    #[arg(long)]
    files: bool,
    /// Leave the repositories in the work folder.
    #[arg(long)]
    keep: bool,
}

/// Runs the benchmark, prints the table and writes it to `report.md` and `report.json`.
/// `Ok(true)` when every bound that could be measured holds.
pub(crate) fn run(root: &Path, options: &Options) -> Result<bool, String> {
    let work = root.join(&options.work);
    let work = work.join(if options.quick { "quick" } else { "full" });
    create_folder(&work)?;
    if options.tracked {
        return tracked::run(&lifeboat::build_program(root)?, &work);
    }
    if options.files {
        return files::run(&lifeboat::build_program(root)?, &work);
    }
    let image = Image::prepare(&work, if options.quick { 8 } else { 1 })?;
    if options.install_peers {
        peers::install_rustic(&work)?;
    }
    let place = |name: &str| Place::new(&work, name, &image);
    let mut contenders = peers::find(&work, &place)?;
    let wanted = |name: &str| {
        options.only.is_empty() || options.only.iter().any(|only| name.contains(only.as_str()))
    };
    let load_before = Machine::load_now();
    let own = own(root, &wanted, place("lifeboat"));
    if let Some(own) = &own {
        contenders.push(Box::new(own.elsewhere(place("lifeboat"))));
    }
    println!("measuring the components alone");
    let floor = floor::measure(&image.first_raw)?;
    let restore_floor = restore_floor::measure(&image.second_raw, &work.join("scratch"))?;
    let mut rows = Vec::new();
    for contender in contenders
        .iter()
        .filter(|contender| wanted(&contender.name()))
    {
        let row = compete(contender.as_ref(), &image).unwrap_or_else(|reason| {
            println!("{}: {reason}", contender.name());
            Row::failed(contender.as_ref(), reason)
        });
        rows.push(row);
        if !options.keep {
            contender.place().clear()?;
        }
    }
    let mut findings = Findings {
        disk_bytes: image.disk_bytes,
        source_file_bytes: image.first.metadata().map_or(0, |data| data.len()),
        machine: Machine::default(),
        floor,
        restore_floor,
        rows,
        changed: None,
        nbd: None,
        collection: None,
    };
    let own = own.map(|own| own.elsewhere(place("lifeboat-changed")));
    further_rows(own.as_ref(), &image, &work, wanted("benji"), &mut findings)?;
    if let Some(own) = own.filter(|_| options.only.is_empty() || wanted("collection")) {
        let own = own.elsewhere(place("lifeboat-collection"));
        let scale = if options.quick { 64 } else { 1 };
        findings.collection = Some(collection::measure(&own, &image, &work, scale));
    }
    findings.machine = Machine {
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        load: [load_before, Machine::load_now()],
    };
    let report = Report::new(findings);
    report.write(&work)?;
    print!("{}", report.markdown());
    Ok(report.passes())
}

/// Builds Lifeboat, where it is to run.
fn own(root: &Path, wanted: &dyn Fn(&str) -> bool, place: Place) -> Option<Lifeboat> {
    if !wanted("lifeboat") {
        return None;
    }
    lifeboat::build(root, place)
        .inspect_err(|reason| println!("skipped: lifeboat: {reason}"))
        .ok()
}

/// What is not asked of every tool: changed ranges, reads over NBD.
fn further_rows(
    own: Option<&Lifeboat>,
    image: &Image,
    work: &Path,
    with_benji: bool,
    findings: &mut Findings,
) -> Result<(), String> {
    if own.is_none() && !with_benji {
        return Ok(());
    }
    findings.changed = changed::measure(own, image, work, with_benji)
        .inspect_err(|reason| println!("  changed ranges: {reason}"))
        .ok();
    if let Some(own) = own {
        // The repository is the one that was just filled.
        findings.nbd = nbd_reads::measure(own, image)
            .inspect_err(|reason| println!("  reads over NBD: {reason}"))
            .ok();
        own.place().clear()?;
    }
    Ok(())
}

/// One tool through all of it.
fn compete(contender: &dyn Contender, image: &Image) -> Result<Row, String> {
    println!("{} {}", contender.name(), contender.version());
    let place = contender.place();
    place.clear()?;
    place.prepare()?;
    let mut row = Row::new(contender);
    measure::run(contender.init())?;

    image.present(&image.first, &place.source)?;
    row.first = Some(measure::run(contender.backup(1))?);
    row.repository_bytes = measure::folder_bytes(&place.repository);

    image.present(&image.second, &place.source)?;
    row.second = Some(measure::run(contender.backup(2))?);
    let grown = measure::folder_bytes(&place.repository);
    row.growth_bytes = grown.saturating_sub(row.repository_bytes);

    row.restore = Some(measure::run(contender.restore())?);
    row.restored_right = measure::same_content(&contender.restored(), &contender.expected(image))?;
    if !row.restored_right {
        println!("  the restored file differs from its source");
    }
    // Four gigabytes less in the page cache, and the random reads cannot hit them.
    std::fs::remove_file(contender.restored()).map_err(|error| error.to_string())?;
    if let Some((command, vhdx)) = contender.restore_vhdx() {
        row.restore_vhdx = Some(measure::run(command)?);
        row.restored_right &= measure::same_disk(&vhdx, &image.second_raw)?;
        std::fs::remove_file(vhdx).map_err(|error| error.to_string())?;
    }

    row.check = contender.check().map(measure::run).transpose()?;
    match contender.random_reads(image) {
        Ok(rate) => row.random_reads_per_second = rate,
        Err(reason) => println!("  random reads: {reason}"),
    }
    println!("  {}", row.summary());
    Ok(row)
}

fn create_folder(path: &Path) -> Result<(), String> {
    std::fs::create_dir_all(path)
        .map_err(|error| format!("cannot create {}: {error}", path.display()))
}
