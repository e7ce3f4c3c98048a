//! The domain as a script that starts QEMU alone.

use crate::domain::{AttachedDisk, Bus, Domain, Firmware, one_line};

/// What guests of Hyper-V know and KVM can give them; the same as in the XML.
const ENLIGHTENMENTS: &str = "hv-relaxed,hv-vapic,hv-spinlocks=0x1fff,hv-vpindex,hv-runtime,\
                              hv-time,hv-synic,hv-stimer,hv-frequencies";

impl Domain {
    /// Returns a shell script that starts the VM where no libvirt is. It lies in the folder of the
    /// disks, and stays right when that is moved; `vars_name` is the file in it that keeps the
    /// firmware's variables.
    ///
    /// Adapters reach the network through QEMU's own address translation.
    pub fn to_script(&self, vars_name: &str) -> String {
        let mut lines = vec![
            "#!/bin/sh".to_owned(),
            format!(
                "# Starts {} with QEMU alone. Further arguments are QEMU's.",
                one_line(&self.name)
            ),
            "# ACCEL=tcg runs it without KVM, slowly. OVMF_CODE and OVMF_VARS name UEFI's files."
                .to_owned(),
            "set -eu".to_owned(),
            "cd \"$(dirname \"$0\")\"".to_owned(),
            "ACCEL=${ACCEL:-kvm}".to_owned(),
            format!("if [ \"$ACCEL\" = kvm ]; then CPU=host,{ENLIGHTENMENTS}; else CPU=max; fi"),
        ];
        if self.firmware == Firmware::Uefi {
            let vars = quoted(&format!("./{vars_name}"));
            lines.push("OVMF_CODE=${OVMF_CODE:-/usr/share/OVMF/OVMF_CODE_4M.fd}".to_owned());
            lines.push("OVMF_VARS=${OVMF_VARS:-/usr/share/OVMF/OVMF_VARS_4M.fd}".to_owned());
            lines.push(format!("[ -e {vars} ] || cp \"$OVMF_VARS\" {vars}"));
        }
        lines.push("exec qemu-system-x86_64 \\".to_owned());
        for words in self.arguments(vars_name) {
            lines.push(format!("  {words} \\"));
        }
        lines.push("  \"$@\"\n".to_owned());
        lines.join("\n")
    }

    /// Returns QEMU's arguments as words of a shell, one option in each.
    fn arguments(&self, vars_name: &str) -> Vec<String> {
        let machine = match self.firmware {
            Firmware::Bios => "pc",
            Firmware::Uefi => "q35",
        };
        let mut words = vec![
            format!("-name {}", quoted(&escaped(&one_line(&self.name)))),
            format!("-machine {machine} -accel \"$ACCEL\" -cpu \"$CPU\""),
            format!("-smp {} -m {}", self.processors, self.memory_mib),
            format!("-rtc base={}", self.clock()),
        ];
        if let Some(uuid) = self.uuid {
            words.push(format!("-uuid {uuid}"));
        }
        if self.firmware == Firmware::Uefi {
            let flash = "if=pflash,format=raw";
            words.push(format!(
                "-drive {flash},unit=0,readonly=on,file=\"$OVMF_CODE\""
            ));
            let vars = quoted(&format!("{flash},unit=1,file=./{}", escaped(vars_name)));
            words.push(format!("-drive {vars}"));
        }
        words.extend(self.controllers());
        for (number, attached) in self.disks.iter().enumerate() {
            words.extend(drive(number, attached));
        }
        if self.adapters.is_empty() {
            words.push("-nic none".to_owned());
        }
        for (number, adapter) in self.adapters.iter().enumerate() {
            let model = match self.adapter_model() {
                "virtio" => "virtio-net-pci",
                model => model,
            };
            let mut device = format!("-device {model}");
            if adapter.connected {
                words.push(format!("-netdev user,id=net{number}"));
                device.push_str(&format!(",netdev=net{number}"));
            }
            if let Some(address) = &adapter.mac_address {
                device.push_str(&format!(",mac={address}"));
            }
            words.push(device);
        }
        words
    }

    fn controllers(&self) -> Vec<String> {
        let on = |bus| self.disks.iter().filter(move |disk| disk.bus == bus);
        let mut words: Vec<String> = on(Bus::Sata)
            .filter(|disk| disk.unit == 0)
            .map(|disk| format!("-device ich9-ahci,id=sata{}", disk.controller))
            .collect();
        if on(Bus::VirtioScsi).next().is_some() {
            words.push("-device virtio-scsi-pci,id=scsi".to_owned());
        }
        words
    }
}

fn drive(number: usize, attached: &AttachedDisk) -> [String; 2] {
    let disk = &attached.disk;
    let file = format!(
        "if=none,id=disk{number},format={},discard=unmap,file=./{}",
        disk.format.name(),
        escaped(&disk.file_name)
    );
    let (controller, unit) = (attached.controller, attached.unit);
    let device = match attached.bus {
        Bus::Ide => format!("ide-hd,bus=ide.{controller},unit={unit}"),
        Bus::Sata => format!("ide-hd,bus=sata{controller}.{unit}"),
        Bus::VirtioScsi => {
            let bytes = disk.sector_bytes;
            let sizes = format!("logical_block_size={bytes},physical_block_size={bytes}");
            let sizes = if bytes == 512 {
                String::new()
            } else {
                format!(",{sizes}")
            };
            format!("scsi-hd,bus=scsi.0,scsi-id=0,lun={unit}{sizes}")
        }
    };
    [
        format!("-drive {}", quoted(&file)),
        format!(
            "-device {device},drive=disk{number},bootindex={}",
            number + 1
        ),
    ]
}

/// Returns a value of an option: a comma ends it unless it is doubled.
fn escaped(text: &str) -> String {
    text.replace(',', ",,")
}

/// Returns one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
