//! Restore points mounted through FUSE, for real.
#![expect(clippy::print_stderr, reason = "a test that is skipped must be seen")]

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use disk_model::independent_tools::skip;
use serde_json::Value;

use crate::files::{assert_same, backed_up, fill};
use crate::running::Running;
use crate::sandbox::Sandbox;

/// `EROFS`.
const READ_ONLY: i32 = 30;

/// Returns whether this machine can mount through FUSE, whatever our own program makes of it.
fn machine_mounts() -> bool {
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let is_device = fs::metadata("/dev/fuse").is_ok_and(|about| about.file_type().is_char_device());
    let may_mount = Command::new("unshare")
        .args(["--mount", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if device.is_err() || !is_device || !may_mount {
        eprintln!("not tested: this machine mounts nothing");
        return false;
    }
    true
}

/// Returns whether something is mounted on a folder.
fn is_mounted(folder: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let folder = folder.to_str().unwrap();
    table
        .lines()
        .any(|line| line.split(' ').nth(4) == Some(folder))
}

/// A running `files mount`.
struct Mount {
    running: Running,
    folder: PathBuf,
    said: Value,
}

impl Mount {
    fn start(sandbox: &Sandbox, points: &[&str]) -> Self {
        let folder = sandbox.path("mnt/x").parent().unwrap().join("points");
        let folder_text = folder.to_str().unwrap();
        let args = [&["files", "mount"], points, &[folder_text, "--json"]].concat();
        let (running, said) = Running::ready(sandbox, &args, "mounted");
        Self {
            running,
            folder: folder.canonicalize().unwrap(),
            said,
        }
    }

    /// Returns the folders at the top, by name.
    fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders
    }

    /// Ends it as a person does, and returns its last word.
    fn end(self) -> Value {
        let summary = self.running.end();
        assert!(!is_mounted(&self.folder));
        summary
    }
}

#[test]
fn two_points_are_read_at_once_each_as_it_was() {
    let sandbox = Sandbox::with_repository();
    if !machine_mounts() || !backed_up(&sandbox) {
        return;
    }
    let before = sandbox.path("before");
    fs::rename(sandbox.path("tree"), &before).unwrap();
    let tree = sandbox.path("tree");
    fill(&tree);
    fs::write(tree.join("hello.txt"), "hello again, and more\n").unwrap();
    fs::remove_file(tree.join("docs/file-007")).unwrap();
    crate::files::keep_whole_seconds(&tree);
    crate::files::image_of(&sandbox, &tree);
    sandbox.back_up_all();

    let mount = Mount::start(&sandbox, &["FILES@latest", "FILES@latest~1"]);
    assert_eq!(mount.said["points"], 2);
    let [mut old, mut new] = <[PathBuf; 2]>::try_from(mount.folders()).unwrap();
    if new.join("1/docs/file-007").exists() {
        // They were made within one second, so their names do not tell which was first.
        std::mem::swap(&mut old, &mut new);
    }
    assert_same(&before, &old.join("1"));
    assert_same(&tree, &new.join("1"));

    let hello = fs::metadata(new.join("1/hello.txt")).unwrap();
    let again = fs::metadata(new.join("1/docs/again.txt")).unwrap();
    assert_eq!(
        (hello.ino(), hello.nlink()),
        (again.ino(), 2),
        "two names of one file"
    );
    let own = fs::metadata(&tree).unwrap();
    assert_eq!((hello.uid(), hello.gid()), (own.uid(), own.gid()));
    assert_eq!(
        fs::read_to_string(new.join("1/hello.txt")).unwrap(),
        "hello again, and more\n"
    );
    let text = fs::read_to_string(new.join("WHAT-THIS-IS.txt")).unwrap();
    assert!(
        text.contains("FILES") && text.contains("left in order"),
        "{text}"
    );

    let mut big = fs::File::open(old.join("1/docs/deep/er/big.bin")).unwrap();
    big.seek(SeekFrom::Start(700_001)).unwrap();
    let mut piece = vec![0; 5000];
    big.read_exact(&mut piece).unwrap();
    let whole = fs::read(before.join("docs/deep/er/big.bin")).unwrap();
    assert!(piece == whole[700_001..705_001]);
    drop(big);

    let summary = mount.end();
    assert_eq!(summary["outcome"], "success", "{summary}");
    assert!(
        !sandbox.path("mnt/points").exists(),
        "the folder that was made for it"
    );
}

#[test]
fn nothing_can_be_changed() {
    let sandbox = Sandbox::with_repository();
    if !machine_mounts() || !backed_up(&sandbox) {
        return;
    }
    let mount = Mount::start(&sandbox, &["FILES@latest"]);
    let volume = mount.folders()[0].join("1");
    let refused = [
        fs::write(volume.join("new"), "x"),
        fs::write(volume.join("hello.txt"), "x"),
        fs::create_dir(volume.join("folder")),
        fs::remove_file(volume.join("hello.txt")),
        fs::rename(volume.join("hello.txt"), volume.join("other")),
        fs::create_dir(mount.folder.join("top")),
        std::os::unix::fs::symlink("x", volume.join("link")),
    ];
    for result in refused {
        assert_eq!(result.unwrap_err().raw_os_error(), Some(READ_ONLY));
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let folder = mount.folder.to_str().unwrap();
    let line = table.lines().find(|line| line.contains(folder)).unwrap();
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        let options = line.split(' ').nth(5).unwrap();
        assert!(options.split(',').any(|own| own == option), "{line}");
    }
    assert!(!line.contains("allow_other"), "{line}");
    mount.end();
}

#[test]
fn all_vms_are_shown_with_their_newest_points() {
    let sandbox = Sandbox::with_repository();
    if !machine_mounts() || !backed_up(&sandbox) {
        return;
    }
    sandbox.fat_volume("Fat.raw");
    sandbox.raw("Noise.raw", &crate::sandbox::noise("noise", 1 << 20));
    sandbox.back_up_all();
    let mount = Mount::start(&sandbox, &["--all"]);
    let names: Vec<String> = mount
        .folders()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["FILES", "Fat", "Noise"]);
    let hello = fs::read_to_string(mount.folder.join("Fat/latest/1/hello.txt"));
    assert_eq!(hello.unwrap(), "hello");
    let link = fs::read_link(mount.folder.join("FILES/latest")).unwrap();
    assert!(mount.folder.join("FILES").join(link).is_dir());
    assert_eq!(fs::read_dir(mount.folder.join("FILES")).unwrap().count(), 3);
    let noise = mount.folder.join("Noise/latest");
    let text = fs::read_to_string(noise.join("WHAT-THIS-IS.txt")).unwrap();
    assert!(text.contains("Noise"), "{text}");
    mount.end();
}

