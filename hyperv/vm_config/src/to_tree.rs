//! From a typed configuration to the keys of a file.

use uuid::Uuid;

use crate::configuration::{ControllerKind, Disk, NetworkAdapter, VmConfiguration};
use crate::drives::MAX_NUMBER;
use crate::manifest::{FIRMWARE, GUEST_STATE, IDE, NETWORK, SCSI, instance_name};
use crate::port_features::vlan_keys;
use crate::tree::{Node, Tree, Value};

/// Class of the controllers that are neither IDE nor SCSI. Reading tells them by being unknown.
const OTHER: Uuid = Uuid::max();

impl VmConfiguration {
    /// Returns the keys that [`VmConfiguration::from_bytes`] reads, under the names that real
    /// files have: a configuration for the demo, the simulated host and tests, not for a real
    /// host, which needs many more keys.
    ///
    /// Reading gives an equal configuration back where the version has the form `major.minor`,
    /// the generation is 1 or 2, disks are in order and at most one in a slot, texts have no NUL,
    /// no adapter tells its guest's addresses, and numbers are within what Hyper-V itself permits.
    pub fn to_tree(&self) -> Tree {
        let mut devices = Devices::default();
        let mut firmware = vec![Node::bool("secure_boot_enabled", self.secure_boot)];
        firmware.extend(
            self.secure_boot_template
                .map(|template| Node::text("secure_boot_template_id", guid_text(template))),
        );
        devices.single(FIRMWARE, "Microsoft Virtual BIOS", firmware);
        if let Some(path) = &self.guest_state_file {
            let state = vec![Node::text("StateFilePath", path)];
            devices.single(GUEST_STATE, "Microsoft Guest Runtime State", state);
        }
        self.add_controllers(&mut devices);
        for (number, adapter) in (0..).zip(&self.network_adapters) {
            devices.add(
                NETWORK,
                self.instance(NETWORK, number),
                "Synthetic Ethernet Port",
                adapter_keys(adapter),
            );
        }
        let Devices { mut nodes, entries } = devices;
        let mut manifest = vec![
            Node::integer("version", 512),
            Node::integer("size", signed(entries.len() as u64)),
        ];
        manifest.extend(entries);
        nodes.push(Node::branch(
            "global_settings",
            vec![Node::branch("snapshots", vec![self.checkpoint_list()])],
        ));
        nodes.push(self.properties());
        nodes.push(self.settings());
        nodes.push(Node::branch("manifest", manifest));
        Tree {
            children: vec![Node::branch("configuration", nodes)],
        }
    }

    fn properties(&self) -> Node {
        let mut properties = vec![
            Node::text("global_id", guid_text(self.id)),
            Node::text("name", &self.name),
            Node::text("notes", &self.notes),
            Node::integer("subtype", i64::from(self.generation == 2)),
            Node::text("type_id", "Virtual Machines"),
        ];
        if let Some(version) = version_number(&self.version) {
            properties.push(Node::integer("version", version));
        }
        Node::branch("properties", properties)
    }

    fn settings(&self) -> Node {
        let id = vec![Node::text("logical_id", guid_text(self.id))];
        let bank = vec![
            Node::bool("dynamic_memory_enabled", self.memory.dynamic),
            Node::integer("limit", signed(self.memory.maximum_mib)),
            Node::integer("reservation", signed(self.memory.minimum_mib)),
            Node::integer("size", signed(self.memory.startup_mib)),
        ];
        let processors = vec![Node::integer("count", i64::from(self.processors))];
        Node::branch(
            "settings",
            vec![
                Node::branch("global", id),
                Node::branch("memory", vec![Node::branch("bank", bank)]),
                Node::branch("processors", processors),
            ],
        )
    }

    /// The list in the form that reading guesses; see there.
    fn checkpoint_list(&self) -> Node {
        let mut list = vec![Node::integer("size", signed(self.checkpoints.len() as u64))];
        for (number, checkpoint) in (1_usize..).zip(&self.checkpoints) {
            list.push(Node::branch(
                format!("snapshot{number:03}"),
                vec![
                    Node::text("id", guid_text(checkpoint.id)),
                    Node::text("name", &checkpoint.name),
                ],
            ));
        }
        Node::branch("list", list)
    }

