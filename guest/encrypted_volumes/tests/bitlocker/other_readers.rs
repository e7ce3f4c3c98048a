//! What is made here is what dislocker and cryptsetup read too.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bitlocker_volumes::{
    METHODS, PASSWORD, RECOVERY_PASSWORD, Recipe, places, shown, startup_key_file, write,
};
use block_io::{BlockDevice, ExtentKind, MemoryDisk};
use disk_model::independent_tools::{have_tool, run};
use disk_model::noise;
use encrypted_volumes::{BitLockerSecret, open_bitlocker};

fn read_all(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(device.size_bytes()).unwrap()];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Opens with each secret that a volume has, and returns what is in it: the same for all.
fn ours(volume: &[u8], has_clear_key: bool) -> Vec<u8> {
    let file = startup_key_file();
    let open = |secret: BitLockerSecret<'_>| {
        let volume: Arc<dyn BlockDevice> = Arc::new(MemoryDisk::new(volume.to_vec()));
        read_all(&*open_bitlocker(volume, &secret).unwrap())
    };
    let all = open(BitLockerSecret::StartupKey(&file));
    if has_clear_key {
        assert!(open(BitLockerSecret::ClearKey) == all);
    }
    all
}

/// What dislocker makes of a volume. `None`: it is not installed.
pub(crate) fn dislocker(volume: &Path, secret: &OsStr) -> Option<Vec<u8>> {
    let out = volume.with_extension("out");
    let _ = fs::remove_file(&out);
    let arguments = [
        "-V".as_ref(),
        volume.as_os_str(),
        secret,
        "--".as_ref(),
        out.as_os_str(),
    ];
    run("dislocker-file", &arguments)?;
    Some(fs::read(out).unwrap())
}

#[test]
fn every_method_reads_as_dislocker_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let key_path = folder.path().join("key.bek");
    fs::write(&key_path, startup_key_file()).unwrap();
    let mut key_argument = OsString::from("-f");
    key_argument.push(&key_path);
    let clear = noise(7, 2 << 20);
    for method in METHODS {
        for sector_bytes in [512, 4096] {
            let recipe = Recipe {
                sector_bytes,
                to_go: method == 0x8002,
                has_clear_key: method == 0x8005,
                ..Recipe::new(method)
            };
            let volume = write(&clear, &recipe);
            fs::write(&path, &volume).unwrap();
            let ours = ours(&volume, recipe.has_clear_key);
            assert!(ours == shown(&clear), "{method:#x} {sector_bytes}");
            let Some(theirs) = dislocker(&path, &key_argument) else {
                continue;
            };
            assert!(theirs == ours, "{method:#x} {sector_bytes}");
        }
    }
}

#[test]
fn every_secret_opens_the_same_here_and_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let clear = noise(7, 2 << 20);
    let recipe = Recipe {
        has_clear_key: true,
        ..Recipe::new(0x8004)
    };
    let volume = write(&clear, &recipe);
    fs::write(at("volume"), &volume).unwrap();
    let disk: Arc<dyn BlockDevice> = Arc::new(MemoryDisk::new(volume));
    for secret in [
        BitLockerSecret::RecoveryPassword(RECOVERY_PASSWORD),
        BitLockerSecret::Password(PASSWORD),
        BitLockerSecret::ClearKey,
    ] {
        let open = open_bitlocker(Arc::clone(&disk), &secret).unwrap();
        assert!(read_all(&*open) == shown(&clear), "{secret:?}");
    }
    let recovery = format!("-p{RECOVERY_PASSWORD}");
    let password = format!("-u{PASSWORD}");
    for argument in [recovery.as_str(), password.as_str(), "-c"] {
        if let Some(theirs) = dislocker(&at("volume"), argument.as_ref()) {
            assert!(theirs == shown(&clear), "{argument}");
        }
    }
    if !have_tool("cryptsetup", &["--version"]) {
        return;
    }
    // With a clear key this one takes a volume for one that is being decrypted.
    fs::write(at("volume"), write(&clear, &Recipe::new(0x8004))).unwrap();
    let volume = at("volume");
    let dump = run("cryptsetup", &["bitlkDump".as_ref(), volume.as_ref()]).unwrap();
    for line in ["aes", "xts-plain64", "startup key", "recovery passphrase"] {
        assert!(dump.contains(line), "{line}: {dump}");
    }
    let secrets = [
        ("recovery", RECOVERY_PASSWORD.as_bytes()),
        ("password", PASSWORD.as_bytes()),
        ("key.bek", &startup_key_file()),
    ];
    for (name, secret) in secrets {
        fs::write(at(name), secret).unwrap();
        let key = at(name);
        let arguments: [&OsStr; 5] = [
            "bitlkOpen".as_ref(),
            "--test-passphrase".as_ref(),
            "--key-file".as_ref(),
            key.as_ref(),
            volume.as_ref(),
        ];
        run("cryptsetup", &arguments).unwrap();
    }
}

#[test]
fn any_range_of_an_open_volume_reads_as_the_whole_does() {
    let clear = noise(7, 2 << 20);
    for sector_bytes in [512, 4096] {
        let recipe = Recipe {
            sector_bytes,
            has_header_entry: false,
            ..Recipe::new(0x8003)
        };
        let disk = Arc::new(MemoryDisk::new(write(&clear, &recipe)));
        let file = startup_key_file();
        let open = open_bitlocker(disk, &BitLockerSecret::StartupKey(&file)).unwrap();
        let whole = shown(&clear);
        let mut edges = vec![0, 511, 4095, 8191, 8192];
        let places = places(clear.len());
        edges.extend(places.iter().flat_map(|place| [place.start, place.end]));
        for edge in edges {
            for from in [edge.saturating_sub(4097), edge.saturating_sub(1), edge] {
                for len in [1, 2, 513, 8192, 100_000] {
                    let mut part = vec![0xEE; len];
                    open.read_at(from as u64, &mut part).unwrap();
                    assert!(part == whole[from..from + len], "{from} {len}");
                }
            }
        }
        assert_eq!(u64::from(open.sector_bytes()), sector_bytes as u64);
        assert!(open.read_at(open.size_bytes(), &mut [0]).is_err());
        let zeros = open.extent_at(places[0].start as u64, 1 << 20).unwrap();
        assert_eq!((zeros.kind, zeros.len_bytes), (ExtentKind::Zero, 64 << 10));
        assert_eq!(open.extent_at(0, 9).unwrap().kind, ExtentKind::Data);
    }
}
