//! LB-4nnn: the guest.

use hyperv_host::Severity::Warn;

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-4001",
        id: "VM-INTEGRATION",
        title: "the guest cannot take part in the backup",
        severity: Warn,
        means: "The host asks a running guest through the backup integration service to bring its data into order before it is frozen: a Windows guest its VSS writers, a Linux guest its file systems. The service is switched off, not answered, or answered in another version.",
        matters: "The point is crash-consistent: the guest starts from it as after a power cut. Databases that are made for that come back; others may not.",
        cure: "Switch the service on (Enable-VMIntegrationService -Name VSS). In Windows see that \"Hyper-V Volume Shadow Copy Requestor\" runs. In Linux install and start hv_vss_daemon (package hyperv-daemons).",
        more: &["LB-2109"],
        ..BLANK
    },
    Explanation {
        code: "LB-4002",
        id: "VM-GUEST-ISCSI",
        title: "the guest has an iSCSI initiator",
        severity: Warn,
        means: "Disks that a guest attaches by itself, over iSCSI or otherwise, are not known to the host. That there may be some is told only by what the guest says of itself, so the absence of this finding proves nothing.",
        matters: "They are not in the point.",
        cure: "Back them up from inside the guest, or where they are kept.",
        ..BLANK
    },
];
