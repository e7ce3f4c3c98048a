//! The parents of a disk, as its host tells them.

use wmi::{Instance, Value};

use crate::backup::link::{IMAGE_SERVICE, Link};

/// A longer chain is none.
const FILES_MAX: usize = 256;

/// Returns the files below a disk's, as the host names them, up to one of which it says nothing.
/// No file is opened here: what a running VM writes to its host keeps for itself. Contract: 1.6, 2.7
pub(super) fn parent_paths(link: &Link, disk: &str) -> Vec<String> {
    let mut known = vec![disk.to_owned()];
    while known.len() < FILES_MAX {
        let child = known.last().map_or(disk, String::as_str);
        let Some(parent) = parent_of(link, child) else {
            break;
        };
        if known.iter().any(|own| own.eq_ignore_ascii_case(&parent)) {
            break;
        }
        known.push(parent);
    }
    known.split_off(1)
}

fn parent_of(link: &Link, path: &str) -> Option<String> {
    let parameters = [("Path", Value::from(path))];
    let method = "GetVirtualHardDiskSettingData";
    let answer = link.call_patiently(IMAGE_SERVICE, method, &parameters);
    let text = answer.ok()?.output.parameters.text("SettingData")?;
    let parent = Instance::from_cim_xml(&text).ok()?.text("ParentPath")?;
    Some(parent).filter(|parent| !parent.is_empty())
}
