//! The table, the bounds, and which of them hold.

use std::path::Path;

use serde::Serialize;

use super::contender::Contender;
use super::floor::Floor;
use super::image::Image;
use super::measure::Measurement;

/// Everything that a run found.
#[derive(Serialize)]
pub(crate) struct Report {
    disk_bytes: u64,
    source_file_bytes: u64,
    floor: Floor,
    rows: Vec<Row>,
    bounds: Vec<Bound>,
}

/// One tool's figures; `None` and zero where it did not come so far.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Row {
    tool: String,
    version: String,
    is_lifeboat: bool,
    pub(crate) first: Option<Measurement>,
    pub(crate) repository_bytes: u64,
    pub(crate) second: Option<Measurement>,
    pub(crate) growth_bytes: u64,
    pub(crate) restore: Option<Measurement>,
    pub(crate) restored_right: bool,
    pub(crate) random_reads_per_second: Option<f64>,
    failure: Option<String>,
}

/// A bound of the project and what was measured.
#[derive(Serialize)]
struct Bound {
    what: &'static str,
    wanted: String,
    found: String,
    /// `None` where a side of the comparison was not measured.
    holds: Option<bool>,
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

    fn peak_memory_bytes(&self) -> Option<u64> {
        let steps = [self.first, self.second, self.restore];
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
            "first {:.1} s, second {:.1} s (+{} MiB), restore {:.1} s",
            seconds(self.first),
            seconds(self.second),
            self.growth_bytes >> 20,
            seconds(self.restore)
        )
    }
}

impl Report {
    pub(crate) fn new(image: &Image, floor: Floor, rows: Vec<Row>) -> Report {
        let source_file_bytes = image
            .first
            .metadata()
            .map(|data| data.len())
            .unwrap_or_default();
        let bounds = bounds(&rows, &floor, image.disk_bytes);
        Report {
            disk_bytes: image.disk_bytes,
            source_file_bytes,
            floor,
            rows,
            bounds,
        }
    }

