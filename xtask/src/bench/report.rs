//! Everything that a run found, as a page and as JSON.

use std::path::Path;

use serde::Serialize;

use super::bounds::{Bound, bounds};
use super::changed::Changed;
use super::collection::Collection;
use super::contender::Contender;
use super::floor::Floor;
use super::measure::Measurement;
use super::nbd_reads::NbdReads;
use super::restore_floor::RestoreFloor;

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Findings {
    pub(crate) disk_bytes: u64,
    pub(crate) source_file_bytes: u64,
    pub(crate) machine: Machine,
    pub(crate) floor: Floor,
    pub(crate) restore_floor: RestoreFloor,
    pub(crate) rows: Vec<Row>,
    pub(crate) changed: Option<Changed>,
    pub(crate) nbd: Option<NbdReads>,
    pub(crate) collection: Option<Collection>,
}

/// What the machine is, and what else it did.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Machine {
    pub(crate) processors: usize,
    /// Load averages over one minute, before and after, as the kernel tells them.
    pub(crate) load: [String; 2],
}

impl Machine {
    pub(crate) fn load_now() -> String {
        let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        text.split(' ').next().unwrap_or("unknown").to_owned()
    }
}

/// Everything that a run found, and what it means.
#[derive(Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    findings: Findings,
    bounds: Vec<Bound>,
}

/// One tool's figures; `None` and zero where it did not come so far.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) tool: String,
    pub(crate) version: String,
    pub(crate) is_lifeboat: bool,
    pub(crate) first: Option<Measurement>,
    pub(crate) repository_bytes: u64,
    pub(crate) second: Option<Measurement>,
    pub(crate) growth_bytes: u64,
    pub(crate) restore: Option<Measurement>,
    /// The same into a VHDX, where the tool is ours.
    pub(crate) restore_vhdx: Option<Measurement>,
    /// Reading everything back, where the tool is ours.
    pub(crate) check: Option<Measurement>,
    pub(crate) restored_right: bool,
    pub(crate) random_reads_per_second: Option<f64>,
    pub(crate) failure: Option<String>,
}

impl Row {
    pub(crate) fn new(contender: &dyn Contender) -> Row {
        Row {
            tool: contender.name(),
            version: contender.version(),
            is_lifeboat: contender.is_lifeboat(),
            ..Row::default()
        }
    }

    pub(crate) fn failed(contender: &dyn Contender, reason: String) -> Row {
        Row {
            failure: Some(reason),
            ..Row::new(contender)
        }
    }

    pub(crate) fn peak_memory_bytes(&self) -> Option<u64> {
        let steps = [
            self.first,
            self.second,
            self.restore,
            self.restore_vhdx,
            self.check,
        ];
        steps
            .iter()
            .flatten()
            .map(|step| step.peak_memory_bytes)
            .max()
    }

    /// One line for the terminal.
    pub(crate) fn summary(&self) -> String {
        let seconds = |step: Option<Measurement>| step.map_or(f64::NAN, |m| m.wall_seconds);
        format!(
            "first {:.1} s, second {:.1} s (+{} MiB), restore {:.1} s (into a VHDX {:.1} s)",
            seconds(self.first),
            seconds(self.second),
            self.growth_bytes >> 20,
            seconds(self.restore),
            seconds(self.restore_vhdx)
        )
    }
}

impl Report {
    pub(crate) fn new(findings: Findings) -> Report {
        let bounds = bounds(&findings);
        Report { findings, bounds }
    }

    /// Whether every bound that was measured holds.
    pub(crate) fn passes(&self) -> bool {
        self.bounds.iter().all(|bound| bound.holds != Some(false))
            && self
                .findings
                .rows
                .iter()
                .all(|row| row.failure.is_none() && row.restored_right)
    }

