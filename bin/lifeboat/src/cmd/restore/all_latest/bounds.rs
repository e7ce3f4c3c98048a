//! What a host bears of many restores: how many at once, and how many VMs that start.

use std::num::NonZeroUsize;

use vm_restore::VmPlan;

/// Most VMs at once where nobody says how many: more help only where the disks and the way to the
/// repository are quicker than that.
const AT_ONCE_MAX: usize = 4;

/// How many VMs are restored at the same time, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AtOnce {
    pub(super) vms: usize,
    pub(super) why: String,
}

impl AtOnce {
    /// Takes what was asked for, else half of the processors of this machine and of the host: each
    /// VM is decrypted, unpacked and written by several threads.
    pub(super) fn of(asked: Option<usize>, host_processors: u32) -> Self {
        let own = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with_processors(asked, own, host_processors)
    }

    fn with_processors(asked: Option<usize>, own: usize, host: u32) -> Self {
        if let Some(vms) = asked {
            let why = "as --at-once says".to_owned();
            return Self { vms, why };
        }
        let host = usize::try_from(host).unwrap_or(usize::MAX);
        // 0 where the host does not say.
        let (processors, whose) = match host > 0 && host < own {
            true => (host, "the host's"),
            false => (own, "this machine's"),
        };
        Self {
            vms: (processors / 2).clamp(1, AT_ONCE_MAX),
            why: format!("half of {whose} {processors} processors, at most {AT_ONCE_MAX}"),
        }
    }
}

/// Which VMs can be started: as long as the host's free memory lasts, in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct FreeMemory {
    /// `None` where the host does not say: then all are tried.
    left: Option<u64>,
}

impl FreeMemory {
    pub(super) fn new(free_bytes: Option<u64>) -> Self {
        Self { left: free_bytes }
    }

    /// Takes what a VM starts with; `false` where that is not left any more.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let Some(left) = &mut self.left else {
            return true;
        };
        let fits = bytes <= *left;
        if fits {
            *left -= bytes;
        }
        fits
    }

    /// Returns the names of VMs that would not start because of those before them.
    pub(super) fn too_many(mut self, plans: &[VmPlan]) -> Vec<&str> {
        let plans = plans.iter().filter_map(|vm| {
            let plan = vm.plan.as_ref().ok()?;
            plan.block().is_none().then_some((vm, plan))
        });
        plans
            .filter(|(_, plan)| !self.take(plan.startup_memory_bytes()))
            .map(|(vm, _)| &*vm.name)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_processors_restore_unless_somebody_says_otherwise() {
        let vms = |asked, own, host| AtOnce::with_processors(asked, own, host).vms;
        assert_eq!(vms(Some(9), 2, 2), 9);
        for (own, host, expected) in [(1, 0, 1), (2, 8, 1), (6, 0, 3), (64, 64, 4), (16, 4, 2)] {
            assert_eq!(vms(None, own, host), expected, "{own} {host}");
        }
        let text = AtOnce::with_processors(None, 16, 4).why;
        assert_eq!(text, "half of the host's 4 processors, at most 4");
    }

    #[test]
    fn vms_start_as_long_as_memory_lasts() {
        let mut memory = FreeMemory::new(Some(10));
        assert!(memory.take(6));
        assert!(!memory.take(6));
        assert!(memory.take(4));
        assert!(FreeMemory::new(None).take(u64::MAX));
    }
}
