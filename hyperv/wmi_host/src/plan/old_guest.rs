//! Guests that were there before anything could be frozen in them (requirements PRE-22, SAVE-02).

use hyperv_host::PowerState;

use crate::facts::{GuestService, VmFacts};

/// Beginnings of what such guests say of themselves, in lower case.
const NAMES: [&str; 8] = [
    "windows 2000",
    "windows xp",
    "windows nt",
    "windows 95",
    "windows 98",
    "ms-dos",
    "red hat enterprise linux 4",
    "freebsd 8",
];

/// Returns whether a guest that runs is too old to take part in a backup.
pub(super) fn is_too_old(vm: &VmFacts) -> bool {
    let answers = matches!(vm.vss, GuestService::Answers | GuestService::Degraded);
    if vm.state != PowerState::Running || answers {
        return false;
    }
    let system = vm.guest.system.as_deref().unwrap_or_default();
    let system = system.to_ascii_lowercase();
    let system = system.strip_prefix("microsoft ").unwrap_or(&system);
    NAMES.iter().any(|name| system.starts_with(name))
}
