//! A disk of a restore point, read by others where it lies.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::sandbox::{Sandbox, flat, json_lines};

#[test]
fn others_read_a_disk_where_it_lies_until_they_are_stopped() {
    let sandbox = Sandbox::with_repository();
    sandbox.web();
    sandbox.back_up_all();
    let mut child = sandbox
        .command(&[
            "point",
            "serve",
            "Web@latest",
            "--disk",
            "0",
            "--nbd",
            "127.0.0.1:0",
            "--json",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let listening = json_lines(&line).pop().unwrap();
    assert_eq!(listening["type"], "listening", "{line}");
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

    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let rest: Vec<String> = output.lines().map(Result::unwrap).collect();
    let summary = json_lines(&rest.join("\n")).pop().unwrap();
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
