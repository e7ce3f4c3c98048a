//! That a confined process can do nothing but read and write its pipes: each thing that it must not
//! do is tried by a process of its own, which the system has to end.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it is a harness of its own, and fails by ending"
)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// What is tried, and how; `true` is what success would be.
type Attempt = (&'static str, fn(&Path) -> bool);

const FORBIDDEN: &[Attempt] = &[
    ("read-a-file", |secret| fs::read(secret).is_ok()),
    ("write-a-file", |secret| {
        fs::write(secret.with_extension("new"), b"x").is_ok()
    }),
    ("remove-a-file", |secret| fs::remove_file(secret).is_ok()),
    ("list-a-folder", |secret| {
        secret
            .parent()
            .is_some_and(|folder| fs::read_dir(folder).is_ok())
    }),
    ("look-at-a-file", |secret| fs::metadata(secret).is_ok()),
    ("connect", |_| TcpStream::connect("127.0.0.1:9").is_ok()),
    ("listen", |_| TcpListener::bind("127.0.0.1:0").is_ok()),
    ("send", |_| UdpSocket::bind("127.0.0.1:0").is_ok()),
    ("start-a-program", |_| {
        Command::new("/bin/true").spawn().is_ok()
    }),
    ("start-a-thread", |_| {
        std::thread::Builder::new().spawn(|| ()).is_ok()
    }),
    ("change-folder", |_| std::env::set_current_dir("/").is_ok()),
];

/// What it must still be able to do.
fn allowed() -> bool {
    let memory = vec![1_u8; 64 << 20];
    let sum: u64 = memory.iter().map(|byte| u64::from(*byte)).sum();
    let mut input = String::new();
    let read = std::io::stdin().read_to_string(&mut input);
    read.is_ok() && sum == 64 << 20 && writeln!(std::io::stdout(), "{input}").is_ok()
}

fn main() -> ExitCode {
    if !guest_reader::CAN_CONFINE {
        println!("skipped: this system has no way to confine a process yet");
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, attempt, secret] = arguments.as_slice()
        && role == "attempt"
    {
        return attempt_it(attempt, Path::new(secret));
    }
    let secret = std::env::temp_dir().join(format!("lifeboat-confined-{}", std::process::id()));
    File::create(&secret)
        .and_then(|mut file| file.write_all(b"secret"))
        .unwrap();
    let mut failed = 0;
    for (name, _) in FORBIDDEN {
        // Without the confinement it works, or the test would prove nothing.
        let free = run(&format!("free-{name}"), &secret);
        File::create(&secret).unwrap();
        let confined = run(name, &secret);
        let was_ended = ended_by_system(confined);
        let worked = free.code() == Some(0) || *name == "connect";
        println!(
            "test {name} ... {}",
            if was_ended && worked { "ok" } else { "FAILED" }
        );
        if !was_ended || !worked {
            println!("  free: {free}; confined: {confined}");
            failed += 1;
        }
    }
    let status = run("allowed", &secret);
    println!(
        "test allowed ... {}",
        if status.success() { "ok" } else { "FAILED" }
    );
    let memory = run("memory", &secret);
    println!(
        "test memory ... {}",
        if memory.success() { "FAILED" } else { "ok" }
    );
    failed += usize::from(!status.success()) + usize::from(memory.success());
    let _ = fs::remove_file(&secret);
    let _ = fs::remove_file(secret.with_extension("new"));
    let passed = FORBIDDEN.len() + 2 - failed;
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(attempt: &str, secret: &Path) -> std::process::ExitStatus {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["attempt", attempt])
        .arg(secret)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    child.wait().unwrap()
}

/// In the process that tries.
fn attempt_it(attempt: &str, secret: &Path) -> ExitCode {
    let (attempt, is_free) = match attempt.strip_prefix("free-") {
        Some(attempt) => (attempt, true),
        None => (attempt, false),
    };
    if !is_free {
        guest_reader::confine().unwrap();
    }
    let worked = match attempt {
        "allowed" => allowed(),
        "memory" => {
            let most = usize::try_from(guest_reader::MEMORY_MAX_BYTES).unwrap();
            // More than it may have: the allocation fails, and with it the process.
            let memory = vec![1_u8; most + (1 << 20)];
            memory.last() == Some(&1)
        }
        _ => {
            let (_, act) = FORBIDDEN.iter().find(|(name, _)| *name == attempt).unwrap();
            act(secret)
        }
    };
    if worked {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(unix)]
fn ended_by_system(status: std::process::ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    /// Bad system call.
    const SIGSYS: i32 = 31;
    status.signal() == Some(SIGSYS)
}

#[cfg(not(unix))]
fn ended_by_system(_status: std::process::ExitStatus) -> bool {
    false
}
