//! The table as a page of the documentation.

use std::fmt::{self, Write as _};

use crate::{Freeze, Matrix, Way};

const HEAD: &str = "\
# Support matrix

This page is made of `hyperv/support_matrix/data/support.toml`, which `lifeboat doctor` reads too. Do not edit it by hand: `LIFEBOAT_BLESS=1 cargo test -p support_matrix` writes it anew.

Nothing here was seen on a real host by this project; all of it runs on the simulated one. *documented*: the vendor's own page says so. *derived*: it follows from documented facts, or from the source code of the guest's part. *guess*: nobody wrote it down, or pages disagree.
";

/// Returns `docs/operate/support-matrix.md`.
pub fn page(matrix: &Matrix) -> String {
    let mut text = String::from(HEAD);
    // Writing to a string does not fail.
    write(matrix, &mut text).unwrap_or_default();
    text
}

fn write(matrix: &Matrix, text: &mut String) -> fmt::Result {
    text.push_str("\n## Modes\n\n| Mode | What it is | What it does and needs |\n|---|---|---|\n");
    for row in &matrix.mode {
        writeln!(text, "| `{}` | {} | {} |", row.name, row.title, row.text)?;
    }
    hosts(matrix, text)?;
    guests(matrix, text)?;
    file_systems(matrix, text)
}

fn hosts(matrix: &Matrix, text: &mut String) -> fmt::Result {
    text.push_str("\n## Hosts\n\n| Host | From | tracked | standard | all | A guest that takes part | One that does not | Evidence |\n|---|---|---|---|---|---|---|---|\n");
    for row in &matrix.host {
        let (major, minor, build) = row.from;
        writeln!(
            text,
            "| {} | {major}.{minor}.{build} | {} | {} | {} | {} | {} | {}: {} |",
            row.name,
            way(row.tracked),
            way(row.standard),
            way(row.all),
            row.online,
            row.offline,
            row.evidence.name(),
            row.source
        )?;
    }
    text.push_str("\n*VSS*: through a snapshot of the volume.\n\n");
    for row in matrix.host.iter().filter(|row| !row.note.is_empty()) {
        writeln!(text, "* {}: {}", row.name, row.note)?;
    }
    text.push_str("\n### Configuration versions\n\nA VM is restored to a host that runs its version. Changes are tracked from 8.0 on.\n\n| Host | Versions |\n|---|---|\n");
    for row in matrix
        .host
        .iter()
        .filter(|row| !row.configurations.is_empty())
    {
        writeln!(text, "| {} | {} |", row.name, row.configurations.join(", "))?;
    }
    Ok(())
}

fn guests(matrix: &Matrix, text: &mut String) -> fmt::Result {
    text.push_str("\n## Guests\n\nA guest tells its name through the data exchange service.\n\n| Guest | What is frozen | Needs | Evidence |\n|---|---|---|---|\n");
    for row in &matrix.guest {
        let freeze = match row.freeze {
            Freeze::Writers => "applications (VSS writers)",
            Freeze::FileSystems => "file systems",
            Freeze::None => "nothing: crash-consistent, or saved where the policy allows it",
        };
        writeln!(
            text,
            "| {} | {freeze} | {} | {}: {} |",
            row.name,
            row.parts,
            row.evidence.name(),
            row.source
        )?;
    }
    text.push('\n');
    for row in matrix.guest.iter().filter(|row| !row.note.is_empty()) {
        writeln!(text, "* {}: {}", row.name, row.note)?;
    }
    Ok(())
}

fn file_systems(matrix: &Matrix, text: &mut String) -> fmt::Result {
    text.push_str("\n## File systems in guests\n\n| File system | Guest | Frozen | Evidence |\n|---|---|---|---|\n");
    for row in &matrix.file_system {
        let frozen = if row.frozen { "yes" } else { "no" };
        let evidence = row.evidence.name();
        let (name, guest, source) = (&row.name, &row.guest, &row.source);
        writeln!(
            text,
            "| {name} | {guest} | {frozen} | {evidence}: {source} |"
        )?;
    }
    text.push('\n');
    for row in matrix.file_system.iter().filter(|row| !row.note.is_empty()) {
        writeln!(text, "* {}: {}", row.name, row.note)?;
    }
    text.push_str(
        "\n## Volumes of the host\n\n| File system | Snapshots | Evidence |\n|---|---|---|\n",
    );
    for row in &matrix.volume {
        let snapshots = if row.snapshots { "yes" } else { "no" };
        let evidence = row.evidence.name();
        writeln!(
            text,
            "| {} | {snapshots} | {evidence}: {} |",
            row.name, row.source
        )?;
    }
    Ok(())
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Yes => "yes",
        Way::Vss => "VSS",
        Way::No => "no",
    }
}
