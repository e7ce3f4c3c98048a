//! Domains, as libvirt's own schema and a shell read them.

use std::process::Command;

use disk_model::independent_tools::{have_tool, run};
use libvirt_domain::{Bus, DiskFormat, Domain, DomainDisk, DomainOrder};
use uuid::Uuid;
use vm_config::{ControllerKind, Disk, DiskSlot, Memory, NetworkAdapter, VmConfiguration};

fn slot(kind: ControllerKind, controller: u32, slot: u32) -> DiskSlot {
    DiskSlot {
        kind,
        controller,
        slot,
    }
}

fn adapter(mac_address: &str, switch_name: &str) -> NetworkAdapter {
    NetworkAdapter {
        name: "Network Adapter".to_owned(),
        mac_address: mac_address.to_owned(),
        mac_is_static: false,
        switch_name: switch_name.to_owned(),
        vlan: None,
        addresses: None,
    }
}

/// A VM with disks at these places, and awkward names.
fn vm(generation: u32, slots: &[DiskSlot]) -> VmConfiguration {
    VmConfiguration {
        name: "SQL <01> & 'co', \"x\"/y\n".to_owned(),
        id: Uuid::from_u128(0x1234_5678),
        generation,
        version: "9.0".to_owned(),
        notes: "notes with ]]> & <b>\u{1}\nand a second line".to_owned(),
        processors: 2,
        memory: Memory {
            startup_mib: 1536,
            dynamic: true,
            minimum_mib: 512,
            maximum_mib: 1 << 20,
        },
        disks: slots
            .iter()
            .map(|slot| Disk {
                slot: *slot,
                path: "C:\\VMs\\a.vhdx".to_owned(),
                pass_through: false,
            })
            .collect(),
        network_adapters: vec![adapter("00155D01AB02", "LAN"), adapter("000000000000", "")],
        checkpoints: Vec::new(),
        guest_state_file: Some("a.vmgs".to_owned()),
        secure_boot: true,
        secure_boot_template: None,
    }
}

fn disks(slots: &[DiskSlot]) -> Vec<DomainDisk> {
    let numbered = slots.iter().enumerate();
    numbered
        .map(|(number, slot)| DomainDisk {
            slot: Some(*slot),
            file_name: format!("it's, disk {number} & more.qcow2"),
            format: DiskFormat::Qcow2,
            sector_bytes: 512,
        })
        .collect()
}

/// An order for a Linux guest whose switch `lan` is mapped.
fn order<'a>(
    configuration: &'a VmConfiguration,
    disks: &'a [DomainDisk],
    networks: &'a [(String, String)],
) -> DomainOrder<'a> {
    DomainOrder {
        configuration,
        disks,
        folder: "/srv/restored & more",
        networks,
        windows: false,
        disconnected: false,
        new_mac: false,
        virtio: false,
    }
}

fn places(domain: &Domain) -> Vec<(Bus, u32, u32)> {
    let disks = domain.disks.iter();
    disks
        .map(|disk| (disk.bus, disk.controller, disk.unit))
        .collect()
}

fn ids(domain: &Domain) -> Vec<&str> {
    let findings = domain.findings.iter();
    findings.map(|finding| finding.id.as_str()).collect()
}

#[test]
fn ide_disks_stay_where_they_are_and_others_go_to_sata_in_their_order() {
    use ControllerKind::{Ide, Scsi};
    let slots = [
        slot(Scsi, 1, 0),
        slot(Scsi, 0, 7),
        slot(Ide, 1, 1),
        slot(Ide, 0, 0),
    ];
    let (vm, own) = (vm(1, &slots), disks(&slots));
    let domain = Domain::of(&order(&vm, &own, &[]));
    assert_eq!(
        places(&domain),
        [
            (Bus::Ide, 0, 0),
            (Bus::Ide, 1, 1),
            (Bus::Sata, 0, 0),
            (Bus::Sata, 0, 1)
        ]
    );
    let files: Vec<_> = domain.disks.iter().map(|own| &own.disk).collect();
    assert_eq!(files, [&own[3], &own[2], &own[1], &own[0]]);
    assert_eq!(
        ids(&domain),
        ["POINT-DISK-BUS", "POINT-VTPM", "POINT-NETWORK"]
    );
    let virtio = Domain::of(&DomainOrder {
        virtio: true,
        ..order(&vm, &own, &[])
    });
    assert_eq!(
        places(&virtio)[1..3],
        [(Bus::Ide, 1, 1), (Bus::VirtioScsi, 0, 0)]
    );
}

