//! A reader that was written from the format page alone restores what the program stored.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::{Sandbox, flat, json_lines, noise};

/// Python with what the reader needs, where there is one.
fn python() -> Option<String> {
    let python = std::env::var("LIFEBOAT_READER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let modules = "import blake3, zstandard, cryptography.hazmat.primitives.kdf.argon2";
    let probe = Command::new(&python).args(["-c", modules]).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    let lacking = format!("{python} with blake3, zstandard and cryptography 44");
    disk_model::independent_tools::skip(&format!("{lacking} is not here (LIFEBOAT_READER_PYTHON)"));
    None
}

struct Reader {
    python: String,
    repository: PathBuf,
    /// Variable that names the secret, and the file that holds it.
    secret: (&'static str, PathBuf),
}

impl Reader {
    fn run(&self, args: &[&str]) -> Result<String, String> {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/repository_reader.py");
        let output = Command::new(&self.python)
            .arg(script)
            .arg(&self.repository)
            .args(args)
            .env(self.secret.0, &self.secret.1)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        if output.status.success() {
            Ok(text(output.stdout))
        } else {
            Err(text(output.stderr))
        }
    }

    fn disk(&self, sandbox: &Sandbox, point: &str, disk: &str) -> Result<Vec<u8>, String> {
        let out = sandbox.text("reader.raw");
        self.run(&["read", point, disk, &out])?;
        Ok(fs::read(out).unwrap())
    }
}

fn points(sandbox: &Sandbox) -> Vec<String> {
    let lines = json_lines(&sandbox.ok(&["point", "list", "--json"]));
    let points = lines.iter().filter(|line| line["type"] == "point");
    points
        .map(|point| point["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_independent_reader_restores_every_point() {
    let Some(python) = python() else { return };
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.raw("loose.img", &noise("loose", (1 << 20) + 700));
    sandbox.back_up_all();
    let first = flat(&sandbox.path("host/Web/web_1.avhdx"));
    sandbox.child("Web/web_2.avhdx", "Web/web_1.avhdx", "second");
    sandbox.vm("Web", 0xeb, "Web/web_2.avhdx");
    sandbox.back_up_all();
    let second = flat(&sandbox.path("host/Web/web_2.avhdx"));
    let loose = noise("loose", (1 << 20) + 700);

    let by_key = Reader {
        python: python.clone(),
        repository: sandbox.path("repository"),
        secret: ("LIFEBOAT_RECOVERY_KEY_FILE", sandbox.path("key")),
    };
    let points = points(&sandbox);
    assert_eq!(points.len(), 4);
    let mut found = 0;
    for point in &points {
        let disk = by_key.disk(&sandbox, point, "0").unwrap();
        let loose_disk = disk.get(..loose.len()) == Some(&loose[..])
            && disk[loose.len()..].iter().all(|byte| *byte == 0);
        assert!(disk == first || disk == second || loose_disk, "{point}");
        found += usize::from(disk == first) + 2 * usize::from(disk == second);
    }
    assert_eq!(found, 3, "each of the two states of Web once");
    // The configuration is a stream like any other.
    let list = by_key.run(&["list"]).unwrap();
    assert!(list.contains("\"role\": \"configuration\""), "{list}");

    let by_password = Reader {
        secret: ("LIFEBOAT_PASSWORD_FILE", sandbox.path("password")),
        ..by_key
    };
    assert_eq!(by_password.run(&["list"]).unwrap(), list);
    fs::write(sandbox.path("password"), "another").unwrap();
    let refused = by_password.run(&["list"]).unwrap_err();
    assert!(refused.contains("no slot opens"), "{refused}");
}

#[test]
fn the_independent_reader_follows_rewritten_packs_and_opens_those_of_write_only_hosts() {
    let Some(python) = python() else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../repository/repository/tests/golden/v1-all");
    let expected = fs::read_to_string(golden.with_extension("json")).unwrap();
    let expected: BTreeMap<String, String> = serde_json::from_str(&expected).unwrap();
    let reader = Reader {
        python,
        secret: (
            "LIFEBOAT_RECOVERY_KEY_FILE",
            golden.with_extension("recovery-key"),
        ),
        repository: golden,
    };
    for (point, hash) in expected {
        assert_eq!(reader.run(&["hash", &point, "0"]).unwrap().trim(), hash);
    }
}
