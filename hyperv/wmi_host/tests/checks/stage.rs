//! A simulated host, its VSS, and the host that is tested upon it.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyperv_host::{Finding, Severity};
use hyperv_sim::{
    DiskContent, DiskSpec, Profile, SimClock, SimHost, SimOptions, SimPaths, SimSession,
};
use hyperv_sim::{SimVss, VmSpec};
use tempfile::TempDir;
use wmi_host::{WmiHost, WmiHostOptions, find_residue};

pub(crate) const MIB: usize = 1 << 20;

/// A simulated host, its VSS, and the host that is tested upon it.
pub(crate) struct Stage {
    pub(crate) sim: Arc<SimHost>,
    pub(crate) host: WmiHost,
    pub(crate) folder: TempDir,
}

impl Stage {
    pub(crate) fn new(profile: Profile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimOptions {
            profile,
            ..SimOptions::default()
        };
        let sim = Arc::new(SimHost::create(&folder.path().join("sim"), options).unwrap());
        Self::on(sim, folder)
    }

    /// Takes a host that is there; `folder` keeps what is beside it.
    pub(crate) fn on(sim: Arc<SimHost>, folder: TempDir) -> Self {
        let session = SimSession::new(Arc::clone(&sim))
            .unwrap()
            .answering_at_once();
        let options = WmiHostOptions {
            journal: Some(folder.path().join("journal")),
            ..WmiHostOptions::default()
        };
        let host = WmiHost::connect(
            Arc::new(session),
            Arc::new(SimClock::new(Arc::clone(&sim))),
            Some(Arc::new(SimPaths::new(Arc::clone(&sim)))),
            options,
        );
        let host = host
            .unwrap()
            .with_vss(Arc::new(SimVss::new(Arc::clone(&sim))));
        Self { sim, host, folder }
    }

    /// Everything that doctor tells, residue included.
    pub(crate) fn found(&self) -> Vec<(Option<String>, Finding)> {
        let mut found = self.host.doctor().unwrap();
        found.extend(self.host.look_inside().unwrap());
        let residue = find_residue(&self.host).unwrap();
        found.extend(residue.into_iter().map(|left| (left.vm, left.finding)));
        found
    }

    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.found()
            .into_iter()
            .map(|(_, finding)| finding.id)
            .collect()
    }

    /// Finds what is told under an id.
    pub(crate) fn severity_of(&self, id: &str) -> Option<Severity> {
        let found = self.found();
        let (_, finding) = found.into_iter().find(|(_, finding)| finding.id == id)?;
        Some(finding.severity)
    }
}

/// A VM with one disk of this content.
pub(crate) fn vm_with(name: &str, bytes: &[u8], folder: &TempDir) -> VmSpec {
    let image = folder.path().join(format!("{name}.img"));
    std::fs::write(&image, bytes).unwrap();
    VmSpec::new(name).with_disk(DiskSpec::new(DiskContent::Image(image)))
}

/// A small VM that nothing is wrong with.
pub(crate) fn vm(name: &str) -> VmSpec {
    VmSpec::new(name).with_disk(DiskSpec::empty(4 << 20))
}

/// A disk whose only partition has this type.
pub(crate) fn mbr(kind: u8) -> Vec<u8> {
    let mut disk = vec![0; 4 * MIB];
    disk[446 + 4] = kind;
    disk[446 + 8..446 + 12].copy_from_slice(&2048_u32.to_le_bytes());
    disk[446 + 12..446 + 16].copy_from_slice(&4096_u32.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk
}

/// A disk with one FAT16 volume in a partition.
pub(crate) fn fat() -> Vec<u8> {
    let mut disk = mbr(0x06);
    let boot = &mut disk[MIB..];
    boot[..3].copy_from_slice(&[0xEB, 0x3C, 0x90]);
    boot[11..13].copy_from_slice(&512_u16.to_le_bytes());
    boot[13] = 1;
    boot[14..16].copy_from_slice(&1_u16.to_le_bytes());
    boot[16] = 2;
    boot[17..19].copy_from_slice(&512_u16.to_le_bytes());
    boot[19..21].copy_from_slice(&20_000_u16.to_le_bytes());
    boot[21] = 0xF8;
    boot[22..24].copy_from_slice(&80_u16.to_le_bytes());
    boot[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk
}
