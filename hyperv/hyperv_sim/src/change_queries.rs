//! Answers about changes (contract 2.3).

use std::ops::Range;

use uuid::Uuid;

use crate::host_state::HostState;
use crate::image::LayerFile;
use crate::tracking::{self, CHANGED_OFFLINE, DISABLED, TrackingId, tracking_error};
use crate::{SimError, SimErrorKind, Vm};

/// The answer to a question about changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// How many bytes, from the offset that was asked for, the answer covers.
    pub processed_bytes: u64,
    /// What changed, in ascending order, in bytes of the virtual disk.
    pub ranges: Vec<Range<u64>>,
}

/// A file of a VM that can be asked about.
struct Asked {
    vm: Uuid,
    path: String,
    size_bytes: u64,
    /// The state that the answer goes up to; `None` for a running file: now.
    frozen: Option<Option<String>>,
}

impl HostState {
    /// `GetVirtualDiskChanges`: what changed between `limit_id` and the frozen (or current) state
    /// of the file at `path`.
    ///
    /// Errors: `NotFound`; `Tracking` with 0xC03A0029 malformed id, 0xC03A002A tracking off,
    /// 0xC03A0030 unknown id, 0xC03A0022 changed offline, 0xC03A0024 inconsistent.
    pub(crate) fn changes(
        &self,
        path: &str,
        limit_id: &str,
        offset: u64,
        len_bytes: u64,
    ) -> Result<Changes, SimError> {
        let asked = self.asked_file(path)?;
        let end = offset.checked_add(len_bytes);
        let Some(end) = end.filter(|end| *end <= asked.size_bytes) else {
            return Err(SimError::new(
                SimErrorKind::InvalidParameter,
                format!("{len_bytes} bytes at {offset} leave the disk"),
            ));
        };
        let limit = TrackingId::parse(limit_id)?;
        let owner = self.vm(asked.vm)?;
        let tracking = tracking::load(&self.tracked_base(owner, &asked.path)?)?;
        let frozen = match &asked.frozen {
            None => {
                let leaf = LayerFile::open(&self.local_path(&asked.path)?)?;
                if leaf.content_id() != tracking.content {
                    return Err(tracking_error(CHANGED_OFFLINE));
                }
                None
            }
            Some(None) => return Err(tracking_error(DISABLED)),
            Some(Some(id)) => Some(TrackingId::parse(id)?),
        };
        let changed = tracking.between(limit, frozen)?;
        let mut answer = Changes {
            processed_bytes: len_bytes,
            ranges: Vec::new(),
        };
        for range in changed.iter() {
            let part = range.start.max(offset)..range.end.min(end);
            if part.is_empty() {
                continue;
            }
            if answer.ranges.len() >= self.facts.behavior.ranges_per_answer.max(1) {
                answer.processed_bytes = part.start - offset;
                break;
            }
            answer.ranges.push(part);
        }
        Ok(answer)
    }

    /// Returns the id of the newest point of a file's disk: `MostRecentId`, for a frozen file that
    /// of its own moment. `None`: not tracked.
    pub(crate) fn most_recent_id(&self, path: &str) -> Result<Option<String>, SimError> {
        let asked = self.asked_file(path)?;
        match asked.frozen {
            Some(frozen) => Ok(frozen),
            None => {
                let base = self.tracked_base(self.vm(asked.vm)?, &asked.path)?;
                let tracking = tracking::load(&base).ok();
                Ok(tracking.and_then(|tracking| Some(tracking.newest()?.to_string())))
            }
        }
    }

    fn asked_file(&self, path: &str) -> Result<Asked, SimError> {
        let found = self.vms.values().find_map(|vm| asked_of(vm, path));
        if let Some(asked) = found {
            return Ok(asked);
        }
        if self.local_path(path)?.is_file() {
            return Err(tracking_error(DISABLED));
        }
        Err(SimError::new(
            SimErrorKind::NotFound,
            format!("the system cannot find the file {path}"),
        ))
    }
}

fn asked_of(vm: &Vm, path: &str) -> Option<Asked> {
    let plain = path.strip_prefix("\\\\?\\").unwrap_or(path);
    let is_it = |own: &str| own.to_lowercase() == plain.to_lowercase();
    let running = vm.disks.iter().find(|disk| is_it(&disk.path));
    if let Some(disk) = running {
        return Some(Asked {
            vm: vm.id,
            path: disk.path.clone(),
            size_bytes: disk.size_bytes,
            frozen: None,
        });
    }
    let mut disks = vm.snapshots.iter().flat_map(|snapshot| &snapshot.disks);
    disks.find(|disk| is_it(&disk.path)).map(|disk| Asked {
        vm: vm.id,
        path: disk.path.clone(),
        size_bytes: disk.size_bytes,
        frozen: Some(disk.tracking_id.clone()),
    })
}
