//! Structures of NTFS and what is compressed: any bytes at all, with no panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ntfs_format::{
    BootSector, FileRecord, INDEX_ROOT_HEADER, ReparsePoint, RestartPage, append_runs,
    attribute_list, decompress_lznt1, decompress_lzx, decompress_xpress_huffman, index_entries,
    repair,
};

fuzz_target!(|input: &[u8]| {
    let [which, len, input @ ..] = input else {
        return;
    };
    let mut output = vec![0; usize::from(*len) * 128];
    match which % 10 {
        0 => drop(decompress_lznt1(input, &mut output)),
        1 => drop(decompress_lzx(input, &mut output)),
        2 => drop(decompress_xpress_huffman(input, &mut output)),
        3 => drop(append_runs(&mut Vec::new(), input, 1 << 20)),
        4 => drop(attribute_list(input)),
        5 => drop(index_entries(input, INDEX_ROOT_HEADER)),
        6 => drop(BootSector::parse(input, 1 << 30)),
        7 => drop(RestartPage::parse(&mut input.to_vec())),
        8 => drop(repair(&mut input.to_vec(), *b"INDX")),
        _ => {
            if let Ok(point) = ReparsePoint::parse(input) {
                let _ = (point.target(), point.linux_target(), point.wof_algorithm());
            }
        }
    }
    if let Ok(record) = FileRecord::parse(0, input.to_vec()) {
        drop(record.attributes());
    }
});
