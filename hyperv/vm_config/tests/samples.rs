//! Files that real hosts wrote read as their manifest says. Skipped where they are absent.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::PathBuf;

use vm_config::{
    ControllerKind, Disk, DiskSlot, Node, Tree, Value, VmConfiguration, read_vmcx, read_xml,
    with_disk_paths, write_vmcx, write_xml,
};

fn sample(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("LIFEBOAT_SAMPLES").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/samples"
            ))
        },
        PathBuf::from,
    );
    let path = folder.join("hyperv-config").join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        eprintln!("skipped: the sample {name} is not there");
    }
    bytes
}

const GEN1: &str = "EC04F346-gen1.vmcx";
const GEN2: &str = "993F7B33-gen2.vmcx";
const XML: &str = "D351C151-2012R2-gen2.xml";

fn disk(kind: ControllerKind, path: &str) -> Disk {
    Disk {
        slot: DiskSlot {
            kind,
            controller: 0,
            slot: 0,
        },
        path: path.to_owned(),
        pass_through: false,
    }
}

fn nodes(tree: &Tree) -> usize {
    fn below(node: &Node) -> usize {
        1 + node.children().iter().map(below).sum::<usize>()
    }
    tree.children.iter().map(below).sum()
}

#[test]
fn generation_1_of_a_2019_host() {
    let Some(bytes) = sample(GEN1) else { return };
    let reading = VmConfiguration::read(GEN1, &bytes).unwrap();
    let vm = reading.configuration;
    assert_eq!(vm.name, "Default Generation 1");
    assert_eq!(vm.id.to_string(), "ec04f346-db96-4700-af5b-77b3c56c38bd");
    assert_eq!(reading.logical_id, Some(vm.id));
    assert_eq!(reading.notices, []);
    assert_eq!((vm.generation, vm.version.as_str()), (1, "9.0"));
    assert_eq!((vm.processors, vm.memory.startup_mib), (1, 1024));
    assert_eq!(
        vm.disks,
        [disk(
            ControllerKind::Ide,
            r"C:\Disks\Default Generation 1.vhdx"
        )]
    );
    assert_eq!(vm.network_adapters.len(), 1);
    assert_eq!(vm.network_adapters[0].name, "Network Adapter");
    assert_eq!(vm.network_adapters[0].switch_name, "");
    assert_eq!(vm.checkpoints, []);
    assert!(!vm.secure_boot);
    assert_eq!(vm.secure_boot_template, None);
    assert!(vm.guest_state_file.unwrap().ends_with(".vmgs"));
}

#[test]
fn generation_2_with_children_before_their_parents() {
    let Some(bytes) = sample(GEN2) else { return };
    let vm = VmConfiguration::from_bytes(GEN2, &bytes).unwrap();
    assert_eq!(vm.name, "Default Generation 2");
    assert_eq!(vm.id.to_string(), "993f7b33-6057-4d1e-a1fe-a1a1d77be974");
    assert_eq!((vm.generation, vm.version.as_str()), (2, "9.0"));
    assert_eq!((vm.processors, vm.memory.startup_mib), (1, 1024));
    assert_eq!(
        vm.disks,
        [disk(
            ControllerKind::Scsi,
            r"C:\Disks\Default Generation 2.vhdx"
        )]
    );
    assert_eq!(vm.network_adapters.len(), 1);
    assert!(vm.secure_boot);
    let template = vm.secure_boot_template.map(|id| id.to_string());
    // That of Windows.
    let windows = "1734c6e8-3154-4dda-ba5f-a874cc483422";
    assert_eq!(template.as_deref(), Some(windows));
    // A reader that hangs what comes too early under the root finds more than one child there.
    assert_eq!(read_vmcx(GEN2, &bytes).unwrap().children.len(), 1);
}

#[test]
fn xml_of_2012_r2() {
    let Some(bytes) = sample(XML) else { return };
    let vm = VmConfiguration::from_bytes(XML, &bytes).unwrap();
    assert_eq!(vm.name, "Default Generation 2");
    assert_eq!(vm.id.to_string(), "d351c151-dac7-4042-b434-b72d522c1e4a");
    assert_eq!((vm.generation, vm.version.as_str()), (2, "5.0"));
    assert_eq!((vm.processors, vm.memory.startup_mib), (1, 512));
    assert_eq!(vm.memory.minimum_mib, 512);
    assert_eq!(vm.memory.maximum_mib, 1_048_576);
    assert_eq!(
        vm.disks,
        [disk(
            ControllerKind::Scsi,
            r"C:\Disks\Default Generation 2.vhdx"
        )]
    );
    assert_eq!(vm.network_adapters[0].mac_address, "00-00-00-00-00-00");
    assert!(vm.secure_boot);
    let tree = read_xml(XML, &bytes).unwrap();
    let metrics = tree.get("configuration/global_settings/metrics").unwrap();
    assert_eq!(metrics.children().len(), 3, "siblings of one name");
    let time = tree
        .get("configuration/_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_/nvram/last_update_time")
        .unwrap();
    assert!(matches!(&time.value, Value::Bytes(bytes) if bytes.len() == 16));
}

#[test]
fn every_sample_comes_back_from_both_writers() {
    for (name, read) in [
        (GEN1, read_vmcx as fn(&str, &[u8]) -> _),
        (GEN2, read_vmcx),
        (XML, read_xml),
    ] {
        let Some(bytes) = sample(name) else { return };
        let tree = read(name, &bytes).unwrap();
        assert!(nodes(&tree) > 300, "{name}: {}", nodes(&tree));
        let vmcx = write_vmcx(&tree).unwrap();
        assert_eq!(read_vmcx(name, &vmcx).unwrap(), tree, "{name}");
        let xml = write_xml(&tree).unwrap();
        assert_eq!(read_xml(name, &xml).unwrap(), tree, "{name}");
    }
}

#[test]
fn a_new_disk_path_changes_nothing_else() {
    for name in [GEN1, GEN2, XML] {
        let Some(bytes) = sample(name) else { return };
        let mut vm = VmConfiguration::from_bytes(name, &bytes).unwrap();
        let path = r"D:\R\disk & data.vhdx";
        let edited = with_disk_paths(&bytes, &[(vm.disks[0].slot, path)]).unwrap();
        assert_eq!(with_disk_paths(&bytes, &[]).unwrap(), bytes, "{name}");
        vm.disks[0].path = path.to_owned();
        assert_eq!(VmConfiguration::from_bytes(name, &edited).unwrap(), vm);
        if name != XML {
            let changed: Vec<usize> = (0..bytes.len())
                .filter(|at| bytes[*at] != edited[*at])
                .collect();
            let (first, last) = (changed[0], *changed.last().unwrap());
            assert!(last - first < 200, "{name}: {first} to {last}");
        }
    }
}
