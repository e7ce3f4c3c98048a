//! A small process that outlives this one, to unmount what it left.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for a word on its input, which says that all is done. Where the input ends without one, the
/// program has died: its mount would stay, and answer everybody with an error.
const SCRIPT: &str = r#"read -r _ || fusermount3 -u -q -z -- "$1" || fusermount -u -q -z -- "$1" || umount -l -- "$1""#;

/// Unmounts a folder when this process dies, however it dies.
///
/// FUSE's own `auto_unmount` would let other users in (`allow_other`).
pub(crate) struct Undertaker(Child);

impl Undertaker {
    pub(crate) fn hire(folder: &Path) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(folder);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C is not for it.
            .process_group(0);
        command.spawn().map(Self)
    }
}

impl Drop for Undertaker {
    /// Nothing is left to be done.
    fn drop(&mut self) {
        let told = self.0.stdin.take().map(|mut input| input.write_all(b"\n"));
        if !matches!(told, Some(Ok(()))) {
            // It has ended already; ending it again does no harm.
            drop(self.0.kill());
        }
        drop(self.0.wait());
    }
}

/// Unmounts a folder that programs still use: they get errors, and the folder is free.
pub(crate) fn unmount_by_force(folder: &Path) -> io::Result<()> {
    let mut last = io::Error::other("no program that unmounts was found");
    for (program, arguments) in [
        ("fusermount3", ["-u", "-q", "-z", "--"].as_slice()),
        ("fusermount", &["-u", "-q", "-z", "--"]),
        ("umount", &["-l", "--"]),
    ] {
        let mut command = Command::new(program);
        command.args(arguments).arg(folder).stdin(Stdio::null());
        match command.output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                last = io::Error::other(format!("{program}: {said}"));
            }
            Err(_) => {}
        }
    }
    Err(last)
}
