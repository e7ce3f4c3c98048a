//! `lsmod` and `ps` of a Linux guest (requirement PRE-19).

use std::collections::BTreeSet;

use hyperv_host::{Finding, Severity};

use crate::Listing;

/// Modules, and what does not work without them.
const MODULES: [(&str, Severity, &str); 4] = [
    (
        "hv_vmbus",
        Severity::Warn,
        "nothing of Hyper-V works in the guest",
    ),
    (
        "hv_utils",
        Severity::Warn,
        "the daemons have nobody to talk to, and nothing is frozen",
    ),
    ("hv_storvsc", Severity::Info, "disks are emulated, and slow"),
    (
        "hv_netvsc",
        Severity::Info,
        "the network is emulated, and slow",
    ),
];

/// Daemons under the names that distributions give them, and what does not work without them.
const DAEMONS: [(&[&str], &str); 2] = [
    (
        &["hv_vss_daemon", "hypervvssd"],
        "file systems are not frozen, and points are crash-consistent",
    ),
    (
        &["hv_kvp_daemon", "hypervkvpd"],
        "the host does not know what system the guest is",
    ),
];

/// Reads `lsmod`: a name, two numbers, users.
pub(crate) fn modules(text: &str, listing: &mut Listing) {
    let mut modules = BTreeSet::new();
    let mut lines = 0_usize;
    let mut has_head = false;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let number = |word: Option<&str>| word.is_some_and(|word| word.parse::<u64>().is_ok());
        if name == "Module" && words.clone().any(|word| word == "Size") {
            has_head = true;
        } else if is_name(name) && number(words.next()) && number(words.next()) {
            lines += 1;
            modules.insert(name);
        }
    }
    let own = modules
        .iter()
        .filter(|name| name.starts_with("hv_"))
        .count();
    if lines == 0 || !(has_head || own > 0) {
        return;
    }
    listing.parts.push(format!("lsmod: {own} Hyper-V modules"));
    for (name, severity, effect) in MODULES {
        if !modules.contains(name) {
            let text = format!("lsmod does not show {name}: unless it is built in, {effect}");
            listing
                .findings
                .push(Finding::new("GUEST-MODULE", severity, text).cure(format!(
                    "modprobe {name}, and have it loaded at each start; or see with `grep HYPERV \
                     /boot/config-$(uname -r)` that it is built in"
                )));
        }
    }
}

fn is_name(word: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !word.is_empty() && word.bytes().all(part) && !word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads `ps`, in whatever form: the command is somewhere in the line. Threads of the kernel stand
/// in brackets, and are none of the daemons.
pub(crate) fn daemons(text: &str, listing: &mut Listing) {
    let runs = |line: &str, name: &str| {
        line.split_whitespace().any(|word| {
            let program = word.rsplit('/').next().unwrap_or(word);
            program == name
        }) && !line.contains("grep")
    };
    let is_head = |line: &str| {
        let mut words = line.split_whitespace();
        words.clone().any(|word| word == "PID")
            && words.any(|word| matches!(word, "CMD" | "COMMAND"))
    };
    let has_head = text.lines().any(is_head);
    let running: Vec<&[&str]> = DAEMONS
        .iter()
        .map(|(names, _)| *names)
        .filter(|names| {
            names
                .iter()
                .any(|name| text.lines().any(|line| runs(line, name)))
        })
        .collect();
    if !has_head && running.is_empty() {
        return;
    }
    listing
        .parts
        .push(format!("ps: {} of 2 Hyper-V daemons", running.len()));
    for (names, effect) in DAEMONS {
        if !running.contains(&names) {
            let text = format!("{} does not run in the guest: {effect}", names.join(" or "));
            listing.findings.push(
                Finding::new("GUEST-DAEMON", Severity::Warn, text).cure(
                    "install the package that docs/operate/support-matrix.md names for the system, \
                     then systemctl enable --now hv-vss-daemon hv-kvp-daemon (Ubuntu, Debian, SUSE) \
                     or hypervvssd hypervkvpd (Red Hat and its kin)",
                ),
            );
        }
    }
}
