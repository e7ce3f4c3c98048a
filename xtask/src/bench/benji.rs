//! Benji, the one peer that takes a list of changed ranges: a Python program that is run, never
//! linked.
//!
//! It is looked for in `LIFEBOAT_BENCH_PEERS/benji/bin`, in the work folder's `peers/benji/bin`, and
//! on the path. Its pins do not hold on Python 3.11: install it with `pip install --no-deps
//! benji==0.17.0` into an environment of its own, and its dependencies beside it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::contender::{PASSWORD, Place};
use super::image::Image;
use super::measure::{self, Measurement};

/// What installs it.
pub(crate) const HINT: &str = "python3 -m venv PEERS/benji; pip install --no-deps benji==0.17.0, \
                               then its dependencies with sqlalchemy<2 and structlog, zstandard";

pub(crate) struct Benji {
    pub(crate) program: PathBuf,
    pub(crate) place: Place,
}

impl Benji {
    pub(crate) fn version(&self) -> String {
        let output = self.command(&["version-info"]).output();
        let output = output.map(|output| output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&output);
        let version = text.split_whitespace().find(|word| word.starts_with("0."));
        version.unwrap_or("0.17.0").to_owned()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--log-level")
            .arg("ERROR")
            .arg("--machine-output");
        command.arg("-c").arg(self.configuration());
        command.args(words);
        command
    }

    fn configuration(&self) -> PathBuf {
        self.place.output.join("benji.yaml")
    }

    /// Its default of 4 MiB blocks, and the compression and encryption that all others have.
    fn configure(&self) -> Result<(), String> {
        std::fs::create_dir_all(&self.place.repository).map_err(|error| error.to_string())?;
        let (store, output) = (&self.place.repository, &self.place.output);
        let configuration = json!({
            "configurationVersion": "1",
            "databaseEngine": format!("sqlite:///{}/benji.sqlite", output.display()),
            "logFile": output.join("benji.log"),
            "defaultStorage": "main",
            "storages": [{
                "name": "main", "storageId": 1, "module": "file",
                "configuration": { "path": store, "activeTransforms": ["zstd1", "aes1"] },
            }],
            "ios": [{ "name": "file", "module": "file" }],
            "transforms": [
                { "name": "zstd1", "module": "zstd", "configuration": { "level": 1 } },
                { "name": "aes1", "module": "aes_256_gcm", "configuration": {
                    "kdfSalt": "BBiZ+lIVSefMCdE4eOPX211n/04KY1M4c2SM/9XHUcA=",
                    "kdfIterations": 20000, "password": PASSWORD } },
            ],
        });
        // JSON is YAML.
        std::fs::write(self.configuration(), configuration.to_string())
            .map_err(|error| error.to_string())
    }

    /// Backs up the first day's disk, then what `ranges` name of the second's.
    pub(crate) fn compete(
        &self,
        image: &Image,
        ranges: &[(u64, u64)],
    ) -> Result<(Measurement, u64), String> {
        self.place.clear()?;
        self.place.prepare()?;
        self.configure()?;
        measure::run(self.command(&["database-init"]))?;
        let source = self.place.vm.join("disk.raw");
        let url = format!("file:{}", source.display());
        image.present(&image.first_raw, &source)?;
        let (_, output) = measure::run_with_output(self.command(&["backup", &url, "vm1"]))?;
        let uid = uid(&output).ok_or("benji did not say what it backed up")?;
        let before = measure::folder_bytes(&self.place.repository);

        let hints: Vec<Value> = ranges
            .iter()
            .map(|(offset, len)| json!({ "offset": offset, "length": len, "exists": "true" }))
            .collect();
        let list = self.place.output.join("hints.json");
        std::fs::write(&list, Value::Array(hints).to_string())
            .map_err(|error| error.to_string())?;
        image.present(&image.second_raw, &source)?;
        let list = list.display().to_string();
        let took = measure::run(self.command(&["backup", "-r", &list, "-f", &uid, &url, "vm1"]))?;
        let grown = measure::folder_bytes(&self.place.repository) - before;
        Ok((took, grown))
    }
}

/// The uid of the version that a backup made.
fn uid(output: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(output).ok()?;
    let uid = answer.get("versions")?.get(0)?.get("uid")?;
    uid.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_uid_is_found() {
        let output = br#"{"versions":[{"uid":"vm1-abc","volume":"vm1"}]}"#;
        assert_eq!(super::uid(output).as_deref(), Some("vm1-abc"));
        assert_eq!(super::uid(b"nothing"), None);
    }
}
