//! Whether a file's bytes lie where it says that they lie as they are.

use block_io::BlockDevice;
use guest_files::GuestFile;

/// Most that is compared of a file, from its front.
const COMPARED_MAX: u64 = 32 << 20;
/// Most that is compared of one run, from its front.
const RUN_MAX: u64 = 1 << 20;

/// Compares what lies on the disk with what the file reads as; returns how many bytes did.
pub(crate) fn compare_plain_runs(file: &dyn GuestFile, disk: &dyn BlockDevice) -> u64 {
    let end = file.size_bytes().min(COMPARED_MAX);
    let (mut at, mut plain) = (0, 0);
    while at < end {
        let Some(run) = file.plain_at(at).unwrap() else {
            // Behind what a journal has, or units that are compressed, others may be plain.
            at += 1024;
            continue;
        };
        assert!(run.len_bytes > 0);
        let len_bytes = run.len_bytes.min(file.size_bytes() - at).min(RUN_MAX);
        let len = usize::try_from(len_bytes).unwrap();
        let (mut there, mut expected) = (vec![0; len], vec![0xEE; len]);
        assert_eq!(file.read_at(at, &mut expected).unwrap(), len);
        if let Some((number, offset)) = run.on_disk {
            assert_eq!(number, 0);
            disk.read_at(offset, &mut there).unwrap();
            plain += len_bytes;
        }
        assert!(there == expected, "{run:?} at {at}");
        at += run.len_bytes.min(RUN_MAX);
    }
    plain
}
