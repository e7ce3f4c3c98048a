//! A repository in a bucket, from end to end, and with somebody at work against it.

use std::process::Output;

use moto_server::Moto;

use crate::sandbox::{Sandbox, flat, json_lines};

/// A sandbox whose repository is in a bucket.
struct Bucket {
    sandbox: Sandbox,
    moto: &'static Moto,
    url: String,
}

impl Bucket {
    fn new(moto: &'static Moto, name: &str, object_lock: bool, options: &str) -> Self {
        moto.make_bucket(name, object_lock);
        let endpoint = moto.endpoint();
        let sandbox = Sandbox::empty();
        let keys = "AWS_ACCESS_KEY_ID=AKIDEXAMPLE\nAWS_SECRET_ACCESS_KEY=hunter2\n";
        std::fs::write(sandbox.path("credentials"), keys).unwrap();
        Self {
            sandbox,
            moto,
            url: format!("s3://{name}/hyperv?endpoint={endpoint}{options}"),
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        self.sandbox
            .command(args)
            .env("LIFEBOAT_REPO", &self.url)
            .env(
                "LIFEBOAT_STORE_CREDENTIALS_FILE",
                self.sandbox.path("credentials"),
            )
            .output()
            .unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn summary(&self, args: &[&str]) -> serde_json::Value {
        json_lines(&self.ok(args)).last().unwrap().clone()
    }

    fn back_up(&self) {
        let host = self.sandbox.host();
        self.ok(&["backup", "--host", &host, "--all"]);
    }

    fn init(&self) {
        let key = self.sandbox.text("key");
        self.ok(&["repo", "init", "--recovery-key-file", &key]);
    }

    fn must_restore(&self) {
        let out = self.sandbox.path("out.raw");
        drop(std::fs::remove_file(&out));
        self.ok(&["restore", "disk", "Web@latest", "-o", out.to_str().unwrap()]);
        let source = flat(&self.sandbox.path("host/Web/web_1.avhdx"));
        assert!(
            std::fs::read(&out).unwrap() == source,
            "another disk came back"
        );
    }
}

#[test]
fn a_backup_into_a_bucket_is_checked_and_restored() {
    let Some(moto) = Moto::shared() else { return };
    let bucket = Bucket::new(moto, "whole-path", false, "");
    let refused = bucket.run(&["point", "list"]);
    assert_eq!(refused.status.code(), Some(10), "{refused:?}");
    bucket.init();
    let again = bucket.run(&["repo", "init"]);
    assert_eq!(again.status.code(), Some(30), "{again:?}");
    bucket.sandbox.web();
    bucket.sandbox.fat_volume("FILES.raw");
    bucket.back_up();
    bucket.back_up();
    assert_eq!(bucket.ok(&["point", "list", "--plain"]).lines().count(), 4);
    bucket.ok(&["repo", "check", "--read-data"]);
    bucket.must_restore();
    #[cfg(unix)]
    assert_eq!(
        bucket.ok(&["files", "cat", "FILES@latest:/1/HELLO.TXT"]),
        "hello"
    );
    let tested = bucket.summary(&["repo", "test", "--quick", "--json"]);
    assert_eq!(tested["failures"], 0, "{tested}");
    assert_eq!(tested["left_objects"], 0, "{tested}");
    bucket.ok(&["repo", "check"]);
}

#[test]
fn a_locked_bucket_stays_whole_whatever_is_put_over_it() {
    let Some(moto) = Moto::shared() else { return };
    let bucket = Bucket::new(moto, "attacked", true, "&lock=compliance&lock-days=30");
    bucket.init();
    bucket.sandbox.web();
    bucket.back_up();
    let planned = bucket.summary(&["repo", "lock", "extend", "--dry-run", "--json"]);
    let extended = bucket.summary(&["repo", "lock", "extend", "--json"]);
    for field in ["objects", "extended"] {
        assert_eq!(planned[field], extended[field], "{field}");
    }
    assert!(extended["objects"].as_u64().unwrap() >= 6, "{extended}");
    let again = bucket.summary(&["repo", "lock", "extend", "--json"]);
    assert_eq!(again["extended"], 0, "{again}");

    // Somebody with the bucket's keys does what the locks let them do.
    let (_, listing) = bucket.moto.ask("GET", "/attacked?versions", &[], b"");
    let keys: Vec<&str> = listing
        .split("<Key>")
        .skip(1)
        .filter_map(|rest| rest.split("</Key>").next())
        .collect();
    assert!(keys.len() >= 6, "{listing}");
    for key in &keys {
        let path = format!("/attacked/{key}");
        assert_eq!(bucket.moto.ask("PUT", &path, &[], b"garbage").0, 200);
        bucket.moto.ask("DELETE", &path, &[], b"");
        if key.len() % 2 == 0 {
            bucket.moto.ask("PUT", &path, &[], &[b'x'; 5000]);
        }
    }
    bucket.ok(&["repo", "check", "--read-data"]);
    bucket.must_restore();
    bucket.back_up();
    assert_eq!(bucket.ok(&["point", "list", "--plain"]).lines().count(), 2);
}

#[test]
fn a_store_that_cannot_be_opened_says_why_and_tells_no_secret() {
    let Some(moto) = Moto::shared() else { return };
    let bucket = Bucket::new(moto, "refused", false, "");
    let endpoint = moto.endpoint();
    for (url, code, word) in [
        (
            format!("s3://no-such-bucket?endpoint={endpoint}"),
            10,
            "NoSuchBucket",
        ),
        (
            format!("s3://refused?endpoint={endpoint}&lock=compliance"),
            1,
            "object lock",
        ),
        (format!("s3://refused?endpont={endpoint}"), 2, "endpont"),
        ("s3://key:hunter2@refused".to_owned(), 2, "password"),
    ] {
        let output = bucket.run(&["point", "list", "--repo", &url]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{url}: {text}");
        assert!(
            text.contains(word) && !text.contains("hunter2"),
            "{url}: {text}"
        );
    }
}