    /// Whether every bound that was measured holds.
    pub(crate) fn passes(&self) -> bool {
        self.bounds.iter().all(|bound| bound.holds != Some(false))
            && self
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
        let mut page = String::from("# Lifeboat and its peers\n\n");
        let sizes = (self.disk_bytes >> 20, self.source_file_bytes >> 20);
        page.push_str(&format!(
            "Disk of {} MiB, as a dynamic VHDX of {} MiB. Seconds: wall / processor (user and \
             system). Sizes in MiB.\n\n",
            sizes.0, sizes.1
        ));
        page.push_str("| tool | version | first | repository | second | growth | restore | same | random reads/s | peak memory |\n");
        page.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
        for row in &self.rows {
            page.push_str(&table_line(row));
        }
        let floor = &self.floor;
        page.push_str(&format!(
"\nFloor, processor seconds of each component alone: BLAKE3 {:.2} ({} MiB), zstd 1 {:.2} \
             ({} MiB), AES-256-GCM {:.2} ({} MiB), together {:.2}.\n\n",
            floor.hash_seconds,
            floor.hashed_bytes >> 20,
            floor.compress_seconds,
            floor.compressed_bytes >> 20,
            floor.encrypt_seconds,
            floor.stored_bytes >> 20,
            floor.seconds()
));
        page.push_str("| bound | wanted | found | |\n|---|---|---|---|\n");
        for bound in &self.bounds {
            let verdict = match bound.holds {
                Some(true) => "PASS",
                Some(false) => "FAIL",
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
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The bounds that Lifeboat promises.
fn bounds(rows: &[Row], floor: &Floor, disk_bytes: u64) -> Vec<Bound> {
    let peers: Vec<&Row> = rows.iter().filter(|row| !row.is_lifeboat).collect();
    let own = rows.iter().find(|row| row.is_lifeboat);
    let faster = |what, factor, step: fn(&Row) -> Option<Measurement>| {
        let best = peers
            .iter()
            .filter_map(|row| Some((step(row)?.wall_seconds, &row.tool)));
        let best = best.min_by(|a, b| a.0.total_cmp(&b.0));
        let ours = own.and_then(step).map(|step| step.wall_seconds);
        let ratio = best.as_ref().zip(ours).map(|((peer, _), ours)| peer / ours);
        at_least(
            what,
            factor,
            best.map_or("a peer", |(_, tool)| tool.as_str()),
            ratio,
        )
    };
    let reads = |row: &Row| row.random_reads_per_second;
    let mounted = peers
        .iter()
        .find(|row| row.tool == "restic")
        .and_then(|row| reads(row));
    let read_ratio = own
        .and_then(reads)
        .zip(mounted)
        .map(|(ours, peer)| ours / peer);
    // 32 MiB per TiB of disk is one byte per 32 KiB.
    let memory_limit = mebibytes((192 << 20) + disk_bytes / 32768);
    vec![
        faster("first backup", 2.5, |row| row.first),
        at_most(
            "first backup: processor seconds",
            1.3 * floor.seconds(),
            own.and_then(|row| row.first)
                .map(|first| first.processor_seconds),
        ),
        faster("second backup", 3.0, |row| row.second),
        at_most(
            "second backup: growth in MiB",
            80.0,
            own.filter(|row| row.second.is_some())
                .map(|row| mebibytes(row.growth_bytes)),
        ),
        faster("restore", 1.5, |row| row.restore),
        at_least("cold random reads", 25.0, "restic's mount", read_ratio),
        at_most(
            "memory in MiB",
            memory_limit,
            own.and_then(Row::peak_memory_bytes).map(mebibytes),
        ),
    ]
}

fn at_least(what: &'static str, factor: f64, of: &str, ratio: Option<f64>) -> Bound {
    Bound {
        what,
        wanted: format!("at least {factor} times {of}"),
        found: ratio.map_or("-".into(), |ratio| format!("{ratio:.2} times")),
        holds: ratio.map(|ratio| ratio >= factor),
    }
}

fn at_most(what: &'static str, limit: f64, value: Option<f64>) -> Bound {
    Bound {
        what,
        wanted: format!("at most {limit:.2}"),
        found: value.map_or("-".into(), |value| format!("{value:.2}")),
        holds: value.map(|value| value <= limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(wall_seconds: f64, processor_seconds: f64, mebibytes: u64) -> Option<Measurement> {
        let peak_memory_bytes = mebibytes << 20;
        Some(Measurement {
            wall_seconds,
            processor_seconds,
            peak_memory_bytes,
        })
    }

    fn row(tool: &str, seconds: f64, reads: f64) -> Row {
        Row {
            tool: tool.into(),
            is_lifeboat: tool == "lifeboat",
            first: took(seconds, seconds, 100),
            second: took(seconds, seconds, 100),
            restore: took(seconds, seconds, 100),
            restored_right: true,
            growth_bytes: 70 << 20,
            random_reads_per_second: Some(reads),
            ..Row::default()
        }
    }

    fn verdicts(rows: &[Row]) -> Vec<Option<bool>> {
        let floor = Floor {
            hash_seconds: 8.0,
            ..Floor::default()
        };
        bounds(rows, &floor, 4 << 30)
            .iter()
            .map(|bound| bound.holds)
            .collect()
    }

    #[test]
    fn the_fastest_peer_counts() {
        let slow = row("borg", 100.0, 0.0);
        let fast = row("restic", 30.0, 100.0);
        let found = verdicts(&[slow.clone(), fast, row("lifeboat", 10.0, 2500.0)]);
        assert_eq!(found, [Some(true); 7]);
        let faster = row("restic", 14.0, 101.0);
        let found = verdicts(&[slow, faster, row("lifeboat", 10.0, 2500.0)]);
        let [yes, no] = [Some(true), Some(false)];
        assert_eq!(found, [no, yes, no, yes, no, no, yes]);
    }

    #[test]
    fn what_was_not_measured_is_neither_pass_nor_fail() {
        assert_eq!(verdicts(&[row("restic", 30.0, 100.0)]), [None; 7]);
        let found = verdicts(&[row("lifeboat", 10.0, 2500.0)]);
        assert_eq!(found[0], None);
        assert_eq!(found[1], Some(true));
    }

    #[test]
    fn memory_may_grow_with_the_disk() {
        let hungry = Row {
            first: took(1.0, 1.0, 200),
            ..row("lifeboat", 1.0, 1.0)
        };
        let limit = |disk_bytes| {
            bounds(std::slice::from_ref(&hungry), &Floor::default(), disk_bytes)[6].holds
        };
        assert_eq!(limit(4 << 30), Some(false));
        assert_eq!(limit(1 << 40), Some(true));
    }
}
