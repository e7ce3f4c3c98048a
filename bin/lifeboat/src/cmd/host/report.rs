//! The settings of a host as a report (requirement HOST-04).

use std::fmt::Write as _;

use hyperv_host::{HostSettings, NodeSettings, SwitchKind, SwitchSettings};

use crate::ui::{count, local_time, size};

/// Writes the settings in Markdown, for somebody who has to build the host anew by hand.
pub(super) fn markdown(settings: &HostSettings) -> String {
    let mut text = format!("# Settings of {}\n\n", plain(&settings.host));
    let read = local_time(settings.taken);
    let _ = writeln!(text, "Read {read} by lifeboat; nothing of VMs is in here.");
    for node in &settings.nodes {
        text.push_str(&machine(node));
    }
    text
}

fn machine(node: &NodeSettings) -> String {
    let mut text = format!("\n## {}\n\n", plain(&node.computer));
    let spanning = |on: Option<bool>| on.map_or("not told", |on| if on { "yes" } else { "no" });
    let addresses = node.mac_addresses.as_ref();
    let rows = [
        ("Windows", format!("{} ({})", node.caption, node.version)),
        ("Machine", machine_text(node)),
        ("Folder of disks", node.disk_folder.clone()),
        ("Folder of VMs", node.configuration_folder.clone()),
        (
            "MAC addresses",
            addresses.map_or_else(
                || "not told".to_owned(),
                |(first, last)| format!("{first} to {last}"),
            ),
        ),
        ("NUMA spanning", spanning(node.numa_spanning).to_owned()),
        (
            "Enhanced session mode",
            spanning(node.enhanced_session).to_owned(),
        ),
        ("Live migration", live_migration_text(node)),
    ];
    text.push_str("| Setting | Value |\n|---|---|\n");
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | {} |", plain(&value));
    }
    text.push_str("\n### Virtual switches\n\n");
    if node.switches.is_empty() {
        text.push_str("None.\n");
        return text;
    }
    text.push_str("| Name | Kind | Adapter | Host has a port | VLAN of the host | Notes |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for switch in &node.switches {
        let cells = switch_row(switch).map(|cell| plain(&cell));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str("\nTo make them by hand, in an elevated PowerShell:\n\n```powershell\n");
    for switch in &node.switches {
        text.push_str(&powershell(switch));
    }
    text.push_str("```\n");
    text
}

/// Returns the commands that make a switch.
fn powershell(switch: &SwitchSettings) -> String {
    let name = quoted(&switch.name);
    let notes = match switch.notes.is_empty() {
        true => String::new(),
        false => format!(" -Notes {}", quoted(&switch.notes)),
    };
    let (what, vlan) = match &switch.kind {
        SwitchKind::Private => ("-SwitchType Private".to_owned(), None),
        SwitchKind::Internal { vlan } => ("-SwitchType Internal".to_owned(), *vlan),
        SwitchKind::External {
            adapter,
            shared_with_host,
            vlan,
        } => {
            let what = format!(
                "-NetAdapterInterfaceDescription {} -AllowManagementOS ${shared_with_host}",
                quoted(adapter)
            );
            (what, *vlan)
        }
    };
    let mut text = format!("New-VMSwitch -Name {name} {what}{notes}\n");
    if let Some(vlan) = vlan {
        let _ = writeln!(
            text,
            "Set-VMNetworkAdapterVlan -ManagementOS -VMNetworkAdapterName {name} -Access -VlanId {vlan}"
        );
    }
    text
}

/// Returns a switch in words: name, kind, adapter, whether the host has a port, its VLAN, notes.
pub(super) fn switch_row(switch: &SwitchSettings) -> [String; 6] {
    let vlan_text = |vlan: Option<u16>| vlan.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let (kind, adapter, host, vlan) = match &switch.kind {
        SwitchKind::Private => ("private", "-", false, None),
        SwitchKind::Internal { vlan } => ("internal", "-", true, *vlan),
        SwitchKind::External {
            adapter,
            shared_with_host,
            vlan,
        } => ("external", adapter.as_str(), *shared_with_host, *vlan),
    };
    [
        switch.name.clone(),
        kind.to_owned(),
        adapter.to_owned(),
        if host { "yes" } else { "no" }.to_owned(),
        vlan_text(vlan),
        switch.notes.replace('\n', " "),
    ]
}

