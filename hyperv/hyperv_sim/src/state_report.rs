//! What the host is and has, for a person or a program to read.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Behavior, Cluster, MountedImage, PlannedVm, Profile, SimError, SimHost, VirtualSwitch, Vm,
    VolumeRoom,
};

/// What the host is and has.
#[derive(Debug, Clone, Serialize)]
pub struct StateReport {
    /// Which Windows Server it is.
    pub profile: Profile,
    /// Its name.
    pub name: String,
    /// Its time.
    pub now: Timestamp,
    /// How it behaves.
    pub behavior: Behavior,
    /// Its volumes.
    pub volumes: Vec<VolumeRoom>,
    /// Images that are attached to it.
    pub mounted: Vec<MountedImage>,
    /// The cluster that it is told to be in, with no nodes of its own.
    pub cluster: Option<Cluster>,
    /// Its virtual switches, by name.
    pub switches: Vec<VirtualSwitch>,
    /// VMs that are planned, by GUID.
    pub planned: Vec<PlannedVm>,
    /// Its VMs, by GUID.
    pub vms: Vec<Vm>,
    /// Faults that are to come.
    pub faults: serde_json::Value,
}

impl SimHost {
    /// Says what the host is and has.
    pub fn state(&self) -> Result<StateReport, SimError> {
        self.look(|state| {
            let facts = &state.facts;
            Ok(StateReport {
                profile: facts.profile,
                name: facts.name.clone(),
                now: state.now,
                behavior: facts.behavior.clone(),
                volumes: state.volume_rooms()?,
                mounted: facts.mounted.clone(),
                cluster: facts.cluster.clone(),
                switches: state.switches(),
                planned: facts.planned.values().cloned().collect(),
                vms: state.vms.values().cloned().collect(),
                faults: facts.faults.clone(),
            })
        })
    }
}
