//! An XML configuration of any bytes: no panic, what parses comes back from the writer, and an
//! edit of nothing changes nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vm_config::{VmConfiguration, read_xml, with_disk_paths, write_xml};

fuzz_target!(|bytes: &[u8]| {
    let Ok(tree) = read_xml("fuzz", bytes) else {
        return;
    };
    // The writer refuses names and characters that hosts do not write.
    if let Ok(written) = write_xml(&tree) {
        assert_eq!(read_xml("fuzz", &written).expect("what we wrote"), tree);
    }
    // With a container's signature at its second place, the file would be taken for one.
    let twofold = bytes.get(0x1000..0x1004) == Some(&[0x14, 0x20, 0x28, 0x01]);
    if !twofold && VmConfiguration::from_tree(&tree).is_ok() {
        let edited = with_disk_paths(bytes, &[]).expect("what reads can be edited");
        assert_eq!(edited, bytes);
    }
});
