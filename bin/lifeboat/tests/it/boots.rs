//! Guests that start from what was restored, and verify their files from inside.
//!
//! Everything runs without KVM, so that it runs anywhere.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use disk_image::{ImageFormat, OpenOptions};
use guest_disks::{GuestReport, Guests, OVMF_CODE, OVMF_VARS, boot};
use uuid::Uuid;
use vm_config::{ControllerKind, Disk, DiskSlot, Memory, VmConfiguration, write_vmcx};

use crate::sandbox::Sandbox;

/// Emulation, with room for the code of one small guest.
const EMULATED: &str = "tcg,tb-size=256";

fn guests() -> Option<&'static Guests> {
    static GUESTS: OnceLock<Option<Guests>> = OnceLock::new();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-kernel");
    GUESTS.get_or_init(|| Guests::make(&cache)).as_ref()
}

/// Makes a VM of a guest's disk, backs it up, and takes the original away.
fn backed_up(name: &str, generation: u32, guest: &Path) -> Sandbox {
    let sandbox = Sandbox::with_repository();
    let disk = sandbox.path(&format!("host/{name}/{name}.vhdx"));
    let options = OpenOptions::default();
    disk_image::convert(guest, &options, &disk, ImageFormat::Vhdx, &(), 2).unwrap();
    let id = Uuid::from_u128(u128::from(generation));
    let kind = match generation {
        1 => ControllerKind::Ide,
        _ => ControllerKind::Scsi,
    };
    let configuration = VmConfiguration {
        name: name.to_owned(),
        id,
        generation,
        version: "9.0".to_owned(),
        notes: String::new(),
        processors: 1,
        memory: Memory {
            startup_mib: 512,
            ..Memory::default()
        },
        disks: vec![Disk {
            slot: DiskSlot {
                kind,
                controller: 0,
                slot: 0,
            },
            path: format!("C:\\VMs\\{name}\\{name}.vhdx"),
            pass_through: false,
        }],
        network_adapters: Vec::new(),
        checkpoints: Vec::new(),
        guest_state_file: None,
        secure_boot: false,
        secure_boot_template: None,
    };
    let bytes = write_vmcx(&configuration.to_tree()).unwrap();
    sandbox.raw(&format!("{name}/Virtual Machines/{id}.vmcx"), &bytes);
    let summary = sandbox.back_up_all();
    assert_eq!(summary["outcome"], "success", "{summary}");
    std::fs::remove_dir_all(sandbox.path("host")).unwrap();
    sandbox
}

/// Restores the VM as it was on Hyper-V, and returns its VHDX.
fn restored_vhdx(sandbox: &Sandbox, name: &str) -> PathBuf {
    let folder = sandbox.text("restored");
    sandbox.ok(&[
        "restore",
        "vm",
        &format!("{name}@latest"),
        "--path",
        &folder,
    ]);
    sandbox.path(&format!("restored/Virtual Hard Disks/{name}.vhdx"))
}

/// Restores the VM for libvirt, and starts it by the script that was made of its domain.
fn boots_by_script(sandbox: &Sandbox, name: &str, more: &[&str]) -> GuestReport {
    let folder = sandbox.text("elsewhere");
    let point = format!("{name}@latest");
    let arguments = ["restore", "vm", &point, "--path", &folder, "--libvirt"];
    sandbox.ok(&[&arguments, more].concat());
    let script = sandbox.text(&format!("elsewhere/{name}.sh"));
    assert!(sandbox.path(&format!("elsewhere/{name}.qcow2")).exists());
    boot(&["sh", &script], &[("ACCEL", EMULATED)])
}

/// Starts QEMU alone with these devices.
fn started(machine: &str, devices: &[&str]) -> GuestReport {
    let program = [
        "qemu-system-x86_64",
        "-machine",
        machine,
        "-accel",
        EMULATED,
    ];
    let bare = ["-cpu", "max", "-m", "512", "-nodefaults"];
    boot(&[&program[..], &bare, devices].concat(), &[])
}

#[test]
fn a_generation_1_vm_starts_from_its_restored_vhdx_and_under_libvirts_arguments() {
    let Some(guests) = guests() else { return };
    let sandbox = backed_up("Gen1", 1, &guests.bios);
    let vhdx = restored_vhdx(&sandbox, "Gen1");
    let drive = format!("if=none,id=disk,format=vhdx,file={}", vhdx.display());
    let report = started(
        "pc",
        &["-drive", &drive, "-device", "ide-hd,bus=ide.0,drive=disk"],
    );
    assert_eq!(report, GuestReport::whole("bios"));
    assert_eq!(
        boots_by_script(&sandbox, "Gen1", &[]),
        GuestReport::whole("bios")
    );
}

#[test]
fn a_generation_2_vm_starts_from_its_restored_vhdx_and_under_libvirts_arguments() {
    let Some(guests) = guests() else { return };
    let sandbox = backed_up("Gen2", 2, &guests.uefi);
    let vhdx = restored_vhdx(&sandbox, "Gen2");
    let vars = sandbox.path("variables.fd");
    std::fs::copy(OVMF_VARS, &vars).unwrap();
    let flash = "if=pflash,format=raw";
    let code = format!("{flash},unit=0,readonly=on,file={OVMF_CODE}");
    let vars = format!("{flash},unit=1,file={}", vars.display());
    let drive = format!("if=none,id=disk,format=vhdx,file={}", vhdx.display());
    let report = started(
        "q35",
        &[
            "-drive",
            &code,
            "-drive",
            &vars,
            "-drive",
            &drive,
            "-device",
            "virtio-scsi-pci,id=scsi",
            "-device",
            "scsi-hd,bus=scsi.0,drive=disk",
        ],
    );
    assert_eq!(report, GuestReport::whole("efi"));
    // The kernel has virtio's drivers, and none for SATA.
    let report = boots_by_script(&sandbox, "Gen2", &["--virtio"]);
    assert_eq!(report, GuestReport::whole("efi"));
}
