//! `files get` and `files cat`: what comes out, read back by other tools; and what ends them.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use disk_model::independent_tools::have_tool;

use crate::sandbox::{Sandbox, json_lines, noise};

const MODIFIED: u64 = 1_700_000_000;

/// Backs up an ext4 volume with what file systems differ in.
fn backed_up(sandbox: &Sandbox) -> bool {
    if !have_tool("mkfs.ext4", &["-V"]) || !have_tool("debugfs", &["-V"]) {
        return false;
    }
    let tree = sandbox.path("tree");
    fs::create_dir_all(tree.join("d/deep")).unwrap();
    fs::write(tree.join("d/Ünïcode ファイル"), "unicode\n").unwrap();
    fs::write(tree.join("d/deep/noise"), noise("files", 3 << 20)).unwrap();
    fs::write(tree.join("d/plain"), "plain\n").unwrap();
    fs::hard_link(tree.join("d/plain"), tree.join("d/second")).unwrap();
    symlink("../d/plain", tree.join("d/link")).unwrap();
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(tree.join("d/plain"), mode).unwrap();
    for name in ["d/plain", "d/deep/noise", "d/Ünïcode ファイル"] {
        let time = UNIX_EPOCH + Duration::from_secs(MODIFIED);
        File::open(tree.join(name))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    let image = sandbox.path("host/FILES.raw");
    let mut make = Command::new("mkfs.ext4");
    make.args(["-q", "-F", "-d"])
        .arg(&tree)
        .arg(&image)
        .arg("24M");
    assert!(make.status().unwrap().success());
    for change in [
        "ea_set d/plain user.note noted",
        // The nanoseconds: the upper thirty bits.
        "set_inode_field d/plain mtime_extra 493827156",
    ] {
        let mut debugfs = Command::new("debugfs");
        debugfs.args(["-w", "-R", change]).arg(&image);
        assert!(debugfs.output().unwrap().status.success());
    }
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    true
}

/// What a Python program prints about an archive, a line for each member.
fn python(script: &str, archive: &Path) -> Option<Vec<String>> {
    if !have_tool("python3", &["--version"]) {
        return None;
    }
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(archive)
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

const READ_TAR: &str = "
import sys, tarfile, hashlib
for m in tarfile.open(sys.argv[1]):
    kind = 'dir' if m.isdir() else 'link' if m.issym() else 'hard' if m.islnk() else 'file'
    content = hashlib.sha256(tarfile.open(sys.argv[1]).extractfile(m).read()).hexdigest() if kind == 'file' else m.linkname
    print(m.name, kind, oct(m.mode), m.pax_headers.get('mtime', ''), m.pax_headers.get('SCHILY.xattr.user.note', ''), content, sep='|')
";

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').next().unwrap().to_owned()
}

#[test]
fn a_tar_archive_is_what_other_tools_read() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    let archive = sandbox.path("d.tar");
    let text = archive.to_str().unwrap().to_owned();
    let get = [
        "files",
        "get",
        "FILES@latest:/1/d",
        "--format",
        "tar",
        "-o",
        &text,
    ];
    sandbox.ok(&get);
    sandbox.fails(30, &get);
    if let Some(members) = python(READ_TAR, &archive) {
        let plain = members.iter().find(|line| line.starts_with("d/plain|"));
        let plain = plain.unwrap_or_else(|| panic!("{members:?}"));
        let hash = sha256(&sandbox.path("tree/d/plain"));
        assert_eq!(
            *plain,
            format!("d/plain|file|0o640|{MODIFIED}.123456789|noted|{hash}")
        );
        let has = |line: &str| members.iter().any(|member| member == line);
        let ends = |start: &str, end: &str| {
            let mut members = members.iter();
            members.any(|member| member.starts_with(start) && member.ends_with(end))
        };
        assert!(ends("d/second|hard|", "|d/plain"), "{members:?}");
        assert!(ends("d/link|link|", "|../d/plain"), "{members:?}");
        assert!(ends(
            "d/deep/noise|file|",
            &sha256(&sandbox.path("tree/d/deep/noise"))
        ));
        assert!(!has("d/link|file"));
    }
    let out = sandbox.path("untarred/x").parent().unwrap().to_owned();
    let mut tar = Command::new("tar");
    tar.args(["--xattrs", "-xpf"])
        .arg(&archive)
        .arg("-C")
        .arg(&out);
    assert!(tar.output().unwrap().status.success());
    let about = |name: &str| fs::metadata(out.join(name)).unwrap();
    assert_eq!(about("d/plain").mode() & 0o7777, 0o640);
    assert_eq!(about("d/plain").mtime_nsec(), 123_456_789);
    assert_eq!(about("d/plain").ino(), about("d/second").ino());
    assert!(fs::read(out.join("d/deep/noise")).unwrap() == noise("files", 3 << 20));

    // To standard output, compressed: the same members.
    if !have_tool("zstd", &["--version"]) {
        return;
    }
    let packed = sandbox.path("d.tar.zst");
    let mut get = sandbox.command(&["files", "get", "FILES@latest:/1/d", "--format", "tar.zst"]);
    let got = get.args(["-o", "-"]).stdout(File::create(&packed).unwrap());
    assert!(got.status().unwrap().success());
    let unpacked = sandbox.path("unpacked.tar");
    let mut zstd = Command::new("zstd");
    zstd.args(["-q", "-d", "-o"]).arg(&unpacked).arg(&packed);
    assert!(zstd.status().unwrap().success());
    assert!(fs::read(unpacked).unwrap() == fs::read(archive).unwrap());
}

