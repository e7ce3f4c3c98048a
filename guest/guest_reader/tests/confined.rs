//! That a confined process can do nothing but read the one pipe and write the other: each thing that
//! it must not do is tried by a process of its own, which the system has to end. And that it ends with
//! the process that started it.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it is a harness of its own, and fails by ending"
)]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use block_io::{BlockDevice, MemoryDisk};
use guest_files::FileName;
use guest_reader::{Guest as _, ReaderStart, RemoteGuest, Secrets, StandardPipes};

/// What was open before the process confined itself, as a file that its parent had open would be.
static OPEN: OnceLock<File> = OnceLock::new();

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
    ("read-what-was-open", |_| {
        let mut open = OPEN.get().unwrap();
        open.read(&mut [0; 4]).is_ok()
    }),
    ("write-what-was-open", |_| {
        let mut open = OPEN.get().unwrap();
        open.write(b"x").is_ok()
    }),
    ("read-standard-input", |_| {
        std::io::stdin().read(&mut [0; 4]).is_ok()
    }),
    ("change-folder", |_| std::env::set_current_dir("/").is_ok()),
];

/// What it must still be able to do.
fn allowed(pipes: &mut StandardPipes) -> bool {
    let memory = vec![1_u8; 64 << 20];
    let sum: u64 = memory.iter().map(|byte| u64::from(*byte)).sum();
    pipes.from.read(&mut [0; 16]).is_ok()
        && sum == 64 << 20
        && writeln!(pipes.to, "an answer").is_ok()
        && writeln!(std::io::stderr(), "a panic").is_ok()
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
    match arguments.get(1).map(String::as_str) {
        Some("starts-one-that-hangs") => return start_one_that_hangs(),
        Some("serve") => {
            guest_reader::serve_confined().unwrap();
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let served = serves();
    println!("test serves ... {}", if served { "ok" } else { "FAILED" });
    if cfg!(windows) {
        // What Windows takes is less, and the tests of `reader_sandbox` look at it.
        let result = if served { "ok" } else { "FAILED" };
        let failed = usize::from(!served);
        return end(result, 1 - failed, failed);
    }
    let secret = std::env::temp_dir().join(format!("lifeboat-confined-{}", std::process::id()));
    File::create(&secret)
        .and_then(|mut file| file.write_all(b"secret"))
        .unwrap();
    let mut failed = usize::from(!served);
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
    let ends_too = ends_with_its_program();
    println!(
        "test ends-with-its-program ... {}",
        if ends_too { "ok" } else { "FAILED" }
    );
    failed += usize::from(!status.success()) + usize::from(memory.success());
    failed += usize::from(!ends_too);
    let _ = fs::remove_file(&secret);
    let _ = fs::remove_file(secret.with_extension("new"));
    let passed = FORBIDDEN.len() + 4 - failed;
    let result = if failed == 0 { "ok" } else { "FAILED" };
    end(result, passed, failed)
}

fn end(result: &str, passed: usize, failed: usize) -> ExitCode {
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Reads a file of a volume through a process that has confined itself.
fn serves() -> bool {
    let disks: Vec<Arc<dyn BlockDevice>> =
        vec![Arc::new(MemoryDisk::new(disk_model::fat_volume()))];
    let start = ReaderStart {
        command: Box::new(|| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.arg("serve");
            command
        }),
        interrupted: || false,
    };
    let guest = RemoteGuest::start(start, disks, Secrets::default()).unwrap();
    let system = guest.open(0).unwrap();
    let name = FileName::new(b"HELLO.TXT").unwrap();
    let file = system.find(system.root(), &name).unwrap().unwrap();
    let mut bytes = [0; 5];
    let read = system.open(file, None).unwrap().read_at(0, &mut bytes);
    read.unwrap() == 5 && &bytes == b"hello"
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

/// Ends a process that has started one that hangs, and sees the latter end: its standard output, which
/// nobody else has by then, ends.
fn ends_with_its_program() -> bool {
    let mut program = Command::new(std::env::current_exe().unwrap())
        .arg("starts-one-that-hangs")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(program.stdout.take().unwrap());
    let mut number = String::new();
    said.read_line(&mut number).unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    let (ended, waits) = channel();
    std::thread::spawn(move || {
        let _ = ended.send(said.read_to_end(&mut Vec::new()));
    });
    let has_ended = waits.recv_timeout(Duration::from_secs(60)).is_ok();
    if !has_ended {
        let _ = Command::new("kill").args(["-9", number.trim()]).status();
    }
    has_ended
}

fn start_one_that_hangs() -> ExitCode {
    let nothing = std::env::current_exe().unwrap();
    let mut child = Command::new(&nothing)
        .args(["attempt", "hang"])
        .arg(&nothing)
        .spawn()
        .unwrap();
    child.wait().unwrap();
    ExitCode::FAILURE
}

/// In the process that tries.
fn attempt_it(attempt: &str, secret: &Path) -> ExitCode {
    let (attempt, is_free) = match attempt.strip_prefix("free-") {
        Some(attempt) => (attempt, true),
        None => (attempt, false),
    };
    if let Ok(open) = File::options().read(true).write(true).open(secret) {
        OPEN.set(open).unwrap();
    }
    let mut pipes = StandardPipes::take().unwrap();
    if !is_free {
        guest_reader::confine(&pipes).unwrap();
    }
    let worked = match attempt {
        "allowed" => allowed(&mut pipes),
        "hang" => {
            writeln!(pipes.to, "{}", std::process::id()).unwrap();
            loop {
                std::hint::spin_loop();
            }
        }
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
