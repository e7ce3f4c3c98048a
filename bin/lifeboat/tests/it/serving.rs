//! A disk of a restore point, read by others where it lies.

use std::process::Command;

use crate::running::Running;
use crate::sandbox::{Sandbox, flat};

#[test]
fn others_read_a_disk_where_it_lies_until_they_are_stopped() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    let args = [
        "point",
        "serve",
        "Web@latest",
        "--disk",
        "0",
        "--nbd",
        "127.0.0.1:0",
        "--json",
    ];
    let (running, listening) = Running::ready(&sandbox, &args, "listening");
    let url = listening["url"].as_str().unwrap();

    let copy = sandbox.path("copy.raw");
    let converted = Command::new("qemu-img")
        .args(["convert", "-f", "raw", "-O", "raw", url])
        .arg(&copy)
        .status();
    match converted {
        Ok(status) => {
            assert!(status.success());
            let original = flat(&sandbox.path("host/Web/web_1.avhdx"));
            assert!(std::fs::read(&copy).unwrap() == original);
        }
        Err(_) => disk_model::independent_tools::skip("qemu-img is not installed"),
    }

    let summary = running.end();
    assert_eq!(summary["outcome"], "success", "{summary}");
}

#[test]
fn an_address_that_others_could_reach_is_refused() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    let said = sandbox.fails(1, &["point", "serve", "Web@latest", "--nbd", "0.0.0.0:0"]);
    assert!(said.contains("this machine alone"), "{said}");
}
