//! How damage is shown.

use repository::{Damage, LostStream};

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
        "{} found. Restore points that are not named are not affected; `lifeboat repo repair` \
         keeps what is whole, and the next backup brings back what the VMs still have.",
        count(damage.len() as u64, "damaged place")
    ));
    ExitCode::Damaged
}

/// Ranges of one disk that people are shown.
const RANGES_SHOWN: usize = 8;

/// Shows what restore points have lost: which disks, and which ranges of them.
pub(crate) fn show_lost(ui: &Ui, lost: &[LostStream]) {
    for one in lost {
        ui.record("lost", one);
        let mut ranges: Vec<String> = one
            .ranges
            .iter()
            .take(RANGES_SHOWN)
            .map(|range| format!("{} at offset {}", size(range.len_bytes), range.offset))
            .collect();
        let more = one.more_ranges + one.ranges.len().saturating_sub(RANGES_SHOWN) as u64;
        if more > 0 {
            ranges.push(format!("and {more} more"));
        }
        ui.data(format!(
            "lost: VM {}, restore point {}, {}: {} of {}: {}",
            one.vm,
            one.point,
            one.stream,
            size(one.lost_bytes),
            size(one.size_bytes),
            ranges.join(", ")
        ));
    }
}

pub(crate) fn outcome(code: ExitCode) -> &'static str {
    if code == ExitCode::Success {
        "success"
    } else {
        "failed"
    }
}
