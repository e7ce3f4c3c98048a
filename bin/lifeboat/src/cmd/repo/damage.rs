//! How damage is shown.

use repository::Damage;

use crate::exit_code::ExitCode;
use crate::ui::{Ui, count, size};

/// Shows damage and returns what the command ends with.
pub(crate) fn show_damage(ui: &Ui, damage: &[Damage]) -> ExitCode {
    if damage.is_empty() {
        return ExitCode::Success;
    }
    for one in damage {
        ui.record("damage", one);
        let mut place = Vec::new();
        place.extend(one.vm.iter().map(|vm| format!("VM {vm}")));
        place.extend(
            one.point
                .iter()
                .map(|point| format!("restore point {point}")),
        );
        place.extend(one.stream.clone());
        if let (Some(offset), Some(len)) = (one.offset, one.len_bytes) {
            place.push(format!("{} at offset {offset}", size(len)));
        }
        let place = if place.is_empty() {
            String::new()
        } else {
            format!("{}: ", place.join(", "))
        };
        ui.data(format!("damaged: {place}{}", one.text));
    }
    ui.message(format!(
        "{} found. Restore points that are not named here are not affected; \
         move a damaged pack out of the repository, and the next backup stores again what the \
         VMs still have of it.",
        count(damage.len() as u64, "damaged place")
    ));
    ExitCode::Damaged
}

pub(crate) fn outcome(code: ExitCode) -> &'static str {
    if code == ExitCode::Success {
        "success"
    } else {
        "failed"
    }
}
