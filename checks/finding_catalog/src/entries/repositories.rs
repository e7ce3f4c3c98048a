//! LB-50nn: the repository.

use hyperv_host::Severity::{Block, Info, Warn};

use super::BLANK;
use crate::Explanation;

pub(super) const PAGES: &[Explanation] = &[
    Explanation {
        code: "LB-5001",
        id: "REPO-UNREACHABLE",
        title: "the repository cannot be reached",
        severity: Block,
        means: "The folder or share is not there, or is no repository.",
        matters: "Nothing can be backed up into it, and nothing restored.",
        cure: "See that the share is mounted and the path is right. `lifeboat repo init` makes a new one; it never takes over a folder with something in it.",
        ..BLANK
    },
    Explanation {
        code: "LB-5002",
        id: "REPO-KEY",
        title: "the repository does not open with this key",
        severity: Block,
        means: "The password or the recovery key is not one of this repository's.",
        matters: "Without a key nobody reads anything of it, ourselves included.",
        cure: "Try the recovery key (LIFEBOAT_RECOVERY_KEY_FILE). Keep one away from the machine that makes the backups.",
        ..BLANK
    },
    Explanation {
        code: "LB-5003",
        id: "REPO-DAMAGED",
        title: "the repository is damaged",
        severity: Block,
        means: "A part of it is missing, cut short or changed.",
        matters: "Points that need the part cannot be restored in full; others are not touched by it.",
        cure: "`lifeboat repo check` says which points are hit. The next backup of a VM stores anew what is missing, as long as the VM still has it.",
        ..BLANK
    },
    Explanation {
        code: "LB-5004",
        id: "REPO-LOW",
        title: "the repository's volume is nearly full",
        severity: Warn,
        means: "Less than a tenth, and less than 20 GiB, of the volume that the repository lies on is free.",
        matters: "A run that finds no space ends without a point. What is there stays whole.",
        cure: "Make room, or move the repository to a larger volume: it may be copied file by file.",
        ..BLANK
    },
    Explanation {
        code: "LB-5005",
        id: "REPO-UNCHECKED",
        title: "the repository's parts were not all found",
        severity: Warn,
        means: "A quick look at the repository (no data is read) found packs or indexes that points need and that are not there.",
        matters: "Those points cannot be restored in full.",
        cure: "`lifeboat repo check` for the whole story.",
        more: &["LB-5003"],
        ..BLANK
    },
    Explanation {
        code: "LB-5006",
        id: "REPO-EMPTY",
        title: "the repository has no restore point",
        severity: Info,
        means: "Nothing was backed up into it yet, or all points were removed.",
        matters: "Nothing can be restored from it.",
        cure: "Make one with `lifeboat backup`.",
        ..BLANK
    },
    Explanation {
        code: "LB-5007",
        id: "REPO-STALE",
        title: "a VM has no new point for some time",
        severity: Warn,
        means: "The newest point of a VM that the host has is older than a week, or there is none.",
        matters: "What was done since is in no backup. A schedule that does not run does not report failures either.",
        cure: "See that the schedule runs and names the VM; a VM that needs no backup says so with the word nobackup in its notes.",
        more: &["LB-2132", "LB-2006"],
        ..BLANK
    },
];
