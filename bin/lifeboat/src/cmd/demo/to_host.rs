//! A VM of the cluster comes back on a host that never saw it.

use std::sync::Arc;

use backup_run::RunReport;
use block_io::MemoryDisk;
use hyperv_sim::{PowerState, Profile, SimHost, SimOptions};
use repository::RestorePoint;
use serde_json::json;
use vm_restore::{Destination, HostRestoreRequest, StartPolicy, plan_host_restore};

use super::proof;
use super::scene::Scene;
use super::story::Story;
use crate::cli_error::CliError;
use crate::cmd::sim::failed;
use crate::host_choice::{connect_sim, open_sim};

const VM: &str = "WEB01";
const HOST: &str = "HV-C";

/// Restores a VM to another host, starts it there, and compares its disk.
pub(super) fn restore(
    story: &Story<'_>,
    scene: &Scene,
    report: &RunReport,
) -> Result<(), CliError> {
    let actor = scene.part(VM)?;
    let item = report.items.iter().find(|item| item.vm == VM);
    let point = item.and_then(|item| item.point.as_deref());
    let point = story.repository.find_point(point.unwrap_or_default())?;
    let folder = story.folder.join("other-host");
    let options = SimOptions {
        profile: Profile::Server2025,
        host_name: HOST.to_owned(),
        seed: 3,
    };
    SimHost::create(&folder, options).map_err(failed)?;
    let sim = open_sim(&folder)?;
    let host = connect_sim(Arc::clone(&sim), folder.join("journal"))?;
    let request = HostRestoreRequest {
        destination: Destination::Folder(format!("C:\\Restored\\{VM}")),
        start: StartPolicy::Start,
        run: RestorePoint::new_id()?,
        session_folder: story.folder.join("sessions"),
        ..HostRestoreRequest::default()
    };
    let plan = plan_host_restore(&story.repository, &point, &host, &request)?;
    let report = plan.execute(&host, &())?;
    if sim.vm(actor.id).map_err(failed)?.power != PowerState::Running {
        return Err(proof::failed(format!("{VM} does not run on {HOST}")));
    }
    let there = sim.open_disk(actor.id, 0).map_err(failed)?;
    let written = MemoryDisk::new(actor.disk.clone());
    let hash = proof::same_disk("the VM on another host", &written, &there)?;
    let text = format!(
        "Restored {VM} to another host, {HOST}, in {} steps: it runs there with its identity, and \
         its disk is equal, BLAKE3 {}.",
        plan.steps.len(),
        hash.get(..16).unwrap_or(&hash)
    );
    story.step("restored-to-host", &text, json!(report));
    Ok(())
}