    /// One device for both IDE controllers, and one for each SCSI controller, as on a real host.
    fn add_controllers(&self, devices: &mut Devices) {
        let of = |kind: ControllerKind| {
            self.disks
                .iter()
                .filter(move |disk| disk.slot.kind == kind && disk.slot.controller <= MAX_NUMBER)
        };
        if self.generation == 1 || of(ControllerKind::Ide).next().is_some() {
            let keys = controllers(of(ControllerKind::Ide), |disk| disk.slot.controller);
            devices.single(IDE, "Microsoft Emulated IDE Controller", keys);
        }
        let scsi = of(ControllerKind::Scsi)
            .map(|disk| disk.slot.controller)
            .max();
        for number in scsi.into_iter().flat_map(|last| 0..=last) {
            let disks = of(ControllerKind::Scsi).filter(|disk| disk.slot.controller == number);
            devices.add(
                SCSI,
                self.instance(SCSI, number),
                "Synthetic SCSI Controller",
                controllers(disks, |_| 0),
            );
        }
        if of(ControllerKind::Other).next().is_some() {
            let keys = controllers(of(ControllerKind::Other), |disk| disk.slot.controller);
            devices.add(OTHER, self.instance(OTHER, 0), "Controller", keys);
        }
    }

    /// Makes an instance's GUID, the same each time.
    fn instance(&self, class: Uuid, number: u32) -> Uuid {
        Uuid::from_u128(self.id.as_u128() ^ class.as_u128() ^ u128::from(number))
    }
}

#[derive(Default)]
struct Devices {
    /// Nodes of the instances.
    nodes: Vec<Node>,
    /// Entries of the manifest.
    entries: Vec<Node>,
}

impl Devices {
    /// Adds a device of which a VM has one: its instance is its class.
    fn single(&mut self, class: Uuid, name: &str, keys: Vec<Node>) {
        self.add(class, class, name, keys);
    }

    fn add(&mut self, class: Uuid, instance: Uuid, name: &str, keys: Vec<Node>) {
        self.nodes.push(Node::branch(instance_name(instance), keys));
        let number = self.entries.len() + 1;
        self.entries.push(Node::branch(
            format!("vdev{number:03}"),
            vec![
                Node::text("device", class.to_string()),
                Node::text("instance", instance.to_string()),
                Node::text("name", name),
                Node::integer("flags", 1),
            ],
        ));
    }
}

fn controllers<'a>(
    disks: impl Iterator<Item = &'a Disk>,
    number: impl Fn(&Disk) -> u32,
) -> Vec<Node> {
    let mut controllers: Vec<Node> = Vec::new();
    for disk in disks {
        let name = format!("controller{}", number(disk));
        let drive = drive(disk);
        match controllers.iter_mut().find(|node| node.name == name) {
            Some(Node {
                value: Value::Branch(drives),
                ..
            }) => drives.push(drive),
            _ => controllers.push(Node::branch(name, vec![drive])),
        }
    }
    controllers
}

fn drive(disk: &Disk) -> Node {
    // How hosts name a physical disk is not known; reading takes any type with this in it.
    let kind = if disk.pass_through { "PHYSICAL" } else { "VHD" };
    Node::branch(
        format!("drive{}", disk.slot.slot),
        vec![Node::text("type", kind), Node::text("pathname", &disk.path)],
    )
}

fn adapter_keys(adapter: &NetworkAdapter) -> Vec<Node> {
    let mut connection = vec![Node::text("AltSwitchName", &adapter.switch_name)];
    connection.extend(adapter.vlan.into_iter().flat_map(vlan_keys));
    vec![
        Node::text("FriendlyName", &adapter.name),
        Node::text("MacAddress", &adapter.mac_address),
        Node::bool("MacAddressIsStatic", adapter.mac_is_static),
        Node::bool("IsConnected", !adapter.switch_name.is_empty()),
        Node::text("SwitchName", &adapter.switch_name),
        Node::branch("Connection", connection),
    ]
}

/// Hosts write the VM's GUID in upper case.
fn guid_text(id: Uuid) -> String {
    id.to_string().to_ascii_uppercase()
}

fn version_number(version: &str) -> Option<i64> {
    let (major, minor) = version.split_once('.')?;
    let (major, minor): (u32, u8) = (major.parse().ok()?, minor.parse().ok()?);
    major
        .checked_mul(256)?
        .checked_add(u32::from(minor))
        .map(i64::from)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
