//! No bytes cause a panic, and whatever parses comes back from the writer.

use crate::container::{Entry, container, write_log};
use vm_config::{VmConfiguration, read_vmcx, read_xml, write_vmcx, write_xml};

/// A small generator of our own, so that every run tries the same.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                2 => {
                    let end = bytes.len().min(at + 4);
                    bytes[at..end].fill([0, 0xff][self.below(2)]);
                }
                3 => bytes.truncate(at.max(1)),
                _ => {
                    let from = self.below(bytes.len());
                    let len = self.below(64).min(bytes.len() - from).min(bytes.len() - at);
                    bytes.copy_within(from..from + len, at);
                }
            }
        }
    }
}

/// Makes all checksums of entries right again, so that mutations reach what lies behind them.
fn reseal(bytes: &mut [u8]) {
    for (at, len, crc) in [(0, 46, 4), (0x1000, 46, 4), (0x3000, 10, 6)] {
        if let Some(part) = bytes.get_mut(at..at + len) {
            crate::container::seal(part, crc);
        }
    }
    for slot in 0..4 {
        let at = 0x2008 + slot * 18;
        if let Some(part) = bytes.get_mut(at..at + 18) {
            crate::container::seal(part, 1);
        }
    }
    let mut at = 0x300a;
    while let Some(head) = bytes.get(at..at + 21) {
        let len = u32::from_le_bytes(head[2..6].try_into().unwrap()) as usize;
        let meaningful = 21
            + head[20] as usize
            + match head[0] {
                3..=5 => 8,
                8 => 4,
                9 => 12,
                6 | 7 => {
                    let Some(length) = bytes.get(at + 21 + head[20] as usize..) else {
                        break;
                    };
                    let Some(length) = length.first_chunk::<4>() else {
                        break;
                    };
                    4_usize.saturating_add(u32::from_le_bytes(*length) as usize)
                }
                _ => 0,
            };
        if let Some(part) = bytes.get_mut(at..at.saturating_add(meaningful)) {
            crate::container::seal(part, 12);
        }
        if len < 21 {
            break;
        }
        at += len;
    }
}

#[test]
fn mutated_containers_are_read_or_refused() {
    let mut text = 8_u32.to_le_bytes().to_vec();
    text.extend([b'n', 0, b'a', 0, 0x3d, 0xd8, 0, 0xde]);
    let mut entries = vec![
        Entry::node("configuration", 0, 1),
        Entry::node("properties", 10, 1),
        Entry::new(6, "name", 57, 2, text),
        Entry::new(7, "bytes", 57, 3, vec![3, 0, 0, 0, 1, 2, 3]),
        Entry::new(8, "bool", 57, 3, vec![1, 0, 0, 0]),
    ];
    entries.extend((0..20).map(|n| Entry::integer("metric", 10, n, n.into())));
    let mut seed = container(&entries);
    let page = seed[0x3000..0x4000].to_vec();
    write_log(&mut seed, &[(0x3000, &page)]);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut parsed = 0;
    for round in 0..4000 {
        let mut bytes = seed.clone();
        random.mutate(&mut bytes);
        if round % 2 == 0 {
            reseal(&mut bytes);
            bytes.truncate(0x5000);
        }
        let _ = VmConfiguration::read("t", &bytes);
        if let Ok(tree) = read_vmcx("t", &bytes) {
            parsed += 1;
            let written = write_vmcx(&tree).unwrap();
            assert_eq!(read_vmcx("t", &written).unwrap(), tree);
        }
    }
    assert!(
        parsed > 100,
        "only {parsed} parsed: the mutations are too wild"
    );
}

#[test]
fn mutated_xml_is_read_or_refused() {
    let seed = br#"<?xml version="1.0"?>
<configuration><!-- c --><properties><global_id type="string">EC04F346-DB96-4700-AF5B-77B3C56C38BD
</global_id><name type="string">a &amp; b &#xD;</name><subtype type="integer">1</subtype></properties>
<x><y type="bool">True</y><y type="bytes">AAEC</y><z/></x><![CDATA[  ]]></configuration>"#;
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut parsed = 0;
    for _ in 0..6000 {
        let mut bytes = seed.to_vec();
        random.mutate(&mut bytes);
        let _ = VmConfiguration::read("t", &bytes);
        if let Ok(tree) = read_xml("t", &bytes) {
            parsed += 1;
            if let Ok(written) = write_xml(&tree) {
                assert_eq!(read_xml("t", &written).unwrap(), tree);
            }
        }
    }
    assert!(
        parsed > 100,
        "only {parsed} parsed: the mutations are too wild"
    );
}
