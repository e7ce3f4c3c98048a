//! Changes to a good volume of Linux, which `mkfs` makes when the target starts.
//!
//! The input is a list of changes: which of the places that say something, how many bytes, and what.
//! Checksums are made right again, or few inputs would come past them; every eighth change leaves them.

#[path = "../../../guest/guest_files/tests/posix_hostile/changes.rs"]
#[expect(dead_code, reason = "tests choose changes by themselves")]
mod changes;
#[path = "../../../guest/guest_files/tests/posix_hostile/walk.rs"]
mod walk;

use std::process::Command;
use std::sync::{Arc, OnceLock};

use disk_model::{ChangedDisk, SparseBytes};
use volume_map::Content;

/// A walk of an untouched volume reads a hundredth of this.
const MOST_BYTES: u64 = 400 << 20;

struct Good {
    base: Arc<SparseBytes>,
    places: Vec<u64>,
}

fn good(content: Content, size: &str, command: &str) -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let script = format!(
            "cd \"$1\" && mkdir -p tree/a && truncate -s {size} image && \
             for i in $(seq 100); do seq $i > tree/a/$i; done && seq 99999 > tree/large && \
             ln -s a/1 tree/link && \
             (printf 'dummy\\n0 0\\nd--755 0 0\\na d--755 0 0\\n'; for i in $(seq 100); do \
             echo \"$i ---644 0 0 tree/a/$i\"; done; printf '$\\nlarge ---644 0 0 tree/large\\n\
             link l--777 0 0 a/1\\n$\\n') > prototype && {command} >&2"
        );
        let status = Command::new("sh")
            .args(["-c", &script, "sh"])
            .arg(folder.path())
            .status();
        assert!(status.unwrap().success(), "{command}");
        let base = SparseBytes::load(&image);
        let whole = Arc::new(ChangedDisk::new(Arc::clone(&base), Vec::new(), MOST_BYTES));
        let walked = walk::walk(whole.clone(), content, false);
        assert!(walked.nodes > 100, "{walked:?}");
        let places = changes::telling(&whole, &whole.sectors_read());
        Good { base, places }
    })
}

/// Applies the input to the volume and reads all that it shows then.
pub fn attack(input: &[u8], content: Content, size: &str, command: &str) {
    let good = good(content, size, command);
    let mut disk = ChangedDisk::new(Arc::clone(&good.base), Vec::new(), MOST_BYTES);
    let mut rest = input;
    while let [low, middle, high, length, tail @ ..] = rest {
        let number = usize::from(*low) | usize::from(*middle) << 8 | usize::from(*high) << 16;
        let place = good.places[number % good.places.len()];
        let (change, tail) = tail.split_at(usize::from(length % 8 + 1).min(tail.len()));
        disk.change(place, change.to_vec());
        if length >> 5 != 7 {
            changes::seal(&mut disk, content, place);
        }
        rest = tail;
    }
    let disk = Arc::new(disk);
    walk::walk(disk.clone(), content, true);
    assert!(!disk.is_exhausted(), "the volume is read without end");
}
