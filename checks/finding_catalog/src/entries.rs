//! The pages.

mod disks;
mod guests;
mod hosts;
mod residue;
mod runs;
mod vms;

use hyperv_host::Severity;

use crate::Explanation;

/// All pages, by code.
pub(crate) const ALL: &[&[Explanation]] = &[
    hosts::PAGES,
    vms::PAGES,
    runs::PAGES,
    residue::PAGES,
    disks::PAGES,
    guests::PAGES,
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
    is_finding: true,
};
