//! `lifeboat point churn`.

use clap::Args;
use file_restore::{VolumeChurn, VolumeFiles, changed_ranges, volume_churn, volume_files};
use guest_files::FileName;
use guest_reader::VolumeFacts;
use repository::{Repository, RestorePoint, StreamStatistics};
use serde_json::json;
use volume_map::Content;

use crate::cli_error::CliError;
use crate::cmd::files::compared::{ComparedPoint, GuestArgs};
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
    let (outcome, code) = match (interrupt::asked(), churn.unreadable) {
        (true, _) => ("cancelled", ExitCode::Cancelled),
        (false, 0) => ("success", ExitCode::Success),
        (false, _) => ("partial", ExitCode::Partial),
    };
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
    changed_bytes: u64,
    what: String,
    kind: &'static str,
    /// The kind of `--skip` that leaves it out.
    skip: Option<&'static str>,
}

/// What changed of a point.
struct Churn {
    changed_bytes: u64,
    rows: Vec<Row>,
    unreadable: u64,
}

impl Churn {
    fn of(ui: &Ui, open: &ComparedPoint, top: usize) -> Self {
        let mut churn = Self {
            changed_bytes: open.changed().map(block_io::ByteRanges::total_bytes).sum(),
            rows: Vec::new(),
            unreadable: 0,
        };
        let mut within = 0_u64;
        let mut files = Vec::new();
        let (mut more_files, mut more_bytes) = (0, 0);
        for (number, facts) in (0..).zip(&open.guest().facts().volumes) {
            if !facts.used_by.is_empty() {
                continue;
            }
            let Some(layout) = open.layout(number) else {
                continue;
            };
            if layout.changed.is_empty() {
                continue;
            }
            let bytes = layout.changed.total_bytes();
            within = within.saturating_add(bytes);
            match churn.volume(ui, open, number, facts, top) {
                Some(volume) => {
                    churn.unreadable += volume.unreadable;
                    churn.add(
                        volume.other_bytes(),
                        format!("/{}: metadata and free space", facts.name),
                        "metadata-and-free-space",
                        None,
                    );
                    more_files += volume.more_files;
                    more_bytes += volume.more_bytes;
                    let is_ntfs = facts.content == Content::Ntfs;
                    files.extend(volume.files.into_iter().map(|file| Row {
                        changed_bytes: file.changed_bytes,
                        what: format!("/{}/{}", facts.name, shown(&file.path)),
                        kind: "file",
                        skip: if is_ntfs { skip_of(&file.path) } else { None },
                    }));
                }
                None if facts.content == Content::Swap => {
                    churn.add(
                        bytes,
                        format!("/{}: swap", facts.name),
                        "swap",
                        Some("swap"),
                    );
                }
                None => {
                    let what = format!(
                        "/{}: files are not known ({})",
                        facts.name,
                        facts.content.name()
                    );
                    churn.add(bytes, what, "unread-volume", None);
                }
            }
        }
        files.sort_by(|one, other| {
            (other.changed_bytes, &one.what).cmp(&(one.changed_bytes, &other.what))
        });
        for file in files.drain(top.min(files.len())..) {
            more_files += 1;
            more_bytes += file.changed_bytes;
        }
        churn.rows.extend(files);
        churn.add(
            more_bytes,
            count(more_files, "more file"),
            "more-files",
            None,
        );
        let outside = churn.changed_bytes.saturating_sub(within);
        churn.add(outside, "outside the volumes".to_owned(), "outside", None);
        churn
            .rows
            .sort_by_key(|row| std::cmp::Reverse(row.changed_bytes));
        churn
    }

    /// Maps what changed of a volume to its files; `None` where they cannot be read, which is said.
    fn volume(
        &mut self,
        ui: &Ui,
        open: &ComparedPoint,
        number: u32,
        facts: &VolumeFacts,
        top: usize,
    ) -> Option<VolumeChurn> {
        match volume_files(facts) {
            VolumeFiles::Readable => {}
            VolumeFiles::None => return None,
            VolumeFiles::Hidden(why) => {
                self.unreadable += 1;
                ui.warning(&format!("volume /{}: {why}", facts.name));
                return None;
            }
        }
        let changed = &open.layout(number)?.changed;
        let system = open.guest().open(number);
        let churn = system.and_then(|system| volume_churn(system, changed, top, &interrupt::asked));
        if let Err(error) = &churn {
            self.unreadable += 1;
            ui.warning(&format!("volume /{}: {error}", facts.name));
        }
        churn.ok()
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
                changed_bytes,
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
            let share = scaled(1000, row.changed_bytes, self.changed_bytes).unwrap_or(0);
            ui.record(
                "churn",
                json!({ "what": row.what, "kind": row.kind, "changed_bytes": row.changed_bytes,
                        "permille": share, "stored_bytes_estimate": stored(row.changed_bytes),
                        "skip": row.skip }),
            );
            table.row(vec![
                format!("{}.{} %", share / 10, share % 10),
                size(row.changed_bytes),
                stored(row.changed_bytes)
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
        let bytes: u64 = skipped.map(|row| row.changed_bytes).sum();
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

fn shown(path: &[FileName]) -> String {
    let names: Vec<String> = path.iter().map(ToString::to_string).collect();
    names.join("/")
}
