//! New images, as `qemu-img` reads them.

use disk_model::NewFormat;
use vmdk_format::{Adapter, CreateOptions, MAX_SIZE_BYTES, create};

const FORMAT: NewFormat = NewFormat {
    name: "vmdk",
    signature: *b"KDMV",
    max_size_bytes: MAX_SIZE_BYTES,
    create: |file, size_bytes| create(file, &options(size_bytes)),
};

fn options(size_bytes: u64) -> CreateOptions {
    CreateOptions {
        size_bytes,
        file_name: "new.vmdk".to_owned(),
        adapter: Adapter::Ide,
    }
}

#[test]
fn qemu_img_reads_what_was_written() {
    FORMAT.is_read_as_it_was_written();
}

#[test]
fn a_large_disk_with_little_on_it_is_a_small_file() {
    FORMAT.keeps_a_large_disk_small();
}

#[test]
fn threads_write_one_image() {
    FORMAT.is_written_by_threads();
}

#[test]
fn a_crash_before_the_end_leaves_no_image() {
    FORMAT.is_none_after_a_crash_before_its_end();
}

#[test]
fn a_write_that_fails_poisons_the_image_and_never_leaves_one() {
    FORMAT.is_poisoned_by_a_failed_write();
}

#[test]
fn impossible_disks_are_refused() {
    FORMAT.refuses_impossible_disks();
}
