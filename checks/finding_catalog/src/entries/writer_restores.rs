//! LB-341n: what stands in the way of a restore through the host's own VSS writer.

use hyperv_host::Severity::{Block, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-3410",
        id: "POINT-WRITER-DOCUMENT",
        title: "the point keeps nothing for the host's VSS writer",
        severity: Block,
        means: "A VM goes back through the writer only from a point that was made through VSS, and that kept the writer's own document of that backup. Points by recovery checkpoints have none, nor have those of older programs.",
        matters: "Nothing was done to the host. The point is as good as any other for an import.",
        cure: "Restore it with `--through import`.",
        ..BLANK
    },
    Explanation {
        code: "LB-3411",
        id: "POINT-WRITER-HOST",
        title: "the host's VSS writer cannot be spoken to",
        severity: Block,
        means: "Volume shadow copies are local to a machine: lifeboat has to run on the host. A writer takes back what the same host backed up.",
        matters: "Nothing was done to the host.",
        cure: "Run lifeboat on the host that the point was taken from, with `--to local`; or restore it with `--through import`, which works from elsewhere and to other hosts.",
        ..BLANK
    },
    Explanation {
        code: "LB-3412",
        id: "POINT-WRITER-PART",
        title: "what is asked for is more than a VSS writer does",
        severity: Block,
        means: "The writer registers a VM as it was: the same identity, all disks, all checkpoints. It takes the one that is there away.",
        matters: "Nothing was done to the host.",
        cure: "Restore it with `--through import`; or ask for the whole VM in its place.",
        ..BLANK
    },
    Explanation {
        code: "LB-3413",
        id: "POINT-WRITER-CHAIN",
        title: "files of the VM are not in the point under their names",
        severity: Block,
        means: "The writer reads the definition as it was backed up. A VM with checkpoints names their files there, and a point of its latest state has each disk as one file; or a disk was left out of the point.",
        matters: "The VM would be registered with disks that are not there. Nothing was done to the host.",
        cure: "Restore it with `--through import`. Points of mode all-checkpoints keep the files as they were.",
        ..BLANK
    },
    Explanation {
        code: "LB-3414",
        id: "POINT-WRITER-PLACE",
        title: "another file has the place of one that the VSS writer needs",
        severity: Block,
        means: "The writer finds files only under their old names. A file there gives way if it is the same virtual disk and no other VM's.",
        matters: "Nothing was done to the host.",
        cure: "Move the file away, name another folder with `--path`, or restore it with `--through import`.",
        ..BLANK
    },
    Explanation {
        code: "LB-3415",
        id: "POINT-VM-OTHERWISE",
        title: "a VM is back through the VSS writer, and not as asked for",
        severity: Warn,
        means: "The writer registers a VM as it was. What was asked for otherwise (its name, adapters, saved memory) could not be done, a disk is not in its place, or the host started the VM already.",
        matters: "The VM was not started by lifeboat. Where it lacks a disk or runs already, the files that were there before stay, with `.lifeboat-old-` in their names.",
        cure: "Mend what the finding names, then start the VM by hand. Remove the files that stay once they are not needed.",
        ..BLANK
    },
];
