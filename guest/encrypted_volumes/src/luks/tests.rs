//! Headers that lie.

use std::sync::Arc;

use block_io::{BlockDevice, MemoryDisk};
use proptest::prelude::*;

use super::open_luks;
use crate::UnlockErrorKind;

/// A LUKS1 header with one slot of little work.
fn header(change: impl FnOnce(&mut Vec<u8>)) -> Arc<dyn BlockDevice> {
    let mut bytes = vec![0; 1 << 20];
    let put = |bytes: &mut Vec<u8>, at: usize, field: &[u8]| {
        bytes[at..at + field.len()].copy_from_slice(field);
    };
    put(&mut bytes, 0, b"LUKS\xba\xbe\0\x01");
    put(&mut bytes, 8, b"aes");
    put(&mut bytes, 40, b"xts-plain64");
    put(&mut bytes, 72, b"sha256");
    for (at, value) in [
        (104, 1024_u32),
        (108, 64),
        (164, 10),
        (208, 0x00AC_71F3),
        (212, 10),
        (248, 8),
        (252, 4000),
    ] {
        put(&mut bytes, at, &value.to_be_bytes());
    }
    change(&mut bytes);
    Arc::new(MemoryDisk::new(bytes))
}

fn kind(change: impl FnOnce(&mut Vec<u8>)) -> UnlockErrorKind {
    open_luks(header(change), b"secret").err().unwrap().kind()
}

#[test]
fn a_header_that_nobody_makes_is_refused_by_name() {
    assert_eq!(kind(|_| {}), UnlockErrorKind::WrongKey);
    assert_eq!(kind(|bytes| bytes[8] = b'b'), UnlockErrorKind::Unsupported);
    assert_eq!(
        kind(|bytes| bytes[40..51].copy_from_slice(b"cbc-plain64")),
        UnlockErrorKind::Unsupported
    );
    assert_eq!(kind(|bytes| bytes[72] = b'x'), UnlockErrorKind::Unsupported);
    // A detached header, more work than is done, keys longer than any, an area beyond the end.
    assert_eq!(
        kind(|bytes| bytes[104..108].fill(0)),
        UnlockErrorKind::Unsupported
    );
    assert_eq!(
        kind(|bytes| bytes[212] = 0xFF),
        UnlockErrorKind::Unsupported
    );
    assert_eq!(kind(|bytes| bytes[108] = 0xFF), UnlockErrorKind::Corrupt);
    assert_eq!(kind(|bytes| bytes[252] = 0xFF), UnlockErrorKind::Corrupt);
    assert_eq!(
        kind(|bytes| bytes[212..216].fill(0)),
        UnlockErrorKind::Corrupt
    );
    assert_eq!(kind(|bytes| bytes[248] = 0xFF), UnlockErrorKind::Disk);
    assert_eq!(kind(|bytes| bytes[0] = 0), UnlockErrorKind::Corrupt);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_header_ends(changes in prop::collection::vec((0..592_usize, any::<u8>()), 0..20)) {
        let volume = header(|bytes| {
            for (at, byte) in changes {
                // The numbers of iterations alone are bounded by patience only.
                if !(164..168).contains(&at) && !(208..592).contains(&at) || at > 216 && (at - 208) % 48 >= 8 {
                    bytes[at] = byte;
                }
            }
        });
        let _ = open_luks(volume, b"secret");
    }
}
