//! Files behind BitLocker, out of a backup, through the process that reads guests.

use std::fs;

use bitlocker_volumes::{PASSWORD, RECOVERY_PASSWORD, Recipe, startup_key_file, write};
use serde_json::Value;

use crate::sandbox::{Sandbox, json_lines};

const SIZE: usize = 2 << 20;

/// Backs up a FAT volume behind BitLocker, and one whose protection is suspended.
fn backed_up() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.fat_volume("../Fat.raw");
    let mut clear = fs::read(sandbox.path("Fat.raw")).unwrap();
    clear.resize(SIZE, 0);
    let closed = Recipe::new(0x8004);
    sandbox.raw("SECRET.raw", &write(&clear, &closed));
    let suspended = Recipe {
        has_clear_key: true,
        ..Recipe::new(0x8000)
    };
    sandbox.raw("SUSPENDED.raw", &write(&clear, &suspended));
    let page = format!("BitLocker Drive Encryption recovery key\r\n\r\n\t{RECOVERY_PASSWORD}\r\n");
    fs::write(sandbox.path("page.txt"), page).unwrap();
    fs::write(sandbox.path("password.txt"), PASSWORD).unwrap();
    fs::write(sandbox.path("startup.bek"), startup_key_file()).unwrap();
    fs::write(sandbox.path("wrong.txt"), "wrong horse\n").unwrap();
    assert_eq!(sandbox.back_up_all()["outcome"], "success");
    sandbox
}

fn volume(sandbox: &Sandbox, point: &str, options: &[&str]) -> Value {
    let arguments = [&["files", "volumes", point, "--json"], options].concat();
    let lines = json_lines(&sandbox.ok(&arguments));
    let found = lines.into_iter().find(|line| line["type"] == "volume");
    found.unwrap()
}

#[test]
fn files_behind_bitlocker_come_out_with_what_their_owner_has() {
    let sandbox = backed_up();
    let closed = volume(&sandbox, "SECRET@latest", &[]);
    assert_eq!(closed["filesystem"], "BitLocker");
    for options in [
        ["--recovery-key-file", "page.txt"],
        ["--volume-password-file", "password.txt"],
        ["--volume-key-file", "startup.bek"],
    ] {
        let open = volume(&sandbox, "SECRET@latest", &options);
        assert_eq!(open["filesystem"], "FAT12", "{options:?}");
        assert_eq!(open["encryption"], "BitLocker", "{options:?}");
    }
    let file = "SECRET@latest:/1/HELLO.TXT";
    let cat = ["files", "cat", file, "--recovery-key-file", "page.txt"];
    assert_eq!(sandbox.ok(&cat), "hello");
    // Where protection is suspended nothing is needed.
    let cat = ["files", "cat", "SUSPENDED@latest:/1/HELLO.TXT"];
    assert_eq!(sandbox.ok(&cat), "hello");
}

#[test]
fn a_volume_that_stays_closed_names_the_recovery_key_that_it_takes() {
    let sandbox = backed_up();
    let file = "SECRET@latest:/1/HELLO.TXT";
    let wrong = ["files", "cat", file, "--volume-password-file", "wrong.txt"];
    let error = sandbox.fails(31, &wrong);
    let identifier = "recovery password {01010101-0101-0101-0101-010101010101}";
    assert!(error.contains(identifier), "{error}");
    assert!(!error.contains("wrong horse"), "{error}");
}
