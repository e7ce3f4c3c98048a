//! The domain as libvirt reads it.

use std::io;

use quick_xml::Writer;
use quick_xml::events::BytesText;

use crate::domain::{AttachedDisk, Bus, Domain, Firmware};

type Xml = Writer<Vec<u8>>;

impl Domain {
    /// Returns the XML for `virsh define`.
    pub fn to_xml(&self) -> String {
        let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
        // A vector takes whatever is written to it.
        drop(self.write(&mut xml));
        let mut text = String::from_utf8_lossy(&xml.into_inner()).into_owned();
        text.push('\n');
        text
    }

    fn write(&self, xml: &mut Xml) -> io::Result<()> {
        xml.create_element("domain")
            .with_attribute(("type", "kvm"))
            .write_inner_content(|xml| {
                leaf_text(xml, "name", &[], &self.name)?;
                if let Some(uuid) = self.uuid {
                    leaf_text(xml, "uuid", &[], &uuid.to_string())?;
                }
                let description = printable(&self.description);
                if !description.trim().is_empty() {
                    leaf_text(xml, "description", &[], &description)?;
                }
                leaf_text(
                    xml,
                    "memory",
                    &[("unit", "MiB")],
                    &self.memory_mib.to_string(),
                )?;
                leaf_text(xml, "vcpu", &[], &self.processors.to_string())?;
                self.write_os(xml)?;
                write_features(xml)?;
                leaf(xml, "cpu", &[("mode", "host-passthrough")])?;
                self.write_clock(xml)?;
                leaf_text(xml, "on_poweroff", &[], "destroy")?;
                leaf_text(xml, "on_reboot", &[], "restart")?;
                leaf_text(xml, "on_crash", &[], "destroy")?;
                within(xml, "devices", &[], |xml| self.write_devices(xml))
            })?;
        Ok(())
    }

    fn write_os(&self, xml: &mut Xml) -> io::Result<()> {
        let (machine, attributes): (_, &[_]) = match self.firmware {
            Firmware::Bios => ("pc", &[]),
            Firmware::Uefi => ("q35", &[("firmware", "efi")]),
        };
        within(xml, "os", attributes, |xml| {
            leaf_text(
                xml,
                "type",
                &[("arch", "x86_64"), ("machine", machine)],
                "hvm",
            )?;
            if self.firmware == Firmware::Bios {
                return Ok(());
            }
            within(xml, "firmware", &[], |xml| {
                leaf(
                    xml,
                    "feature",
                    &[("enabled", "no"), ("name", "secure-boot")],
                )
            })
        })
    }

    fn write_clock(&self, xml: &mut Xml) -> io::Result<()> {
        within(xml, "clock", &[("offset", self.clock())], |xml| {
            leaf(xml, "timer", &[("name", "rtc"), ("tickpolicy", "catchup")])?;
            leaf(xml, "timer", &[("name", "pit"), ("tickpolicy", "delay")])?;
            leaf(xml, "timer", &[("name", "hpet"), ("present", "no")])?;
            leaf(xml, "timer", &[("name", "hypervclock"), ("present", "yes")])
        })
    }

    fn write_devices(&self, xml: &mut Xml) -> io::Result<()> {
        let mut letters = 0;
        for (order, attached) in (1_u32..).zip(&self.disks) {
            self.write_disk(xml, attached, order, &mut letters)?;
        }
        if self.disks.iter().any(|disk| disk.bus == Bus::VirtioScsi) {
            let model = [("type", "scsi"), ("index", "0"), ("model", "virtio-scsi")];
            leaf(xml, "controller", &model)?;
        }
        for adapter in &self.adapters {
            within(xml, "interface", &[("type", "network")], |xml| {
                if let Some(address) = &adapter.mac_address {
                    leaf(xml, "mac", &[("address", address)])?;
                }
                leaf(xml, "source", &[("network", &adapter.network)])?;
                leaf(xml, "model", &[("type", self.adapter_model())])?;
                if !adapter.connected {
                    leaf(xml, "link", &[("state", "down")])?;
                }
                Ok(())
            })?;
        }
        leaf(xml, "serial", &[("type", "pty")])?;
        leaf(xml, "console", &[("type", "pty")])?;
        leaf(xml, "input", &[("type", "tablet"), ("bus", "usb")])?;
        leaf(xml, "graphics", &[("type", "vnc"), ("autoport", "yes")])?;
        within(xml, "video", &[], |xml| {
            leaf(xml, "model", &[("type", "vga")])
        })
    }