    /// Writes `report.md` and `report.json` into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), String> {
        let json = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(folder.join("report.json"), json)
            .and_then(|()| std::fs::write(folder.join("report.md"), self.markdown()))
            .map_err(|error| format!("cannot write the report: {error}"))
    }

    /// The report as a page.
    pub(crate) fn markdown(&self) -> String {
        let found = &self.findings;
        let mut page = String::from("# Lifeboat and its peers\n\n");
        page.push_str(&format!(
            "Disk of {} MiB, as a dynamic VHDX of {} MiB. Seconds: wall / processor (user and \
             system). Sizes in MiB. {} processors; load {} before, {} after.\n\n",
            found.disk_bytes >> 20,
            found.source_file_bytes >> 20,
            found.machine.processors,
            found.machine.load[0],
            found.machine.load[1],
        ));
        page.push_str("| tool | version | first | repository | second | growth | restore | same | random reads/s | peak memory |\n");
        page.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
        for row in &found.rows {
            page.push_str(&table_line(row));
        }
        page.push_str(&parts(found));
        page.push_str("| bound | wanted | this run | |\n|---|---|---|---|\n");
        for bound in &self.bounds {
            let verdict = match bound.holds {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "not measured",
            };
            page.push_str(&format!(
                "| {} | {} | {} | {verdict} |\n",
                bound.what, bound.wanted, bound.found
            ));
        }
        page
    }
}

/// What each part takes alone.
fn parts(found: &Findings) -> String {
    let floor = &found.floor;
    let mut text = format!(
        "\nParts alone, processor seconds. First backup: {}.\n",
        components(floor)
    );
    let restore = &found.restore_floor;
    text.push_str(&format!(
        "Restore: AES-256-GCM {:.2}, zstd {:.2}, BLAKE3 {:.2}, writing {} MiB {:.2} ({:.2} by the \
         clock), together {:.2}.\n",
        restore.decrypt_seconds,
        restore.decompress_seconds,
        restore.hash_seconds,
        restore.written_bytes >> 20,
        restore.write_seconds,
        restore.write_wall_seconds,
        restore.processor_seconds(),
    ));
    for row in &found.rows {
        if let Some(took) = row.restore_vhdx {
            text.push_str(&format!(
                "Restore into a VHDX: {:.2} / {:.2}.\n",
                took.wall_seconds, took.processor_seconds
            ));
        }
    }
    if let Some(changed) = &found.changed {
        let parts = components(&changed.floor);
        text.push_str(&format!("Changed ranges: {parts}.\n"));
        for row in [&changed.own, &changed.benji].into_iter().flatten() {
            text.push_str(&format!(
                "{} took {:.2} / {:.2} for them, and grew by {:.1}.\n",
                row.tool,
                row.took.wall_seconds,
                row.took.processor_seconds,
                mebibytes(row.growth_bytes)
            ));
        }
        for note in &changed.notes {
            text.push_str(&format!("{note}\n"));
        }
    }
    if let Some(nbd) = &found.nbd {
        text.push_str(&format!(
            "NBD, cold random reads/s at depth 1 and 8: lifeboat {:.0}, {:.0}; qemu-nbd {:.0}, {:.0}.\n",
            nbd.own,
            nbd.own_deep,
            nbd.qemu.unwrap_or(f64::NAN),
            nbd.qemu_deep.unwrap_or(f64::NAN),
        ));
    }
    if let Some(collection) = &found.collection {
        text.push_str(&collection.text());
    }
    text.push('\n');
    text
}

fn components(floor: &Floor) -> String {
    format!(
        "BLAKE3 {:.2} ({} MiB), zstd 1 {:.2} ({} MiB), AES-256-GCM {:.2} ({} MiB), together {:.2}",
        floor.hash_seconds,
        floor.hashed_bytes >> 20,
        floor.compress_seconds,
        floor.compressed_bytes >> 20,
        floor.encrypt_seconds,
        floor.stored_bytes >> 20,
        floor.seconds()
    )
}

fn table_line(row: &Row) -> String {
    if let Some(failure) = &row.failure {
        let failure = failure.replace(['\n', '|'], " ");
        return format!(
            "| {} | {} | failed: {failure} | | | | | | | |\n",
            row.tool, row.version
        );
    }
    let step = |step: Option<Measurement>| {
        step.map_or("-".into(), |m| {
            format!("{:.2} / {:.2}", m.wall_seconds, m.processor_seconds)
        })
    };
    format!(
        "| {} | {} | {} | {} | {} | +{:.1} | {} | {} | {} | {} |\n",
        row.tool,
        row.version,
        step(row.first),
        row.repository_bytes >> 20,
        step(row.second),
        mebibytes(row.growth_bytes),
        step(row.restore),
        if row.restored_right { "yes" } else { "NO" },
        row.random_reads_per_second
            .map_or("-".into(), |rate| format!("{rate:.0}")),
        row.peak_memory_bytes()
            .map_or("-".into(), |bytes| format!("{:.0}", mebibytes(bytes))),
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes for people need no more than 52 bits"
)]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
