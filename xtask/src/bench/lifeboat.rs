//! Lifeboat itself, as its command line offers it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::contender::{Contender, Place};
use super::image::{self, Image};
use super::{measure, random_reads};

/// The release program of this workspace.
pub(crate) struct Lifeboat {
    program: PathBuf,
    place: Place,
}

/// Builds the release program.
pub(crate) fn build(root: &Path, place: Place) -> Result<Lifeboat, String> {
    let program = build_program(root)?;
    Ok(Lifeboat { program, place })
}

/// Builds the release program and returns its path.
pub(crate) fn build_program(root: &Path) -> Result<PathBuf, String> {
    let output = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--package",
            "lifeboat",
            "--message-format",
            "json",
        ])
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err("the release program does not build".into());
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| "cargo built no program called lifeboat".to_owned())
}

/// The path of the program in cargo's messages, one JSON object per line.
fn executable(messages: &str) -> Option<PathBuf> {
    let objects = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut programs = objects.filter_map(|message: serde_json::Value| {
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    programs.find(|path| path.file_stem().is_some_and(|stem| stem == "lifeboat"))
}

impl Lifeboat {
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("LIFEBOAT_PASSWORD_FILE", &self.place.password_file);
        command.env("LIFEBOAT_CACHE_DIR", &self.place.cache);
        command
            .args(words)
            .arg("--repo")
            .arg(&self.place.repository);
        command
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.place.output.join("recovery-key")
    }

    /// Makes the repository, and leaves its recovery key where [`Lifeboat::with_key`] finds it.
    pub(crate) fn init_with_key(&self) -> Command {
        let mut command = self.command(&["repo", "init"]);
        command.arg("--recovery-key-file").arg(self.key_file());
        command
    }

    /// Lets a command open the repository by its recovery key: no key is derived from a password,
    /// which takes a third of a second on purpose.
    pub(crate) fn with_key(&self, mut command: Command) -> Command {
        command.env_remove("LIFEBOAT_PASSWORD_FILE");
        command.env("LIFEBOAT_RECOVERY_KEY_FILE", self.key_file());
        command
    }

    pub(crate) fn back_up_all(&self) -> Command {
        let host = format!("dir:{}", self.place.vm.display());
        self.command(&["backup", "--host", &host, "--all"])
    }

    pub(crate) fn restored_disk(&self) -> PathBuf {
        self.place.output.join("disk.raw")
    }

    pub(crate) fn restore_disk(&self) -> Command {
        self.restore_as("raw", &self.restored_disk())
    }

    fn restore_as(&self, format: &str, out: &Path) -> Command {
        let mut command = self.command(&["restore", "disk", "disk@latest", "--disk", "0"]);
        command.args(["--format", format, "-o"]).arg(out);
        command
    }

    /// The folders of this program.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The same program in other folders.
    pub(crate) fn elsewhere(&self, place: Place) -> Lifeboat {
        let program = self.program.clone();
        Lifeboat { program, place }
    }
}

impl Contender for Lifeboat {
    fn name(&self) -> String {
        "lifeboat".into()
    }

    fn version(&self) -> String {
        let output = Command::new(&self.program).arg("--version").output();
        let output = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output)
            .split_whitespace()
            .nth(1)
            .unwrap_or("unknown")
            .to_owned()
    }

    fn is_lifeboat(&self) -> bool {
        true
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn init(&self) -> Command {
        self.command(&["repo", "init"])
    }

    fn backup(&self, _time: u32) -> Command {
        self.back_up_all()
    }

    fn restore(&self) -> Command {
        self.restore_disk()
    }

    fn restored(&self) -> PathBuf {
        self.restored_disk()
    }

    fn restore_vhdx(&self) -> Option<(Command, PathBuf)> {
        let out = self.place.output.join("disk.vhdx");
        Some((self.restore_as("vhdx", &out), out))
    }

    fn check(&self) -> Option<Command> {
        Some(self.command(&["repo", "check", "--read-data"]))
    }

    /// The disk itself: a VHDX made anew has other headers than the one that was backed up.
    fn expected(&self, image: &Image) -> PathBuf {
        image.second_raw.clone()
    }

    /// Asks the program's hidden `point bench-read POINT --disk N --offsets FILE`: it opens the
    /// point as every other reader does, reads 4 KiB at each offset (one decimal number per line)
    /// one after the other, and prints `{"reads":N,"seconds":S}`, counting the reads alone.
    fn random_reads(&self, image: &Image) -> Result<Option<f64>, String> {
        let offsets = image::random_offsets(&image.second_raw, random_reads::READS)
            .map_err(|error| error.to_string())?;
        let list = self.place.output.join("offsets");
        let text: String = offsets.iter().map(|offset| format!("{offset}\n")).collect();
        std::fs::write(&list, text).map_err(|error| error.to_string())?;
        random_reads::drop_caches()?;
        let mut command = self.command(&["point", "bench-read", "disk@latest", "--disk", "0"]);
        command.arg("--offsets").arg(&list);
        let (_, output) = measure::run_with_output(command)?;
        rate(&output)
            .ok_or_else(|| "bench-read printed no rate".into())
            .map(Some)
    }
}

fn rate(output: &[u8]) -> Option<f64> {
    let answer: serde_json::Value = serde_json::from_slice(output).ok()?;
    Some(answer.get("reads")?.as_f64()? / answer.get("seconds")?.as_f64()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_in_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"executable\":\"t/release/lifeboat\"}\n{\"reason\":\"build-finished\"}\n";
        assert_eq!(
            executable(messages),
            Some(PathBuf::from("t/release/lifeboat"))
        );
    }

    #[test]
    fn the_rate_is_reads_per_second() {
        assert_eq!(rate(b"{\"reads\":500,\"seconds\":0.25}\n"), Some(2000.0));
        assert_eq!(rate(b"no such command"), None);
    }
}
