//! The table.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::{FileSystemRow, GuestRow, HostRow, ModeRow, VolumeRow};

/// The whole table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Hosts: servers by version, and clients by version.
    pub host: Vec<HostRow>,
    /// What the modes are.
    pub mode: Vec<ModeRow>,
    /// Guests; the first row that fits counts.
    pub guest: Vec<GuestRow>,
    /// File systems in guests.
    pub file_system: Vec<FileSystemRow>,
    /// File systems of the host's volumes.
    pub volume: Vec<VolumeRow>,
}

/// How sure a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The vendor's own page says so.
    Documented,
    /// It follows from documented facts, or from source code.
    Derived,
    /// Nobody wrote it down, or pages disagree.
    Guess,
}

impl Evidence {
    /// Returns the word of the data file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Derived => "derived",
            Self::Guess => "guess",
        }
    }
}

/// Returns the table of this version of the program.
#[expect(
    clippy::expect_used,
    reason = "the data file is part of the program, and a test reads it"
)]
pub fn matrix() -> &'static Matrix {
    static MATRIX: LazyLock<Matrix> = LazyLock::new(|| {
        toml::from_str(include_str!("../data/support.toml")).expect("the table can be read")
    });
    &MATRIX
}

impl Matrix {
    /// Finds the row of a host: the newest that is not newer than it. `None`: it is older than all.
    pub fn host(&self, version: (u32, u32, u32), client: bool) -> Option<&HostRow> {
        let rows = self.host.iter().filter(|row| row.client == client);
        rows.filter(|row| row.from <= version)
            .max_by_key(|row| row.from)
    }

    /// Returns whether the table ends before this host: it is newer than all that is known.
    pub fn is_newer_than_known(&self, version: (u32, u32, u32), client: bool) -> bool {
        let rows = self.host.iter().filter(|row| row.client == client);
        // Builds of one release grow by a few; the next release is hundreds away.
        const SAME_RELEASE: u32 = 400;
        let newest = rows.map(|row| row.from).max().unwrap_or_default();
        !client && version > (newest.0, newest.1, newest.2.saturating_add(SAME_RELEASE))
    }

    /// Finds the row of a guest by what it calls itself: `Ubuntu 22.04.4 LTS`.
    pub fn guest(&self, system: &str) -> Option<&GuestRow> {
        let system = system.to_lowercase();
        self.guest.iter().find(|row| row.fits(&system))
    }

    /// Finds the row of a volume's file system, in whatever case.
    pub fn volume(&self, file_system: &str) -> Option<&VolumeRow> {
        self.volume
            .iter()
            .find(|row| row.name.eq_ignore_ascii_case(file_system))
    }
}
