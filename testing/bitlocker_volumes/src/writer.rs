//! The volumes: first sector, metadata, sectors.

use std::ops::Range;

use aws_lc_rs::digest::{SHA256, digest};

use crate::ciphers::{encrypt, seal};

/// Opens every volume that is made here.
pub const RECOVERY_PASSWORD: &str = "471207-278498-422125-177177-561902-537405-468006-693451";
/// So does this.
pub const PASSWORD: &str = "correct horse";
/// What the two become with [`SALT`]: by Python's hashlib.
const RECOVERY_KEY: &str = "5e39d3e56a4e477fb569bb49b3e8c3b2c9d864ee5d75bd658b8e2720e49000d4";
const PASSWORD_KEY: &str = "b26e6b5bbea9ae3bac020e2255d3f91efdc78a9f7469949021c319d52bd93c74";
const STARTUP_KEY: [u8; 32] = [0x5A; 32];
const CLEAR_KEY: [u8; 32] = [0xC1; 32];
const MASTER_KEY: [u8; 32] = *b"volume master key, of 32 letters";
const AREA: usize = 64 << 10;

/// The numbers of all encryption methods.
pub const METHODS: [u16; 6] = [0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x8005];

/// How a volume is to be.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The encryption method's number.
    pub method: u16,
    /// 512 or 4096.
    pub sector_bytes: usize,
    /// Whether the first sector is that of BitLocker To Go.
    pub to_go: bool,
    /// State and next state.
    pub states: (u16, u16),
    /// Up to where it is encrypted; `None`: all of it.
    pub encrypted_bytes: Option<u64>,
    /// How much behind that is being converted.
    pub converting_bytes: u32,
    /// The entry that says where the volume's beginning lies.
    pub has_header_entry: bool,
    /// Whether protection is suspended.
    pub has_clear_key: bool,
}

impl Recipe {
    /// A fixed disk with sectors of 512 bytes, all of it encrypted.
    pub fn new(method: u16) -> Self {
        Self {
            method,
            sector_bytes: 512,
            to_go: false,
            states: (4, 4),
            encrypted_bytes: None,
            converting_bytes: 0,
            has_header_entry: true,
            has_clear_key: false,
        }
    }
}

/// Where BitLocker's own parts lie on a volume: three copies of the metadata, and its beginning.
pub fn places(size: usize) -> [Range<usize>; 4] {
    let at = |sixteenths: usize| size / 16 * sixteenths / 4096 * 4096;
    let area = |start: usize| start..start + AREA;
    let header = at(13)..at(13) + 8192;
    [area(at(5)), area(at(11)), area(at(12)), header]
}

/// What the open volume holds: BitLocker's own parts are zeros.
pub fn shown(clear: &[u8]) -> Vec<u8> {
    let mut shown = clear.to_vec();
    for place in places(clear.len()) {
        shown[place].fill(0);
    }
    shown
}

/// Encrypts a volume.
pub fn write(clear: &[u8], recipe: &Recipe) -> Vec<u8> {
    let mut volume = clear.to_vec();
    let [first, second, third, header] = places(clear.len());
    let head = header.len();
    // What was at the volume's beginning lies elsewhere.
    volume.copy_within(..head, header.start);
    let end = recipe
        .encrypted_bytes
        .map_or(clear.len(), |end| usize::try_from(end).unwrap());
    let key = volume_key(recipe.method);
    for (number, sector) in volume.chunks_mut(recipe.sector_bytes).enumerate() {
        let at = number * recipe.sector_bytes;
        if at >= head && at < end {
            encrypt(recipe.method, &key, at as u64, sector);
        }
    }
    let block = metadata(clear.len(), recipe);
    for area in [first, second, third] {
        volume[area].copy_from_slice(&block);
    }
    volume[..head].fill(0);
    volume[..512].copy_from_slice(&boot_sector(clear.len(), recipe));
    volume
}

fn boot_sector(size: usize, recipe: &Recipe) -> [u8; 512] {
    let mut sector = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\xEB\x58\x90");
    put(
        3,
        if recipe.to_go {
            b"MSWIN4.1"
        } else {
            b"-FVE-FS-"
        },
    );
    put(
        11,
        &u16::try_from(recipe.sector_bytes).unwrap().to_le_bytes(),
    );
    put(13, &[8, 0, 0, 0, 0, 0, 0, 0, 0xF8]);
    put(82, b"FAT32   ");
    let identifier = if recipe.to_go { 424 } else { 160 };
    put(identifier, &hex("3bd66749292ed84a8399f6a339e3d001"));
    for (number, place) in places(size)[..3].iter().enumerate() {
        put(
            identifier + 16 + 8 * number,
            &(place.start as u64).to_le_bytes(),
        );
    }
    put(510, &[0x55, 0xAA]);
    sector
}

/// One copy of the metadata, with what makes it whole.
fn metadata(size: usize, recipe: &Recipe) -> Vec<u8> {
    let entries = entries(size, recipe);
    let mut block = Vec::new();
    let places = places(size);
    let whole = (112 + entries.len()).next_multiple_of(16);
    let (now, next) = recipe.states;
    let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    block.extend(b"-FVE-FS-");
    block.extend(u16::try_from(whole / 16).unwrap().to_le_bytes());
    block.extend([2, 0]);
    block.extend(now.to_le_bytes());
    block.extend(next.to_le_bytes());
    block.extend(recipe.encrypted_bytes.unwrap_or(size as u64).to_le_bytes());
    block.extend(recipe.converting_bytes.to_le_bytes());
    block.extend(number(places[3].len() / recipe.sector_bytes));
    for place in &places {
        block.extend((place.start as u64).to_le_bytes());
    }
    assert_eq!(block.len(), 64);
    block.extend(number(48 + entries.len()));
    block.extend(number(1));
    block.extend(number(48));
    block.extend(number(48 + entries.len()));
    block.extend([0xB1; 16]);
    block.extend(number(17));
    block.extend(u32::from(recipe.method).to_le_bytes());
    block.extend(132_000_000_000_000_000_u64.to_le_bytes());
    block.extend(entries);
    block.resize(whole, 0);
    seal_block(block)
}

