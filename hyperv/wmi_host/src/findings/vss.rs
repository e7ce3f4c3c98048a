//! Findings about a host's VSS, as far as they are known without asking it.

use hyperv_host::{Finding, Severity};

use crate::facts::HostState;

/// A Windows without the writer that a backup of all checkpoints goes through (requirement PRE-02).
pub(crate) fn desktop(host: &HostState) -> Finding {
    let text = format!(
        "{} is no Windows Server, and has no Hyper-V VSS writer: all checkpoints of a VM cannot be \
         frozen at once",
        host.windows.caption
    );
    Finding::new("HOST-DESKTOP", Severity::Block, text).cure(
        "back up the latest state instead: --mode cbt, or --mode standard; or shut the VM down, \
         export it (Export-VM) and back up the folder with --host dir:FOLDER",
    )
}

/// The way that a VM has to be frozen goes through VSS, which is local to its host.
pub(crate) fn no_vss(host: &HostState) -> Finding {
    let text = format!(
        "this needs the Volume Shadow Copy Service of {}, which no connection reaches: it is local \
         to the host",
        host.computer
    );
    Finding::new("HOST-NO-VSS", Severity::Block, text).cure(
        "run lifeboat on the host itself, with --host local; on Windows Server 2016 and later \
         --mode cbt and --mode standard need no VSS",
    )
}