const READ_ZIP: &str = "
import sys, zipfile, hashlib
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
for m in z.infolist():
    print(m.filename, oct((m.external_attr >> 16) & 0o7777), m.date_time, hashlib.sha256(z.read(m)).hexdigest(), sep='|')
";

#[test]
fn a_zip_archive_is_what_other_tools_read() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    let archive = sandbox.path("d.zip");
    let text = archive.to_str().unwrap().to_owned();
    sandbox.ok(&[
        "files",
        "get",
        "FILES@latest:/1/d",
        "--format",
        "zip",
        "-o",
        &text,
    ]);
    if let Some(members) = python(READ_ZIP, &archive) {
        for name in ["d/plain", "d/second", "d/deep/noise", "d/Ünïcode ファイル"] {
            let hash = sha256(&sandbox.path(&format!("tree/{name}")));
            let member = members
                .iter()
                .find(|line| line.starts_with(&format!("{name}|")));
            let member = member.unwrap_or_else(|| panic!("{name}: {members:?}"));
            assert!(member.ends_with(&hash), "{member}");
        }
        let plain = members.iter().find(|line| line.starts_with("d/plain|"));
        assert!(
            plain
                .unwrap()
                .contains("|0o640|(2023, 11, 14, 22, 13, 20)|"),
            "{plain:?}"
        );
    }
    if have_tool("unzip", &["-v"]) {
        let tested = Command::new("unzip")
            .arg("-tq")
            .arg(&archive)
            .output()
            .unwrap();
        assert!(tested.status.success(), "{tested:?}");
    }
}

#[test]
fn records_and_content_do_not_share_standard_output() {
    let sandbox = Sandbox::with_repository();
    sandbox.fat_volume("FAT.raw");
    sandbox.back_up_all();
    let file = "FAT@latest:/1/HELLO.TXT";
    for mixed in [
        &["files", "cat", file, "--json"][..],
        &["files", "cat", file, "--progress", "json"],
        &["files", "get", file, "--format", "tar", "-o", "-", "--json"],
    ] {
        let output = sandbox.run(mixed);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("standard output is for records"), "{said}");
    }
    assert_eq!(sandbox.ok(&["files", "cat", file]), "hello");
}

/// A FAT16 volume that says it was not left in order: all the rest is `fat_volume`'s.
fn volume_in_use(sandbox: &Sandbox, below: &str) {
    const SECTOR: usize = 512;
    // One reserved sector, one table of 17, one sector of the top folder, 4,200 clusters of one.
    let mut volume = vec![0; (1 + 17 + 1 + 4200) * SECTOR];
    volume[..3].copy_from_slice(&[0xEB, 0x3C, 0x90]);
    volume[3..11].copy_from_slice(b"MSDOS5.0");
    let sectors = u16::try_from(volume.len() / SECTOR).unwrap().to_le_bytes();
    volume[11..24].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0, sectors[0], sectors[1], 0xF8, 17, 0]);
    volume[510..512].copy_from_slice(&[0x55, 0xAA]);
    // The second entry's highest bit says that the volume was closed: it is not set.
    volume[SECTOR..SECTOR + 6].copy_from_slice(&[0xF8, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF]);
    let entry = &mut volume[18 * SECTOR..18 * SECTOR + 32];
    entry[..12].copy_from_slice(b"HELLO   TXT\x20");
    entry[26] = 2;
    entry[28] = 5;
    volume[19 * SECTOR..19 * SECTOR + 5].copy_from_slice(b"hello");
    sandbox.raw(below, &volume);
}