    fn write_disk(
        &self,
        xml: &mut Xml,
        attached: &AttachedDisk,
        order: u32,
        letters: &mut u32,
    ) -> io::Result<()> {
        let disk = &attached.disk;
        let path = format!("{}/{}", self.folder, disk.file_name);
        let (bus, device) = match attached.bus {
            Bus::Ide => (
                "ide",
                format!("hd{}", letter(attached.controller * 2 + attached.unit)),
            ),
            Bus::Sata => ("sata", next_letter(letters)),
            Bus::VirtioScsi => ("scsi", next_letter(letters)),
        };
        // IDE is one controller with two channels.
        let (controller, channel) = match attached.bus {
            Bus::Ide => (0, attached.controller),
            Bus::Sata | Bus::VirtioScsi => (attached.controller, 0),
        };
        within(
            xml,
            "disk",
            &[("type", "file"), ("device", "disk")],
            |xml| {
                let format = disk.format.name();
                leaf(
                    xml,
                    "driver",
                    &[("name", "qemu"), ("type", format), ("discard", "unmap")],
                )?;
                leaf(xml, "source", &[("file", &path)])?;
                if disk.sector_bytes != 512 {
                    let bytes = disk.sector_bytes.to_string();
                    let sizes = [
                        ("logical_block_size", &*bytes),
                        ("physical_block_size", &*bytes),
                    ];
                    leaf(xml, "blockio", &sizes)?;
                }
                leaf(xml, "target", &[("dev", &device), ("bus", bus)])?;
                leaf(xml, "boot", &[("order", &order.to_string())])?;
                let place = [
                    ("type", "drive"),
                    ("controller", &controller.to_string()),
                    ("bus", &channel.to_string()),
                    ("target", "0"),
                    ("unit", &attached.unit.to_string()),
                ];
                leaf(xml, "address", &place)
            },
        )
    }
}

/// What guests of Hyper-V know and KVM can give them.
fn write_features(xml: &mut Xml) -> io::Result<()> {
    within(xml, "features", &[], |xml| {
        leaf(xml, "acpi", &[])?;
        leaf(xml, "apic", &[])?;
        within(xml, "hyperv", &[("mode", "custom")], |xml| {
            for name in ["relaxed", "vapic"] {
                leaf(xml, name, &[("state", "on")])?;
            }
            leaf(xml, "spinlocks", &[("state", "on"), ("retries", "8191")])?;
            for name in ["vpindex", "runtime", "synic", "stimer", "frequencies"] {
                leaf(xml, name, &[("state", "on")])?;
            }
            Ok(())
        })
    })
}

fn next_letter(letters: &mut u32) -> String {
    let device = format!("sd{}", letter(*letters));
    *letters += 1;
    device
}

/// Returns the letters of a disk's device: `a` to `z`, then `aa`.
fn letter(number: u32) -> String {
    let last = char::from_digit(number % 26 + 10, 36).unwrap_or('a');
    match number / 26 {
        0 => last.to_string(),
        more => format!("{}{last}", letter(more - 1)),
    }
}

/// Returns a text without what XML cannot hold.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .filter(|c| !matches!(c, '\u{FFFE}' | '\u{FFFF}'))
        .collect()
}

fn leaf(xml: &mut Xml, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
    let element = xml.create_element(name);
    element
        .with_attributes(attributes.iter().copied())
        .write_empty()?;
    Ok(())
}

fn leaf_text(xml: &mut Xml, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
    xml.create_element(name)
        .with_attributes(attributes.iter().copied())
        .write_text_content(BytesText::new(&printable(text)))?;
    Ok(())
}

fn within(
    xml: &mut Xml,
    name: &str,
    attributes: &[(&str, &str)],
    content: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    xml.create_element(name)
        .with_attributes(attributes.iter().copied())
        .write_inner_content(content)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::letter;

    #[test]
    fn letters_go_on_behind_z() {
        let letters = [0, 25, 26, 27, 701, 702].map(letter);
        assert_eq!(letters, ["a", "z", "aa", "ab", "zz", "aaa"]);
    }
}