#[test]
fn sectors_of_4096_bytes_need_virtio_and_a_seventh_disk_a_second_controller() {
    let slots: Vec<_> = (0..9)
        .map(|number| slot(ControllerKind::Scsi, 0, number))
        .collect();
    let (vm, mut own) = (vm(2, &slots), disks(&slots));
    own[1].sector_bytes = 4096;
    let domain = Domain::of(&order(&vm, &own, &[]));
    assert_eq!(places(&domain)[1], (Bus::VirtioScsi, 0, 0));
    assert_eq!(places(&domain)[8], (Bus::Sata, 1, 1));
    assert!(ids(&domain).contains(&"POINT-FIRMWARE"));
    let xml = domain.to_xml();
    assert!(xml.contains("logical_block_size=\"4096\""), "{xml}");
    assert!(
        domain
            .to_script("v")
            .contains("lun=0,logical_block_size=4096")
    );
}

#[test]
fn networks_clocks_and_addresses_are_those_that_were_asked_for() {
    let vm = vm(2, &[]);
    let networks = [("lan".to_owned(), "office".to_owned())];
    let linux = Domain::of(&order(&vm, &[], &networks));
    let xml = linux.to_xml();
    for part in [
        "<mac address=\"00:15:5d:01:ab:02\"/>",
        "<source network=\"office\"/>",
        "<link state=\"down\"/>",
        "<clock offset=\"utc\">",
        "<memory unit=\"MiB\">1536</memory>",
        "<model type=\"e1000e\"/>",
    ] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
    assert!(!ids(&linux).contains(&"POINT-NETWORK"));
    let apart = Domain::of(&DomainOrder {
        disconnected: true,
        new_mac: true,
        ..order(&vm, &[], &[])
    });
    assert!(!ids(&apart).contains(&"POINT-NETWORK"));
    let xml = apart.to_xml();
    assert_eq!(xml.matches("<link state=\"down\"/>").count(), 2, "{xml}");
    assert!(
        !xml.contains("<mac ") && !apart.to_script("v").contains("netdev"),
        "{xml}"
    );
    let windows = Domain::of(&DomainOrder {
        windows: true,
        ..order(&vm, &[], &networks)
    });
    assert!(windows.to_xml().contains("<clock offset=\"localtime\">"));
    assert!(windows.to_script("v").contains("-rtc base=localtime"));
}

#[test]
fn what_the_point_lacks_is_told() {
    let place = slot(ControllerKind::Scsi, 0, 0);
    let mut vm = vm(1, &[place]);
    vm.memory.startup_mib = 0;
    vm.disks[0].path.clear();
    let domain = Domain::of(&order(&vm, &[], &[]));
    assert_eq!(
        ids(&domain),
        [
            "POINT-LEFT-OUT",
            "POINT-VTPM",
            "POINT-NETWORK",
            "POINT-NO-MEMORY-SIZE"
        ]
    );
    assert_eq!(domain.memory_mib, 2048);
}