#[test]
fn a_volume_that_was_in_use_is_told_with_what_comes_out() {
    let sandbox = Sandbox::with_repository();
    volume_in_use(&sandbox, "FAT.raw");
    sandbox.back_up_all();
    let file = "FAT@latest:/1/HELLO.TXT";
    let output = sandbox.run(&["files", "cat", file]);
    assert_eq!(output.stdout, b"hello", "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("warning: volume /1:"), "{said}");
    let out = sandbox.text("out");
    let lines = json_lines(&sandbox.ok(&["files", "get", file, "-o", &out, "--json"]));
    let summary = lines.last().unwrap();
    assert_eq!(summary["behind"][0]["volume"], "/1", "{summary}");
    assert!(lines.iter().any(|line| line["type"] == "warning"));
}

#[test]
fn a_full_disk_ends_it_and_leaves_no_file_by_half() {
    let sandbox = Sandbox::with_repository();
    sandbox.raw("UNUSED.raw", &[0; 4096]);
    if !backed_up(&sandbox) {
        return;
    }
    let small = sandbox.path("small");
    fs::create_dir(&small).unwrap();
    for (format, output) in [
        ("folder", "small"),
        ("tar", "small/d.tar"),
        ("zip", "small/d.zip"),
        ("tar.zst", "small/d.tar.zst"),
    ] {
        // A disk of a megabyte in a mount namespace of this command alone; it is listed at the end.
        let script = "mount -t tmpfs -o size=1m none small || exit 99; \"$@\"; code=$?; \
                      find small -type f; exit $code";
        let program = env!("CARGO_BIN_EXE_lifeboat");
        let place = "FILES@latest:/1/d/deep/noise";
        let get = [
            program, "files", "get", place, "--format", format, "-o", output,
        ];
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, "sh"]).args(get);
        let like = sandbox.command(&[]);
        command.current_dir(like.get_current_dir().unwrap());
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let Ok(output) = command.output() else {
            eprintln!("skipped: unshare is not installed");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(99) || said.contains("unshare failed") {
            eprintln!("skipped: no mount namespace is allowed here");
            return;
        }
        assert_eq!(output.status.code(), Some(14), "{format}: {said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{format}");
    }
}

#[test]
fn an_archive_that_is_stopped_does_not_look_whole() {
    let sandbox = Sandbox::with_repository();
    if !backed_up(&sandbox) {
        return;
    }
    for format in ["tar", "zip", "tar.zst"] {
        let mut get = sandbox.command(&["files", "get", "FILES@latest:/1/d", "-o", "-"]);
        let mut child = get
            .args(["--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // What comes out is more than a pipe holds, so it is under way and waits.
        let mut output = child.stdout.take().unwrap();
        let mut begin = [0; 1000];
        output.read_exact(&mut begin).unwrap();
        let process = child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &process]).status();
        assert!(killed.unwrap().success());
        // The handler has a thread of its own, and nothing shows from outside when it ran: it has
        // as long as it takes to read the archive, of which most is still to come.
        let mut rest = Vec::new();
        output.read_to_end(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{format}");
        match format {
            "tar" => assert!(!rest.ends_with(&[0; 1024]), "it has its end"),
            "zip" => assert!(!rest.windows(4).any(|four| four == b"PK\x05\x06")),
            _ => {}
        }
    }
    let names = fs::read_dir(sandbox.path("x").parent().unwrap()).unwrap();
    assert!(names.map(Result::unwrap).all(|entry| {
        !entry
            .file_name()
            .to_string_lossy()
            .contains("lifeboat-partial")
    }));
}
