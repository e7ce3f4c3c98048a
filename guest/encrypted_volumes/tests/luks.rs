//! Volumes that cryptsetup and QEMU encrypted; what they hold is what the kernel and QEMU read.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use block_io::{BlockDevice, ExtentKind};
use disk_image::OpenOptions;
use disk_model::independent_tools::run;
use encrypted_volumes::{UnlockErrorKind, open_luks};
use guest_disks::{LUKS_PASSWORD, LinuxArrays};
use volume_map::{Content, GuestVolume, guest_volumes_opened};

/// Returns what the kernel made. `None`: something is missing, and the test is skipped.
fn made() -> Option<&'static LinuxArrays> {
    static MADE: OnceLock<Option<LinuxArrays>> = OnceLock::new();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    MADE.get_or_init(|| LinuxArrays::make(cache)).as_ref()
}

fn open(path: &Path) -> Arc<dyn BlockDevice> {
    Arc::new(disk_image::open(path, &OpenOptions::default()).unwrap())
}

fn bytes(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(device.size_bytes()).unwrap()];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    let mut command = Command::new("sha256sum");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

fn kind(volume: Arc<dyn BlockDevice>, secret: &[u8]) -> UnlockErrorKind {
    open_luks(volume, secret).err().unwrap().kind()
}

#[test]
fn luks2_holds_what_the_kernel_reads_in_sectors_of_both_sizes() {
    let Some(made) = made() else { return };
    for (letter, name, sector_bytes) in [("z", "luks-z", 512), ("aa", "luks-aa", 4096)] {
        let volume = open(&made.disk(letter));
        let clear = open_luks(Arc::clone(&volume), LUKS_PASSWORD.as_bytes()).unwrap();
        let all = bytes(&clear);
        assert_eq!(sha256(&all), made.hash(name), "{name}");
        assert_eq!(clear.sector_bytes(), sector_bytes);
        // Any range, of whatever sectors.
        for (at, len) in [(0, 1), (1, 5000), (511, 2), (4095, 4098), (1 << 20, 513)] {
            let mut part = vec![0; len];
            clear.read_at(at as u64, &mut part).unwrap();
            assert!(part == all[at..at + len], "{at} {len}");
        }
        assert_eq!(clear.extent_at(0, 9).unwrap().kind, ExtentKind::Data);
        assert!(clear.read_at(clear.size_bytes(), &mut [0]).is_err());
        assert_eq!(kind(volume, b"not this"), UnlockErrorKind::WrongKey);
    }
}

#[test]
fn a_group_on_an_encrypted_disk_is_found_once_it_is_open() {
    let Some(made) = made() else { return };
    let disk = open(&made.disk("aa"));
    let mut unlock =
        |volume: &GuestVolume| open_luks(volume.device.clone()?, LUKS_PASSWORD.as_bytes()).ok();
    let all = guest_volumes_opened(&[disk], &mut unlock);
    assert_eq!(all.find("1").unwrap().encryption, Some(Content::Luks));
    let device = all.find("secret-lv").unwrap().device.clone().unwrap();
    assert_eq!(sha256(&bytes(&device)), made.hash("secret-lv"));
}

#[test]
fn luks1_of_qemu_holds_what_was_put_in() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, luks) = (folder.path().join("raw"), folder.path().join("luks"));
    let data: Vec<u8> = (0..3 << 20_u32)
        .map(|at: u32| (at / 7).to_le_bytes()[0])
        .collect();
    fs::write(&raw, &data).unwrap();
    for (hash, cipher) in [
        ("sha256", "aes-256"),
        ("sha1", "aes-128"),
        ("sha512", "aes-256"),
    ] {
        let options = format!(
            "key-secret=key,cipher-alg={cipher},cipher-mode=xts,ivgen-alg=plain64,hash-alg={hash},iter-time=10"
        );
        let arguments: [&OsStr; 10] = [
            "convert".as_ref(),
            "--object".as_ref(),
            "secret,id=key,data=qemu-key".as_ref(),
            "-O".as_ref(),
            "luks".as_ref(),
            "-o".as_ref(),
            options.as_ref(),
            "-q".as_ref(),
            raw.as_ref(),
            luks.as_ref(),
        ];
        if run("qemu-img", &arguments).is_none() {
            return;
        }
        let clear = open_luks(open(&luks), b"qemu-key").unwrap();
        assert!(bytes(&clear) == data, "{hash} {cipher}");
        assert_eq!(kind(open(&luks), b"qemu-kez"), UnlockErrorKind::WrongKey);
    }
}

/// Runs `cryptsetup` on a file. `None`: it is not installed.
fn cryptsetup(arguments: &[&str], path: &Path, last: &[&Path]) -> Option<String> {
    let mut all: Vec<&OsStr> = arguments
        .iter()
        .map(|argument| (*argument).as_ref())
        .collect();
    all.push(path.as_ref());
    all.extend(last.iter().map(|path| path.as_os_str()));
    run("cryptsetup", &all)
}

#[test]
fn any_slot_opens_and_what_is_not_known_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, key) in [("one", &b"first key"[..]), ("two", &[0, 1, 2, 255, 10])] {
        fs::write(at(name), key).unwrap();
    }
    let cheap = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
    for version in ["luks1", "luks2"] {
        let path = at(version);
        fs::File::create(&path).unwrap().set_len(20 << 20).unwrap();
        let format = [
            &["luksFormat", "--batch-mode", "--type", version],
            &cheap[..],
        ]
        .concat();
        if cryptsetup(&format, &path, &[&at("one")]).is_none() {
            return;
        }
        let key = at("one");
        let add = [
            &[
                "luksAddKey",
                "--batch-mode",
                "--key-file",
                key.to_str().unwrap(),
            ],
            &cheap[..],
        ]
        .concat();
        cryptsetup(&add, &path, &[&at("two")]).unwrap();
        let clear = open_luks(open(&path), b"first key").unwrap();
        let other = open_luks(open(&path), &[0, 1, 2, 255, 10]).unwrap();
        assert!(bytes(&clear) == bytes(&other));
        assert_eq!(kind(open(&path), b"neither"), UnlockErrorKind::WrongKey);
    }
    // The second header stands in for the first one; without both there is none.
    let mut image = fs::read(at("luks2")).unwrap();
    image[200] ^= 1;
    fs::write(at("luks2"), &image).unwrap();
    open_luks(open(&at("luks2")), b"first key").unwrap();
    image[0x4000 + 200] ^= 1;
    fs::write(at("luks2"), &image).unwrap();
    assert_eq!(
        kind(open(&at("luks2")), b"first key"),
        UnlockErrorKind::Corrupt
    );

    for (number, cipher) in [
        ["--cipher", "serpent-xts-plain64"],
        ["--cipher", "aes-cbc-essiv:sha256"],
    ]
    .iter()
    .enumerate()
    {
        for version in ["luks1", "luks2"] {
            let path = at(&format!("{version}-{number}"));
            fs::File::create(&path).unwrap().set_len(20 << 20).unwrap();
            let format = [
                &["luksFormat", "--batch-mode", "--type", version],
                &cheap[..],
                cipher,
            ]
            .concat();
            // Without such a cipher in this machine's kernel it is not made.
            let made = Command::new("cryptsetup")
                .args(&format)
                .args([&path, &at("one")])
                .output();
            if made.unwrap().status.success() {
                let error = open_luks(open(&path), b"first key").err().unwrap();
                assert_eq!(error.kind(), UnlockErrorKind::Unsupported);
                assert!(
                    error.to_string().contains("only aes-xts-plain64"),
                    "{error}"
                );
            }
        }
    }
}