#[test]
fn libvirts_own_schema_takes_every_kind_of_domain() {
    if !have_tool("virt-xml-validate", &["--version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let networks = [("LAN".to_owned(), "office & co".to_owned())];
    for generation in [1, 2] {
        for count in [0, 3, 30] {
            for (virtio, windows) in [(false, false), (true, true)] {
                let kinds = [ControllerKind::Ide, ControllerKind::Scsi];
                let slots: Vec<_> = (0..count)
                    .map(|number| slot(kinds[usize::from(number > 1)], number / 2, number % 2))
                    .collect();
                let (vm, mut own) = (vm(generation, &slots), disks(&slots));
                if let Some(last) = own.last_mut() {
                    last.sector_bytes = 4096;
                    last.format = DiskFormat::Raw;
                }
                let domain = Domain::of(&DomainOrder {
                    windows,
                    virtio,
                    ..order(&vm, &own, &networks)
                });
                let path = folder.path().join("domain.xml");
                std::fs::write(&path, domain.to_xml()).unwrap();
                run("virt-xml-validate", &[path.as_ref(), "domain".as_ref()]).unwrap();
            }
        }
    }
}

/// Runs the script with a QEMU that prints its arguments, one in a line.
#[cfg(unix)]
#[test]
fn a_shell_gives_qemu_what_is_meant_whatever_things_are_called() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let qemu = folder.path().join("qemu-system-x86_64");
    std::fs::write(&qemu, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
    std::fs::set_permissions(&qemu, std::fs::Permissions::from_mode(0o755)).unwrap();
    let slots = [slot(ControllerKind::Scsi, 0, 0)];
    let (vm, own) = (vm(2, &slots), disks(&slots));
    let script = folder.path().join("vm's.sh");
    std::fs::write(
        &script,
        Domain::of(&order(&vm, &own, &[])).to_script("vm's VARS"),
    )
    .unwrap();
    std::fs::write(folder.path().join("template"), "variables").unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .arg(&script)
        .args(["-an 'other'", "last"])
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("ACCEL", "tcg")
        .env("OVMF_VARS", folder.path().join("template"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = printed.lines().collect();
    for word in [
        "SQL <01> & 'co',, \"x\"_y ",
        "q35",
        "tcg",
        "max",
        "if=pflash,format=raw,unit=1,file=./vm's VARS",
        "if=none,id=disk0,format=qcow2,discard=unmap,file=./it's,, disk 0 & more.qcow2",
        "ide-hd,bus=sata0.0,drive=disk0,bootindex=1",
        "e1000e,netdev=net0,mac=00:15:5d:01:ab:02",
        "e1000e",
        "-an 'other'",
        "last",
    ] {
        assert!(words.contains(&word), "{word:?} is not in {words:#?}");
    }
    let vars = std::fs::read_to_string(folder.path().join("vm's VARS")).unwrap();
    assert_eq!(vars, "variables");
}

/// Starts the script with a QEMU that stops before the first instruction, and ends it.
#[cfg(unix)]
#[test]
fn qemu_takes_every_kind_of_script() {
    use std::io::Write as _;
    use std::process::Stdio;
    if !have_tool("qemu-system-x86_64", &["--version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let variables = folder.path().join("template");
    std::fs::write(&variables, vec![0; 512 << 10]).unwrap();
    for (generation, count, virtio) in [(1, 0, false), (1, 4, false), (2, 8, false), (2, 3, true)] {
        let kinds = [ControllerKind::Ide, ControllerKind::Scsi];
        let slots: Vec<_> = (0..count)
            .map(|number| slot(kinds[usize::from(number > 1)], number / 2, number % 2))
            .collect();
        let (mut vm, mut own) = (vm(generation, &slots), disks(&slots));
        vm.memory.startup_mib = 128;
        for disk in &mut own {
            disk.format = DiskFormat::Raw;
            std::fs::write(folder.path().join(&disk.file_name), vec![0; 1 << 20]).unwrap();
        }
        if let Some(last) = own.last_mut() {
            last.sector_bytes = 4096;
        }
        let domain = Domain::of(&DomainOrder {
            virtio,
            ..order(&vm, &own, &[])
        });
        let script = folder.path().join("vm.sh");
        std::fs::write(&script, domain.to_script("variables")).unwrap();
        let mut child = Command::new("sh")
            .arg(&script)
            .args([
                "-S", "-display", "none", "-monitor", "none", "-qmp", "stdio",
            ])
            .env("ACCEL", "tcg,tb-size=16")
            .env("OVMF_CODE", &variables)
            .env("OVMF_VARS", &variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let quit = b"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n";
        // A QEMU that does not like its arguments has ended by now: its words tell why.
        let sent = child.stdin.as_mut().unwrap().write_all(quit);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && sent.is_ok(), "{output:?}");
    }
}
