//! Files of an NTFS volume behind BitLocker.

use std::ffi::OsStr;
use std::fs;
use std::sync::Arc;

use bitlocker_volumes::{METHODS, Recipe, shown, startup_key_file, write};
use block_io::MemoryDisk;
use disk_model::independent_tools::run;
use disk_model::noise;
use encrypted_volumes::{BitLockerSecret, open_bitlocker};
use guest_files::{FileName, OpenOptions, open_file_system};
use volume_map::{Content, GuestVolume, guest_volumes_opened};

#[test]
fn files_behind_bitlocker_are_read_as_ntfs_3g_wrote_them() {
    let folder = tempfile::tempdir().unwrap();
    let (image, content) = (folder.path().join("ntfs"), folder.path().join("report"));
    fs::write(&content, noise(7, 300_000)).unwrap();
    let content = fs::read(&content).unwrap();
    fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    let arguments: [&OsStr; 5] = ["-F", "-Q", "-q", "-L", "secret"].map(OsStr::new);
    if run(
        "mkfs.ntfs",
        &[&arguments[..], &[image.as_os_str()]].concat(),
    )
    .is_none()
    {
        return;
    }
    let source = folder.path().join("report");
    let arguments = [
        "-q".as_ref(),
        "-f".as_ref(),
        image.as_os_str(),
        source.as_os_str(),
    ];
    run(
        "ntfscp",
        &[&arguments[..], &["report.bin".as_ref()]].concat(),
    )
    .unwrap();
    let clear = fs::read(&image).unwrap();
    // Nothing lies where BitLocker's own parts come to lie.
    assert!(shown(&clear) == clear);

    let file = startup_key_file();
    for method in METHODS {
        let volume = write(&clear, &Recipe::new(method));
        let mut unlock = |volume: &GuestVolume| {
            let secret = BitLockerSecret::StartupKey(&file);
            open_bitlocker(volume.device.clone()?, &secret).ok()
        };
        let all = guest_volumes_opened(&[Arc::new(MemoryDisk::new(volume))], &mut unlock);
        let [volume] = all.volumes.as_slice() else {
            panic!("{} volumes", all.volumes.len())
        };
        assert_eq!(volume.encryption, Some(Content::BitLocker));
        assert_eq!(volume.content, Content::Ntfs);
        assert!(volume.obstacle.is_none());
        let device = volume.device.clone().unwrap();
        let system = open_file_system(device, volume.content, OpenOptions::default()).unwrap();
        let name = FileName::new(b"report.bin").unwrap();
        let found = system.find(system.root(), &name).unwrap().unwrap();
        let mut bytes = vec![0; content.len()];
        let read = system
            .open(found, None)
            .unwrap()
            .read_at(0, &mut bytes)
            .unwrap();
        assert_eq!(read, content.len());
        assert!(bytes == content, "{method:#x}");
    }
}