#[test]
fn a_mount_whose_program_was_killed_does_not_stay() {
    let sandbox = Sandbox::with_repository();
    if !machine_mounts() || !backed_up(&sandbox) {
        return;
    }
    let mount = Mount::start(&sandbox, &["FILES@latest"]);
    assert!(is_mounted(&mount.folder));
    assert!(mount.folders()[0].join("1/hello.txt").is_file());
    mount.running.signal("-KILL");
    mount.running.wait();
    let folder = mount.folder;
    while is_mounted(&folder) {
        std::thread::yield_now();
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn somebody_else_may_unmount_it() {
    let sandbox = Sandbox::with_repository();
    if !machine_mounts() || !backed_up(&sandbox) {
        return;
    }
    let mount = Mount::start(&sandbox, &["FILES@latest"]);
    let unmounted = Command::new("umount").arg(&mount.folder).status();
    assert!(unmounted.unwrap().success());
    let (code, summary) = mount.running.wait();
    assert_eq!(summary["ended_by"], "somebody else", "{summary}");
    assert_eq!(code, Some(0));
}

#[test]
fn folders_that_cannot_be_mounted_on_are_refused() {
    let sandbox = Sandbox::with_repository();
    sandbox.fat_volume("Fat.raw");
    sandbox.back_up_all();
    let host = sandbox.text("host");
    let said = sandbox.fails(30, &["files", "mount", "Fat@latest", &host]);
    assert!(said.contains("not empty"), "{said}");
    sandbox.fails(2, &["files", "mount", &sandbox.text("mnt")]);
    sandbox.fails(
        2,
        &[
            "files",
            "mount",
            "Fat@latest",
            &sandbox.text("mnt"),
            "--all",
        ],
    );
    let said = sandbox.fails(2, &["files", "mount", "--vm", "None", &sandbox.text("mnt")]);
    assert!(said.contains("no restore point of a VM None"), "{said}");
    assert!(!sandbox.path("mnt").exists());
}

#[test]
fn an_independent_copy_of_a_mount_is_what_was_backed_up() {
    let sandbox = Sandbox::with_repository();
    if !machine_mounts() || !backed_up(&sandbox) {
        return;
    }
    let mount = Mount::start(&sandbox, &["FILES@latest"]);
    let out = sandbox.path("copy");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(mount.folders()[0].join("1"))
        .arg(&out)
        .status();
    match copied {
        Ok(status) => assert!(status.success()),
        Err(_) => return skip("cp is not installed"),
    }
    assert_same(&sandbox.path("tree"), &out);
    mount.end();
}

/// Returns how many bytes a process has read, from files and pipes.
fn read_by(process: u32) -> u64 {
    let counts = fs::read_to_string(format!("/proc/{process}/io")).unwrap();
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

#[test]
fn a_piece_of_a_large_file_costs_little_more_than_its_length() {
    const MIB: u64 = 1 << 20;
    let sandbox = Sandbox::with_repository();
    if !machine_mounts() || !backed_up(&sandbox) {
        return;
    }
    let large = crate::sandbox::noise("large", 24 << 20);
    let tree = sandbox.path("large/x").parent().unwrap().to_owned();
    fs::write(tree.join("large.bin"), &large).unwrap();
    crate::files::image_of(&sandbox, &tree);
    sandbox.back_up_all();
    let mount = Mount::start(&sandbox, &["FILES@latest"]);
    let mut file = fs::File::open(mount.folders()[0].join("1/large.bin")).unwrap();
    let before = read_by(mount.running.id());
    file.seek(SeekFrom::Start(9 * MIB + 123)).unwrap();
    let mut piece = vec![0; 1 << 20];
    file.read_exact(&mut piece).unwrap();
    assert!(piece == large[(9 << 20) + 123..(10 << 20) + 123]);
    // Each byte comes out of the repository, and once more out of the reader's pipe; the kernel reads
    // ahead, and so does the view.
    let read = read_by(mount.running.id()) - before;
    assert!((MIB..8 * MIB).contains(&read), "{read} bytes were read");
    drop(file);
    mount.end();
}
