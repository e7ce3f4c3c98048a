//! Restores for other hypervisors, as the command line offers them.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use disk_model::independent_tools::run;

use crate::sandbox::{Sandbox, files, flat, json_lines};

fn backed_up() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    sandbox
}

/// Reads an image by `qemu-img`. `None`: it is not installed.
fn by_qemu(sandbox: &Sandbox, image: &Path, format: &str) -> Option<Vec<u8>> {
    let raw = sandbox.path("by-qemu.raw");
    let words: [&OsStr; 7] = [
        "convert".as_ref(),
        "-f".as_ref(),
        format.as_ref(),
        "-O".as_ref(),
        "raw".as_ref(),
        image.as_ref(),
        raw.as_ref(),
    ];
    run("qemu-img", &words)?;
    Some(fs::read(&raw).unwrap())
}

#[test]
fn a_disk_comes_back_in_every_format_that_is_asked_for() {
    let sandbox = backed_up();
    let source = flat(&sandbox.path("host/Web/web_1.avhdx"));
    for format in ["qcow2", "vmdk"] {
        // What the name of the file says is enough.
        let out = sandbox.text(&format!("out.{format}"));
        sandbox.ok(&["restore", "disk", "Web@latest", "-o", &out]);
        let converted = sandbox.text(&format!("converted.{format}"));
        let arguments = ["disk", "convert", "host/Web/web_1.avhdx", "-o", &converted];
        sandbox.ok(&arguments);
        for made in [out, converted] {
            let Some(bytes) = by_qemu(&sandbox, made.as_ref(), format) else {
                return;
            };
            assert!(bytes == source, "{made}");
        }
    }
    // Nobody takes one for a disk that could be backed up.
    let error = sandbox.fails(1, &["disk", "info", "out.qcow2"]);
    assert!(error.contains("can be made, not read"), "{error}");
}

#[test]
fn a_vm_comes_back_with_a_domain_and_nothing_of_hyper_vs() {
    let sandbox = backed_up();
    let folder = sandbox.text("domain");
    let arguments = [
        "restore",
        "vm",
        "Web@latest",
        "--path",
        &folder,
        "--libvirt",
    ];
    let lines = json_lines(&sandbox.ok(&[&arguments[..], &["--dry-run", "--json"]].concat()));
    let plan = &lines[0];
    assert_eq!(plan["format"], "qcow2");
    assert_eq!(plan["findings"][0]["id"], "POINT-DISK-BUS");
    assert!(!Path::new(&folder).exists(), "a dry run makes nothing");
    let output = sandbox.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("POINT-DISK-BUS") && said.contains("Web.txt"),
        "{said}"
    );
    let made: Vec<String> = files(folder.as_ref())
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let expected = [
        "Web.sh",
        "Web.txt",
        "Web.xml",
        "lifeboat-restore.json",
        "web.qcow2",
    ];
    assert_eq!(made, expected);
    let xml = fs::read_to_string(sandbox.path("domain/Web.xml")).unwrap();
    assert!(
        xml.contains("web.qcow2") && xml.contains("machine=\"q35\""),
        "{xml}"
    );
    // A second time nothing is replaced.
    sandbox.fails(30, &arguments);
}

#[test]
fn disks_alone_come_in_one_format_and_what_makes_no_sense_is_refused() {
    let sandbox = backed_up();
    let folder = sandbox.text("disks");
    let vm = ["restore", "vm", "Web@latest", "--path", &folder];
    let with = |more: &[&'static str]| [&vm[..], more].concat();
    sandbox.fails(2, &with(&["--map-switch", "LAN=office"]));
    sandbox.fails(2, &with(&["--map-switch", "LAN", "--libvirt"]));
    sandbox.fails(2, &with(&["--map-switch", "LAN=office", "--format", "raw"]));
    sandbox.fails(2, &with(&["--virtio"]));
    let error = sandbox.fails(1, &with(&["--format", "vhdx", "--libvirt"]));
    assert!(error.contains("libvirt knows no VHDX"), "{error}");
    assert!(!Path::new(&folder).exists());
    sandbox.ok(&with(&["--format", "vhd"]));
    let source = flat(&sandbox.path("host/Web/web_1.avhdx"));
    assert!(flat(&sandbox.path("disks/web.vhd")) == source);
    assert_eq!(files(folder.as_ref()).len(), 2);
}
