//! Services of the host (requirements PRE-07, PRE-11).

use hyperv_host::{Finding, Severity};

use super::not_looked::NotLooked;
use crate::WmiHost;
use crate::facts::{WindowsService, read_services};

/// Hyper-V's classes fail in many ways while its service does not run.
pub(super) fn management(host: &WmiHost) -> Option<Finding> {
    let services = read_services(&*host.session).ok()?;
    stopped(&services, "vmms").map(|service| {
        let text = format!(
            "the service vmms (Hyper-V Virtual Machine Management) is {}",
            service.state
        );
        Finding::new("HOST-VMMS", Severity::Block, text)
            .cure("start it on the host: Start-Service vmms; running VMs are not disturbed")
    })
}

/// Says what is wrong with the services beside Hyper-V's management.
pub(super) fn others(host: &WmiHost, not_looked: &mut NotLooked) -> Vec<Finding> {
    let services = match read_services(&*host.session) {
        Ok(services) => services,
        Err(error) => {
            not_looked.add("the host's services", error);
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    if let Some(service) = stopped(&services, "vmcompute") {
        let text = format!(
            "the service vmcompute (Hyper-V Host Compute Service) is {}: VMs that run go on, and \
             none can be started or restored",
            service.state
        );
        found.push(
            Finding::new("HOST-VMCOMPUTE", Severity::Warn, text)
                .cure("start it on the host: Start-Service vmcompute"),
        );
    }
    for service in services.iter().filter(|service| service.disabled) {
        let what = match service.name.to_ascii_lowercase().as_str() {
            "vss" => "Volume Shadow Copy",
            "swprv" => "Microsoft Software Shadow Copy Provider",
            _ => continue,
        };
        let text = format!(
            "the service {} ({what}) is switched off: nothing can be frozen through VSS",
            service.name
        );
        found.push(
            Finding::new("HOST-VSS-SERVICE", Severity::Warn, text).cure(format!(
                "Set-Service {} -StartupType Manual; it starts when it is needed",
                service.name
            )),
        );
    }
    found
}

fn stopped<'a>(services: &'a [WindowsService], name: &str) -> Option<&'a WindowsService> {
    services
        .iter()
        .find(|service| service.name.eq_ignore_ascii_case(name) && !service.runs())
}
