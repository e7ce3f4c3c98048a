//! Drives on disk controllers, and what is in them.

use std::collections::HashMap;

use crate::configuration::{ControllerKind, Disk, DiskSlot};
use crate::keys::Keys;
use crate::manifest::{Device, devices, numbered};
use crate::tree::Node;
use crate::{ConfigError, Notice};

/// Most controllers of a kind, and most slots of a controller, that are believed. Hyper-V has 4
/// and 64.
pub(crate) const MAX_NUMBER: u32 = 4095;

/// A disk and where its path stands in the tree.
pub(crate) struct Drive {
    pub(crate) disk: Disk,
    /// Child positions that lead from `configuration` to the node of the path.
    pub(crate) pathname: Option<Vec<usize>>,
}

/// Returns all disks, ordered by slot, and notices of what is in a drive but cannot be placed.
pub(crate) fn drives(configuration: &Node) -> Result<(Vec<Drive>, Vec<Notice>), ConfigError> {
    let mut found = Found::default();
    for device in devices(configuration) {
        if let Some(kind) = device.controller_kind() {
            found.device(&device, kind)?;
        }
    }
    found.drives.sort_by_key(|drive| drive.disk.slot);
    for pair in found.drives.windows(2) {
        if let [first, second] = pair
            && first.disk.slot == second.disk.slot
        {
            return Err(ConfigError::corrupt(
                "configuration/manifest",
                format!("two disks are at {:?}", first.disk.slot),
            ));
        }
    }
    Ok((found.drives, found.notices))
}

#[derive(Default)]
struct Found {
    drives: Vec<Drive>,
    notices: Vec<Notice>,
    /// Number of the next controller of each kind.
    next: HashMap<ControllerKind, u32>,
}

impl Found {
    fn device(&mut self, device: &Device<'_>, kind: ControllerKind) -> Result<(), ConfigError> {
        let base = self.next.get(&kind).copied().unwrap_or(0);
        let path = format!("configuration/{}", device.node.name);
        // A controller without a disk still counts; a device that is no controller does not.
        let mut next = if kind == ControllerKind::Other { 0 } else { 1 };
        for (position, node) in device.node.children().iter().enumerate() {
            let Some(number) = numbered(&node.name, "controller") else {
                continue;
            };
            let path = format!("{path}/{}", node.name);
            next = next.max(believed(&path, number)?.saturating_add(1));
            let controller = Keys::new(node, path);
            let slot = DiskSlot {
                kind,
                controller: base.saturating_add(number),
                slot: 0,
            };
            self.controller(&controller, slot, &[device.position, position])?;
        }
        self.next
            .insert(kind, believed(&path, base.saturating_add(next))?);
        Ok(())
    }

    fn controller(
        &mut self,
        controller: &Keys<'_>,
        slot: DiskSlot,
        position: &[usize],
    ) -> Result<(), ConfigError> {
        for (index, node) in controller.node().children().iter().enumerate() {
            let Some(number) = numbered(&node.name, "drive") else {
                continue;
            };
            let path = format!("{}/{}", controller.path(), node.name);
            let slot = DiskSlot {
                slot: believed(&path, number)?,
                ..slot
            };
            let mut position = position.to_vec();
            position.push(index);
            self.drive(&Keys::new(node, path), slot, position)?;
        }
        Ok(())
    }

    fn drive(
        &mut self,
        drive: &Keys<'_>,
        slot: DiskSlot,
        mut position: Vec<usize>,
    ) -> Result<(), ConfigError> {
        let kind = drive.text("type")?.unwrap_or_default();
        let path = drive.text("pathname")?.unwrap_or_default();
        let content = content(kind, path);
        if let Content::Unknown = content {
            self.notices.push(Notice {
                key: drive.path().to_owned(),
                text: format!("the drive holds {path:?} of the unknown type {kind:?}"),
            });
        }
        if !matches!(content, Content::File | Content::PassThrough) {
            return Ok(());
        }
        let pass_through = matches!(content, Content::PassThrough);
        let pathname = drive
            .node()
            .children()
            .iter()
            .position(|node| node.name.eq_ignore_ascii_case("pathname"))
            .filter(|_| !pass_through)
            .map(|index| {
                position.push(index);
                position
            });
        self.drives.push(Drive {
            disk: Disk {
                slot,
                path: if pass_through {
                    String::new()
                } else {
                    path.to_owned()
                },
                pass_through,
            },
            pathname,
        });
        Ok(())
    }
}

enum Content {
    Nothing,
    File,
    PassThrough,
    Unknown,
}

/// Says what a drive holds. Real files show VHD, ISO, VFD and NONE; how they name a physical disk
/// is not known, so that is told from the words of type and path.
fn content(kind: &str, path: &str) -> Content {
    let kind = kind.to_ascii_uppercase();
    let lower = path.to_ascii_lowercase();
    let disk_file = [".vhdx", ".avhdx", ".vhd", ".avhd", ".vhds"]
        .iter()
        .any(|extension| lower.ends_with(extension));
    match kind.as_str() {
        "ISO" | "VFD" | "NONE" => Content::Nothing,
        "VHD" if path.is_empty() => Content::Nothing,
        "VHD" => Content::File,
        _ if kind.contains("PHYS") || lower.starts_with(r"\\.\physicaldrive") => {
            Content::PassThrough
        }
        // A type of a later version: better read than left out.
        _ if disk_file => Content::File,
        _ if kind.is_empty() && path.is_empty() => Content::Nothing,
        _ => Content::Unknown,
    }
}

fn believed(path: &str, number: u32) -> Result<u32, ConfigError> {
    if number > MAX_NUMBER {
        return Err(ConfigError::expected(
            path,
            format_args!("a number of at most {MAX_NUMBER}"),
            number,
        ));
    }
    Ok(number)
}
