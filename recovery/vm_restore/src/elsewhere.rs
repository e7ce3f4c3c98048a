//! A VM for another hypervisor: its disks in one format, flat, and what makes them a VM there.

mod execute;
mod plan;

pub use plan::{
    DomainFiles, DomainOrder, ElsewhereOrder, ElsewherePlan, PlannedImage, plan_elsewhere,
};