/// Says what the machine is.
pub(super) fn machine_text(node: &NodeSettings) -> String {
    let mut parts = vec![node.machine.clone(), node.processor.clone()];
    if node.logical_processors > 0 {
        let number = u64::from(node.logical_processors);
        parts.push(count(number, "logical processor"));
    }
    if node.memory_bytes > 0 {
        parts.push(format!("{} memory", size(node.memory_bytes)));
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        return "not told".to_owned();
    }
    parts.join(", ")
}

/// Says how VMs move.
pub(super) fn live_migration_text(node: &NodeSettings) -> String {
    let Some(own) = &node.live_migration else {
        return "not told".to_owned();
    };
    if !own.enabled {
        return format!("off; storage of {} at once", vms(own.storage_at_once));
    }
    let addresses = match own.addresses.is_empty() {
        true => "any address".to_owned(),
        false => own.addresses.join(", "),
    };
    format!(
        "on: {} at once, storage of {}, {}, {}, on {addresses}",
        vms(own.vms_at_once),
        vms(own.storage_at_once),
        own.authentication,
        own.transport
    )
}

fn vms(number: u32) -> String {
    count(u64::from(number), "VM")
}

/// Keeps what a host says from being Markdown.
fn plain(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
        .replace('|', "\\|")
        .replace('<', "&lt;")
}

/// Quotes a text for PowerShell: nothing in it is expanded.
fn quoted(text: &str) -> String {
    let line = text.replace(['\r', '\n'], " ");
    // PowerShell takes curly quotes for straight ones.
    let doubled: String = line
        .chars()
        .flat_map(|own| match own {
            '\'' | '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}' => vec![own, own],
            own => vec![own],
        })
        .collect();
    format!("'{doubled}'")
}

#[cfg(test)]
mod tests {
    use hyperv_host::LiveMigration;

    use super::*;

    fn settings() -> HostSettings {
        let switch = |name: &str, kind| SwitchSettings {
            name: name.to_owned(),
            id: String::new(),
            kind,
            notes: String::new(),
        };
        let external = SwitchKind::External {
            adapter: "Intel(R) I350 #2".to_owned(),
            shared_with_host: true,
            vlan: Some(42),
        };
        let mut lan = switch("LAN", external);
        lan.notes = "it's | <b>\nours".to_owned();
        let node = NodeSettings {
            computer: "HV1".to_owned(),
            caption: "Microsoft Windows Server 2022 Standard".to_owned(),
            version: "10.0.20348".to_owned(),
            machine: "Contoso R1".to_owned(),
            processor: "Intel(R) Xeon(R)".to_owned(),
            logical_processors: 32,
            memory_bytes: 128 << 30,
            disk_folder: r"D:\Disks".to_owned(),
            configuration_folder: r"D:\VMs".to_owned(),
            mac_addresses: Some(("00155D010000".to_owned(), "00155D0100FF".to_owned())),
            numa_spanning: Some(true),
            enhanced_session: None,
            live_migration: Some(LiveMigration {
                enabled: true,
                vms_at_once: 2,
                storage_at_once: 1,
                authentication: "kerberos".to_owned(),
                transport: "smb".to_owned(),
                addresses: vec!["10.0.0.1".to_owned()],
            }),
            switches: vec![
                lan,
                switch("Lab", SwitchKind::Private),
                switch("Nat", SwitchKind::Internal { vlan: None }),
            ],
        };
        let bare = NodeSettings {
            computer: "HV2".to_owned(),
            ..NodeSettings::default()
        };
        HostSettings::new(
            "CLU1",
            "2026-11-21T12:00:00Z".parse().unwrap(),
            vec![bare, node],
        )
    }

    #[test]
    fn the_report_is_the_golden_one() {
        let text = markdown(&settings());
        let (head, rest) = text.split_once("by lifeboat").unwrap();
        assert!(
            head.starts_with("# Settings of CLU1\n\nRead 2026-"),
            "{head}"
        );
        let golden = include_str!("report.golden.md");
        assert_eq!(rest, golden, "{text}");
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quoted("a'; rm \u{2019}\nb"), "'a''; rm \u{2019}\u{2019} b'");
    }
}
