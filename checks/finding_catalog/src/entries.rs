//! The pages.

mod checkpoints;
mod clusters;
mod disks;
mod guests;
mod host_restores;
mod hosts;
mod made_vms;
mod moving_vms;
mod other_machines;
mod repositories;
mod residue;
mod restores;
mod runs;
mod vms;
mod vss;
mod writer_restores;

use hyperv_host::Severity;

use crate::Explanation;

/// All pages, by code.
pub(crate) const ALL: &[&[Explanation]] = &[
    hosts::PAGES,
    vss::PAGES,
    clusters::PAGES,
    vms::PAGES,
    runs::PAGES,
    checkpoints::PAGES,
    residue::PAGES,
    moving_vms::PAGES,
    disks::PAGES,
    restores::PAGES,
    host_restores::PAGES,
    made_vms::PAGES,
    other_machines::PAGES,
    writer_restores::PAGES,
    guests::PAGES,
    repositories::PAGES,
];

/// A page that nothing is said on yet.
const BLANK: Explanation = Explanation {
    code: "",
    id: "",
    title: "",
    severity: Severity::Info,
    means: "",
    matters: "",
    cure: "",
    more: &[],
    errors: &[],
    return_codes: &[],
    codes: &[],
    events: &[],
    phrases: &[],
    aliases: &[],
    fix: "",
    settles_residue: false,
    is_finding: true,
};