/// Puts behind a copy what its checksum and its seal are, as whoever has the master key does.
pub(crate) fn seal_block(mut block: Vec<u8>) -> Vec<u8> {
    let hash = digest(&SHA256, &block);
    let hash = [&0x2005_u32.to_le_bytes()[..], hash.as_ref()].concat();
    let validation_size = u16::try_from(AREA - block.len()).unwrap();
    let checksum = crc32(&block);
    block.extend(validation_size.to_le_bytes());
    block.extend([2, 0]);
    block.extend(checksum.to_le_bytes());
    block.extend(hidden(0, &MASTER_KEY, 99, &entry(0, 1, &hash)));
    block.resize(AREA, 0);
    block
}

/// CRC-32 as everybody has it, bit by bit.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1));
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    })
}

fn entries(size: usize, recipe: &Recipe) -> Vec<u8> {
    let name: Vec<u8> = "DESKTOP E: 1.1.2026\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut all = entry(7, 2, &name);
    let stretched = [
        (1, 0x800, hex(RECOVERY_KEY)),
        (2, 0x2000, hex(PASSWORD_KEY)),
    ];
    for (number, kind, key) in stretched {
        let key = key.try_into().unwrap();
        let other = hidden(0, &MASTER_KEY, number + 50, &key_entry(0x1000, &[7; 32]));
        let stretch = [&0x1000_u32.to_le_bytes()[..], &salt(), &other].concat();
        all.extend(protector(number, kind, &key, &entry(0, 3, &stretch)));
    }
    let name: Vec<u8> = "ExternalKey\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    all.extend(protector(3, 0x200, &STARTUP_KEY, &entry(0, 2, &name)));
    if recipe.has_clear_key {
        all.extend(protector(4, 0, &CLEAR_KEY, &key_entry(0x2002, &CLEAR_KEY)));
    }
    let key = key_entry(recipe.method, &volume_key(recipe.method));
    all.extend(hidden(3, &MASTER_KEY, 60, &key));
    if recipe.has_header_entry {
        let header = &places(size)[3];
        let place = [header.start, header.len()].map(|value| (value as u64).to_le_bytes());
        all.extend(entry(0xF, 0xF, &place.concat()));
    }
    all
}

fn protector(number: u8, kind: u16, key: &[u8; 32], more: &[u8]) -> Vec<u8> {
    let mut value = vec![number; 16];
    value.extend([0; 10]);
    value.extend(kind.to_le_bytes());
    value.extend(more);
    value.extend(hidden(0, key, number, &key_entry(0x2003, &MASTER_KEY)));
    entry(2, 8, &value)
}

/// The file of the start-up key.
pub fn startup_key_file() -> Vec<u8> {
    let mut external = vec![3; 16];
    external.extend([0; 8]);
    external.extend(key_entry(0x2002, &STARTUP_KEY));
    let external = entry(6, 9, &external);
    let len = u32::try_from(48 + external.len()).unwrap();
    let mut file: Vec<u8> = [len, 1, 48, len]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    file.extend([3; 16]);
    file.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([0; 8]);
    file.extend(external);
    file
}

fn entry(role: u16, sort: u16, value: &[u8]) -> Vec<u8> {
    let size = u16::try_from(8 + value.len()).unwrap();
    let header = [size, role, sort, 1].map(u16::to_le_bytes);
    [header.as_flattened(), value].concat()
}

fn key_entry(method: u16, key: &[u8]) -> Vec<u8> {
    entry(0, 1, &[&u32::from(method).to_le_bytes()[..], key].concat())
}

fn hidden(role: u16, key: &[u8; 32], nonce: u8, clear: &[u8]) -> Vec<u8> {
    let nonce = [nonce; 12];
    let (tag, hidden) = seal(key, &nonce, clear);
    entry(role, 5, &[&nonce[..], &tag, &hidden].concat())
}

fn volume_key(method: u16) -> Vec<u8> {
    let pattern = |len: u8| (0..len).map(|at| at.wrapping_mul(37) ^ 0xA5).collect();
    match method {
        0x8002 => pattern(16),
        0x8003 | 0x8004 => pattern(32),
        _ => pattern(64),
    }
}

fn salt() -> [u8; 16] {
    std::array::from_fn(|at| u8::try_from(at).unwrap())
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Changes all copies of a volume's metadata alike. Their checksum is right again; their seal too, if the
/// change is by somebody who has the master key.
pub fn change_metadata(volume: &mut [u8], has_master_key: bool, change: impl Fn(&mut Vec<u8>)) {
    for copy in 0..3 {
        change_copy(volume, copy, has_master_key, &change);
    }
}

/// Changes one copy.
pub fn change_copy(
    volume: &mut [u8],
    copy: usize,
    has_master_key: bool,
    change: impl Fn(&mut Vec<u8>),
) {
    let area = places(volume.len())[copy].clone();
    let area = &mut volume[area];
    let size = usize::from(u16::from_le_bytes([area[8], area[9]])) * 16;
    let mut block = area[..size].to_vec();
    change(&mut block);
    if has_master_key {
        area.copy_from_slice(&seal_block(block));
    } else {
        area[size + 4..size + 8].copy_from_slice(&crc32(&block).to_le_bytes());
        area[..size].copy_from_slice(&block);
    }
}
