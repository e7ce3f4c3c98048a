//! Containers made by hand, byte by byte, so that readers meet what our writer never makes.

pub(crate) const PAGE: usize = 0x1000;
pub(crate) const OBJECT_TABLE: usize = 0x2000;
pub(crate) const KEY_TABLE: usize = 0x3000;
pub(crate) const FILE_OBJECT: usize = 0x4000;
pub(crate) const LOG: usize = 0x5000;

/// An entry of the one key table.
pub(crate) struct Entry {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) parent: (u16, u32),
    pub(crate) sequence: u32,
    pub(crate) name: &'static str,
    pub(crate) data: Vec<u8>,
    pub(crate) slack: usize,
}

impl Entry {
    pub(crate) fn node(name: &'static str, parent: u32, sequence: u32) -> Self {
        Self::new(9, name, parent, sequence, vec![0; 12])
    }

    pub(crate) fn integer(name: &'static str, parent: u32, sequence: u32, value: i64) -> Self {
        Self::new(3, name, parent, sequence, value.to_le_bytes().to_vec())
    }

    pub(crate) fn new(
        kind: u8,
        name: &'static str,
        parent: u32,
        sequence: u32,
        data: Vec<u8>,
    ) -> Self {
        Self {
            kind,
            flags: 0,
            // Offset 0 is no entry's: it stands for the root.
            parent: (u16::from(parent != 0), parent),
            sequence,
            name,
            data,
            slack: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        21 + self.name.len() + 1 + self.data.len() + self.slack
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind, self.flags];
        bytes.extend(u32::try_from(self.len()).unwrap().to_le_bytes());
        bytes.extend(self.parent.0.to_le_bytes());
        bytes.extend(self.parent.1.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.sequence.to_le_bytes());
        bytes.push(u8::try_from(self.name.len() + 1).unwrap());
        bytes.extend(self.name.bytes());
        bytes.push(0);
        bytes.extend(&self.data);
        seal(&mut bytes, 12);
        // Slack holds whatever was there before.
        bytes.resize(bytes.len() + self.slack, 0xaa);
        bytes
    }
}

/// Makes a container of two headers, one object table, one key table, one file object of a page
/// of `0x5a`, and an empty log that the file ends in.
pub(crate) fn container(entries: &[Entry]) -> Vec<u8> {
    let mut file = vec![0; LOG + PAGE];
    for (at, sequence) in [(0, 7_u16), (PAGE, 8)] {
        write_header(&mut file, at, sequence);
    }
    let table = &mut file[OBJECT_TABLE..KEY_TABLE];
    table[..4].copy_from_slice(&0x0111_0001_u32.to_le_bytes());
    table[4..8].copy_from_slice(&227_u32.to_le_bytes());
    for slot in 0..227 {
        let (kind, offset) = match slot {
            0 => (2, KEY_TABLE),
            1 => (3, FILE_OBJECT),
            _ => (0, 0),
        };
        let mut object = vec![kind, 0, 0, 0, 0];
        object.extend((offset as u64).to_le_bytes());
        object.extend(if kind == 0 { 0_u32 } else { 4096 }.to_le_bytes());
        object.push(u8::from(kind != 0));
        seal(&mut object, 1);
        table[8 + slot * 18..][..18].copy_from_slice(&object);
    }
    let mut table = vec![2, 0, 1, 0, 5, 0, 0, 0, 0, 0];
    seal(&mut table, 6);
    for entry in entries {
        table.extend(entry.bytes());
    }
    let rest = u32::try_from(PAGE - table.len()).unwrap();
    table.extend([1, 0]);
    table.extend(rest.to_le_bytes());
    table.resize(PAGE, 0);
    file[KEY_TABLE..FILE_OBJECT].copy_from_slice(&table);
    file[FILE_OBJECT..LOG].fill(0x5a);
    write_log(&mut file, &[]);
    file
}

pub(crate) fn write_header(file: &mut [u8], at: usize, sequence: u16) {
    let mut header = 0x0128_2014_u32.to_le_bytes().to_vec();
    header.extend([0; 4]);
    header.extend(sequence.to_le_bytes());
    header.extend(0x0400_u32.to_le_bytes());
    header.extend([0; 8]);
    header.extend(4096_u32.to_le_bytes());
    header.extend((LOG as u64).to_le_bytes());
    header.extend(0x9000_u64.to_le_bytes());
    header.extend(4096_u32.to_le_bytes());
    seal(&mut header, 4);
    file[at..at + 46].copy_from_slice(&header);
}

/// Writes a log of these writes (target, data), in the field order that real files prove: target,
/// size, offset in the log, checksum of the entry, checksum of the data.
pub(crate) fn write_log(file: &mut Vec<u8>, writes: &[(usize, &[u8])]) {
    file.truncate(LOG);
    let mut log = 0x0111_0003_u32.to_le_bytes().to_vec();
    log.extend([0; 4]);
    log.extend(u32::try_from(writes.len()).unwrap().to_le_bytes());
    log.push(0);
    log.extend(145_u32.to_le_bytes());
    log.resize(34, 0);
    seal(&mut log, 4);
    let mut data = Vec::new();
    for (target, bytes) in writes {
        let mut entry = (*target as u64).to_le_bytes().to_vec();
        entry.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
        entry.extend(((PAGE + data.len()) as u64).to_le_bytes());
        entry.extend([0; 4]);
        entry.extend(crc32fast::hash(bytes).to_le_bytes());
        seal(&mut entry, 20);
        log.extend(entry);
        data.extend_from_slice(bytes);
    }
    log.resize(PAGE, 0);
    file.extend(log);
    file.extend(data);
}

/// Stores the CRC-32 of `bytes` with the four at `offset` zeroed in those four.
pub(crate) fn seal(bytes: &mut [u8], offset: usize) {
    bytes[offset..offset + 4].fill(0);
    let crc = crc32fast::hash(bytes);
    bytes[offset..offset + 4].copy_from_slice(&crc.to_le_bytes());
}
