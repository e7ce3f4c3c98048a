//! `lifeboat point churn`.

use block_io::ByteRanges;
use clap::Args;
use file_restore::{VolumeChurn, VolumeFiles, changed_ranges, volume_churn, volume_files};
use guest_files::FileName;
use guest_reader::VolumeFacts;
use repository::{Repository, RestorePoint, StreamStatistics};
use serde_json::json;
use volume_map::Content;

use crate::cli_error::CliError;
use crate::cmd::files::compared::{ComparedPoint, GuestArgs, outcome};
use crate::cmd::files::listing;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::invocation::Invocation;
use crate::ui::{Align, Table, Ui, count, local_time, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat point churn SQL01@latest --repo /backup
  lifeboat point churn SQL01@latest --since SQL01@latest~7 --top 50 --repo /backup")]
pub(crate) struct ChurnArgs {
    /// The restore point: VM@latest, VM@latest~1, VM@2026-05-01T22:00 or the beginning of an id
    #[arg(value_name = "POINT")]
    point: String,
    /// Compare with this point; by default with the one before it
    #[arg(long, value_name = "POINT")]
    since: Option<String>,
    /// Show so many files by name; the rest is summed up
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    #[command(flatten)]
    guest: GuestArgs,
}

pub(super) fn run(invocation: &Invocation, args: &ChurnArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    if args.guest.names_checkpoint() {
        return Err(CliError::usage(
            "what changed is told of the VM as it is, not of a checkpoint",
        ));
    }
    let repository = invocation.open_repository()?;
    let point = repository.find_point(&args.point)?;
    let before = match &args.since {
        Some(since) => repository.find_point(since)?,
        None => point_before(&repository, &point)?,
    };
    let changed = changed_ranges(&repository, &before, &point)?;
    if changed.iter().any(Option::is_none) {
        return Err(CliError::new(
            ExitCode::Incompatible,
            "all-checkpoints",
            "a point that holds all checkpoints keeps image files, of which it is not known which places of a disk changed",
        ));
    }
    let statistics = statistics(&point);
    let since = local_time(before.started);
    let open = ComparedPoint::open(ui, &repository, point, &changed, &args.guest)?;
    let churn = Churn::of(ui, &open, args.top);
    ui.message(format!(
        "{} changed since {since} (point {}), in chunks of {}",
        size(churn.changed_bytes),
        before.id,
        size(u64::from(repository.chunk_bytes()))
    ));
    churn.tell(ui, statistics);
    let (outcome, code) = outcome(churn.unreadable);
    let fields = json!({ "point": open.point().id, "since": before.id,
                         "changed_bytes": churn.changed_bytes, "unreadable": churn.unreadable });
    ui.summary(outcome, code, fields);
    Ok(code)
}

/// Finds the point of the same VM before this one.
fn point_before(repository: &Repository, point: &RestorePoint) -> Result<RestorePoint, CliError> {
    let catalog = repository.catalog()?;
    let own = (point.started, point.id.as_str());
    let points = catalog.of_vm(&point.vm.identity);
    let before = points
        .filter(|it| (it.summary.started, it.summary.id.as_str()) < own)
        .last();
    match before {
        Some(found) => Ok(repository.point_of(&found.summary)?),
        None => Err(
            CliError::usage("the VM has no restore point before this one")
                .hint("compare it with another point: --since POINT"),
        ),
    }
}

/// Sums up what a run wrote of the disks.
fn statistics(point: &RestorePoint) -> StreamStatistics {
    let mut sum = StreamStatistics::default();
    for disk in point.disks() {
        sum += disk.statistics;
    }
    sum
}

/// Something that changed: a file, or what belongs to none.
struct Row {
    /// `None` where nobody can tell.
    changed_bytes: Option<u64>,
    what: String,
    kind: &'static str,
    /// The kind of `--skip` that leaves it out.
    skip: Option<&'static str>,
}

/// What changed of a point.
#[derive(Default)]
struct Churn {
    changed_bytes: u64,
    /// What of that lies in volumes.
    within_bytes: u64,
    rows: Vec<Row>,
    files: Vec<Row>,
    more_files: u64,
    more_bytes: u64,
    unreadable: u64,
}

impl Churn {
    fn of(ui: &Ui, open: &ComparedPoint, top: usize) -> Self {
        let changed = open.changed().map(ByteRanges::total_bytes);
        let mut churn = Self {
            changed_bytes: changed.fold(0, u64::saturating_add),
            ..Self::default()
        };
        if churn.changed_bytes > 0 {
            for (number, facts) in (0..).zip(&open.guest().facts().volumes) {
                if facts.used_by.is_empty() {
                    churn.volume(ui, open, number, facts, top);
                }
            }
        }
        churn.sum_up(top);
        churn
    }

    /// Adds what changed of a volume.
    fn volume(
        &mut self,
        ui: &Ui,
        open: &ComparedPoint,
        number: u32,
        facts: &VolumeFacts,
        top: usize,
    ) {
        let layout = match open.layout(number) {
            Ok(layout) => layout,
            Err(error) => {
                return self.unreadable(ui, facts, &error.to_string());
            }
        };
        if layout.places.is_none() {
            // It says of itself that all of it may differ: an encrypted one that was opened, or one of
            // LVM's in such a one.
            let mut volumes = open.guest().facts().volumes.iter();
            let why = match volumes.any(|it| it.encryption.is_some()) {
                true => "encrypted",
                false => "where it lies is not seen",
            };
            self.unreadable(
                ui,
                facts,
                &format!("what changed of it is not known ({why})"),
            );
            let what = format!("/{}: files are not known ({why})", facts.name);
            return self.rows.push(Row {
                changed_bytes: None,
                what,
                kind: "unread-volume",
                skip: None,
            });
        }
        if layout.changed.is_empty() {
            return;
        }
        let bytes = layout.changed.total_bytes();
        self.within_bytes = self.within_bytes.saturating_add(bytes);
        match self.files_of(ui, open, number, facts, &layout.changed, top) {
            Some(volume) => self.add_files(facts, volume),
            None if facts.content == Content::Swap => {
                let what = format!("/{}: swap", facts.name);
                self.add(bytes, what, "swap", Some("swap"));
            }
            None => {
                let what = format!(
                    "/{}: files are not known ({})",
                    facts.name,
                    facts.content.name()
                );
                self.add(bytes, what, "unread-volume", None);
            }
        }
    }

    /// Maps what changed of a volume to its files; `None` where they cannot be read, which is said.
    fn files_of(
        &mut self,
        ui: &Ui,
        open: &ComparedPoint,
        number: u32,
        facts: &VolumeFacts,
        changed: &ByteRanges,
        top: usize,
    ) -> Option<VolumeChurn> {
        match volume_files(facts) {
            VolumeFiles::Readable => {}
            VolumeFiles::None => return None,
            VolumeFiles::Hidden(why) => {
                self.unreadable(ui, facts, &why);
                return None;
            }
        }
        let system = open.guest().open(number);
        let churn = system.and_then(|system| volume_churn(system, changed, top, &interrupt::asked));
        if let Err(error) = &churn {
            self.unreadable(ui, facts, &error.to_string());
        }
        churn.ok()
    }

    fn unreadable(&mut self, ui: &Ui, facts: &VolumeFacts, why: &str) {
        self.unreadable = self.unreadable.saturating_add(1);
        ui.warning(&format!("volume /{}: {why}", facts.name));
    }

    fn add_files(&mut self, facts: &VolumeFacts, volume: VolumeChurn) {
        self.unreadable = self.unreadable.saturating_add(volume.unreadable);
        let other = format!("/{}: metadata and free space", facts.name);
        let other_bytes = volume.other_bytes();
        self.add(other_bytes, other, "metadata-and-free-space", None);
        self.more_files = self.more_files.saturating_add(volume.more_files);
        self.more_bytes = self.more_bytes.saturating_add(volume.more_bytes);
        let is_ntfs = facts.content == Content::Ntfs;
        self.files.extend(volume.files.into_iter().map(|file| Row {
            changed_bytes: Some(file.changed_bytes),
            what: format!("/{}/{}", facts.name, listing::shown(&file.path)),
            kind: "file",
            skip: if is_ntfs { skip_of(&file.path) } else { None },
        }));
    }

    /// Brings the files of all volumes together, of which `top` are kept by name, with the rest.
    fn sum_up(&mut self, top: usize) {
        let mut files = std::mem::take(&mut self.files);
        files.sort_by(|one, other| {
            (other.changed_bytes, &one.what).cmp(&(one.changed_bytes, &other.what))
        });
        for file in files.drain(top.min(files.len())..) {
            self.more_files = self.more_files.saturating_add(1);
            let bytes = file.changed_bytes.unwrap_or(0);
            self.more_bytes = self.more_bytes.saturating_add(bytes);
        }
        self.rows.extend(files);
        let more = count(self.more_files, "more file");
        self.add(self.more_bytes, more, "more-files", None);
        let outside = self.changed_bytes.saturating_sub(self.within_bytes);
        let what = "outside the volumes, or in their copies".to_owned();
        self.add(outside, what, "outside", None);
        self.rows
            .sort_by_key(|row| std::cmp::Reverse(row.changed_bytes));
    }

    fn add(
        &mut self,
        changed_bytes: u64,
        what: String,
        kind: &'static str,
        skip: Option<&'static str>,
    ) {
        if changed_bytes > 0 {
            self.rows.push(Row {
                changed_bytes: Some(changed_bytes),
                what,
                kind,
                skip,
            });
        }
    }

    fn tell(&self, ui: &Ui, statistics: StreamStatistics) {
        let mut table = Table::new(&[
            ("SHARE", Align::Right),
            ("CHANGED", Align::Right),
            ("STORED", Align::Right),
            ("LEAVE OUT WITH", Align::Left),
            ("WHAT", Align::Left),
        ]);
        let stored = |bytes: u64| scaled(bytes, statistics.stored_bytes, statistics.changed_bytes);
        for row in &self.rows {
            let share = row
                .changed_bytes
                .map(|bytes| scaled(1000, bytes, self.changed_bytes).unwrap_or(0));
            let estimate = row.changed_bytes.and_then(stored);
            ui.record(
                "churn",
                json!({ "what": row.what, "kind": row.kind, "changed_bytes": row.changed_bytes,
                        "permille": share, "stored_bytes_estimate": estimate,
                        "skip": row.skip }),
            );
            table.row(vec![
                share
                    .map(|share| format!("{}.{} %", share / 10, share % 10))
                    .unwrap_or_default(),
                row.changed_bytes.map(size).unwrap_or_default(),
                estimate
                    .map(|bytes| format!("~{}", size(bytes)))
                    .unwrap_or_default(),
                row.skip
                    .map(|kind| format!("--skip {kind}"))
                    .unwrap_or_default(),
                row.what.clone(),
            ]);
        }
        ui.table(&table);
        self.tell_savings(ui, &stored);
    }

    /// Says what leaving out would save.
    fn tell_savings(&self, ui: &Ui, stored: &dyn Fn(u64) -> Option<u64>) {
        let mut kinds: Vec<&str> = self.rows.iter().filter_map(|row| row.skip).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let skipped = self.rows.iter().filter(|row| row.skip.is_some());
        let bytes = skipped
            .filter_map(|row| row.changed_bytes)
            .fold(0, u64::saturating_add);
        let estimate = stored(bytes).map(|bytes| format!(", about {} stored", size(bytes)));
        match kinds.as_slice() {
            [] => ui.message(
                "nothing of this is of a kind that a backup may leave out; what belongs to a program \
                 (a database's temporary files, caches) can be moved to a disk that is not backed up",
            ),
            kinds => ui.message(format!(
                "--skip {} would have left out {}{}",
                kinds.join(","),
                size(bytes),
                estimate.unwrap_or_default()
            )),
        }
    }
}

/// Returns `bytes * part / whole`; `None` where there is no whole.
fn scaled(bytes: u64, part: u64, whole: u64) -> Option<u64> {
    let scaled = u128::from(bytes)
        .checked_mul(u128::from(part))?
        .checked_div(u128::from(whole))?;
    u64::try_from(scaled).ok()
}

/// Returns which kind of `--skip` leaves a file of an NTFS volume out.
fn skip_of(path: &[FileName]) -> Option<&'static str> {
    let [name] = path else { return None };
    let name = name.as_bytes().to_ascii_lowercase();
    match name.as_slice() {
        b"pagefile.sys" | b"swapfile.sys" => Some("page-files"),
        b"hiberfil.sys" => Some("hibernation-files"),
        _ => None,
    }
}
