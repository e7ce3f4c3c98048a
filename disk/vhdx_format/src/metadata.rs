//! The metadata region: what the disk is (MS-VHDX 2.6).

use block_io::DiskError;
use uuid::{Uuid, uuid};

use crate::field::{bytes_at, guid_at, index, put, u16_at, u32_at};
use crate::parent_locator::ParentLocator;
use crate::region_table::Region;
use crate::replayed_file::ReplayedFile;

/// Length of the table at the start of the region, in bytes. Items follow it.
pub(crate) const TABLE_BYTES: u64 = 64 << 10;
/// Longest item, in bytes.
const MAX_ITEM_BYTES: u64 = 1 << 20;
const MAX_ENTRIES: u16 = 2047;
/// Largest disk, in bytes: 64 TiB.
pub(crate) const MAX_DISK_BYTES: u64 = 64 << 40;
const SIGNATURE: &[u8; 8] = b"metadata";
const ENTRY_LEN: usize = 32;
const IS_USER: u32 = 1;
const IS_VIRTUAL_DISK: u32 = 2;
const IS_REQUIRED: u32 = 4;
const LEAVE_BLOCK_ALLOCATED: u32 = 1;
const HAS_PARENT: u32 = 2;

const FILE_PARAMETERS: Uuid = uuid!("CAA16737-FA36-4D43-B3B6-33F0AA44E76B");
const VIRTUAL_DISK_SIZE: Uuid = uuid!("2FA54224-CD1B-4876-B211-5DBED83BF4B8");
const VIRTUAL_DISK_ID: Uuid = uuid!("BECA12AB-B2E6-4523-93EF-C309E000C746");
const LOGICAL_SECTOR_SIZE: Uuid = uuid!("8141BF1D-A96F-4709-BA47-F233A8FAAB5F");
const PHYSICAL_SECTOR_SIZE: Uuid = uuid!("CDA348C7-445D-4471-9CC9-E9885251C556");
const PARENT_LOCATOR: Uuid = uuid!("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C");
/// Not in the specification, but known: geometry and label storage, which a reader may pass over.
const HARMLESS: [Uuid; 2] = [
    uuid!("DA02D7BC-3D3A-423C-AC88-2A36AB21479B"),
    uuid!("10E1AE8A-4B7E-4169-A40F-CD70DE928393"),
];
/// Not in the specification: the program that made the file never finished.
const INCOMPLETE_FILE: Uuid = uuid!("71CC85F0-1B69-4E28-9558-C3BF83AE75D3");

/// What the metadata say.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    pub(crate) block_bytes: u32,
    pub(crate) fixed: bool,
    pub(crate) has_parent: bool,
    pub(crate) size_bytes: u64,
    pub(crate) disk_id: Uuid,
    pub(crate) sector_bytes: u32,
    pub(crate) physical_sector_bytes: u32,
    pub(crate) parent_locator: Option<ParentLocator>,
}

struct Item {
    id: Uuid,
    offset: u64,
    length: u64,
    flags: u32,
}

impl Metadata {
    /// Reads the region.
    pub(crate) fn read(file: &ReplayedFile, region: Region) -> Result<Self, DiskError> {
        let items = Items::read(file, region)?;
        items.refuse_unknown()?;
        let parameters: [u8; 8] = items.fixed(FILE_PARAMETERS, "file parameters")?;
        let flags = u32_at(&parameters, 4);
        let has_parent = flags & HAS_PARENT != 0;
        let mut metadata = Self {
            block_bytes: u32_at(&parameters, 0),
            fixed: flags & LEAVE_BLOCK_ALLOCATED != 0,
            has_parent,
            size_bytes: u64::from_le_bytes(items.fixed(VIRTUAL_DISK_SIZE, "disk size")?),
            disk_id: Uuid::from_bytes_le(items.fixed(VIRTUAL_DISK_ID, "disk id")?),
            sector_bytes: u32::from_le_bytes(
                items.fixed(LOGICAL_SECTOR_SIZE, "logical sector size")?,
            ),
            physical_sector_bytes: u32::from_le_bytes(
                items.fixed(PHYSICAL_SECTOR_SIZE, "physical sector size")?,
            ),
            parent_locator: None,
        };
        check_parameters(&metadata)
            .map_err(|message| DiskError::corrupt(file.name(), region.offset, message))?;
        if has_parent {
            let (at, bytes) = items.content(PARENT_LOCATOR, "parent locator")?;
            metadata.parent_locator = Some(
                ParentLocator::parse(&bytes)
                    .map_err(|message| DiskError::corrupt(file.name(), at, message))?,
            );
        }
        Ok(metadata)
    }

    /// Returns the table and the items of a new file, in Windows' order, without trailing zeros.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let fixed = if self.fixed { LEAVE_BLOCK_ALLOCATED } else { 0 };
        let parent = if self.has_parent { HAS_PARENT } else { 0 };
        let mut parameters = self.block_bytes.to_le_bytes().to_vec();
        parameters.extend((fixed | parent).to_le_bytes());
        let of_disk = IS_VIRTUAL_DISK | IS_REQUIRED;
        let mut items = vec![
            (FILE_PARAMETERS, IS_REQUIRED, parameters),
            (
                VIRTUAL_DISK_SIZE,
                of_disk,
                self.size_bytes.to_le_bytes().to_vec(),
            ),
            (
                LOGICAL_SECTOR_SIZE,
                of_disk,
                self.sector_bytes.to_le_bytes().to_vec(),
            ),
            (
                PHYSICAL_SECTOR_SIZE,
                of_disk,
                self.physical_sector_bytes.to_le_bytes().to_vec(),
            ),
            (
                VIRTUAL_DISK_ID,
                of_disk,
                self.disk_id.to_bytes_le().to_vec(),
            ),
        ];
        if let Some(locator) = &self.parent_locator {
            items.push((PARENT_LOCATOR, IS_REQUIRED, locator.encode()));
        }
        let mut bytes = vec![0; index(TABLE_BYTES)];
        put(&mut bytes, 0, SIGNATURE);
        let count = u16::try_from(items.len()).unwrap_or(u16::MAX);
        put(&mut bytes, 10, &count.to_le_bytes());
        for (number, (id, flags, content)) in items.iter().enumerate() {
            let at = ENTRY_LEN + number * ENTRY_LEN;
            // Items are a few hundred bytes, and a locator less than 1 MiB.
            let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
            put(&mut bytes, at, &id.to_bytes_le());
            put(&mut bytes, at + 16, &offset.to_le_bytes());
            put(&mut bytes, at + 20, &length.to_le_bytes());
            put(&mut bytes, at + 24, &flags.to_le_bytes());
            bytes.extend(content);
        }
        bytes
    }
}

/// Checks what becomes a divisor, a shift or a table's length later.
pub(crate) fn check_parameters(metadata: &Metadata) -> Result<(), String> {
    let Metadata {
        block_bytes,
        sector_bytes,
        physical_sector_bytes,
        size_bytes,
        ..
    } = *metadata;
    if !block_bytes.is_power_of_two() || !(1 << 20..=256 << 20).contains(&block_bytes) {
        return Err(format!(
            "the block size is {block_bytes} bytes, not a power of two of 1 to 256 MiB"
        ));
    }
    for (name, bytes) in [
        ("logical", sector_bytes),
        ("physical", physical_sector_bytes),
    ] {
        if bytes != 512 && bytes != 4096 {
            return Err(format!(
                "the {name} sector size is {bytes} bytes, not 512 or 4096"
            ));
        }
    }
    if size_bytes == 0 || size_bytes > MAX_DISK_BYTES {
        return Err(format!(
            "the disk size is {size_bytes} bytes, not 1 byte to 64 TiB"
        ));
    }
    if !size_bytes.is_multiple_of(u64::from(sector_bytes)) {
        return Err(format!(
            "the disk size of {size_bytes} bytes is not a multiple of its {sector_bytes}-byte \
             sectors"
        ));
    }
    Ok(())
}

/// The table, and where its items are.
struct Items<'a> {
    file: &'a ReplayedFile,
    region: Region,
    items: Vec<Item>,
}

impl<'a> Items<'a> {
    fn read(file: &'a ReplayedFile, region: Region) -> Result<Self, DiskError> {
        let wrong = |message: String| DiskError::corrupt(file.name(), region.offset, message);
        // Regions are whole MiB, so the table fits.
        let mut bytes = vec![0; index(TABLE_BYTES)];
        file.read(region.offset, &mut bytes)?;
        if bytes_at::<8>(&bytes, 0) != *SIGNATURE {
            return Err(wrong(
                "the metadata table has no signature \"metadata\"".into(),
            ));
        }
        let count = u16_at(&bytes, 10);
        if count > MAX_ENTRIES {
            return Err(wrong(format!(
                "the metadata table claims {count} entries, at most {MAX_ENTRIES} fit"
            )));
        }
        let items: Vec<Item> = bytes
            .chunks_exact(ENTRY_LEN)
            .skip(1)
            .zip(0..count)
            .map(|(entry, _)| Item {
                id: guid_at(entry, 0),
                offset: u64::from(u32_at(entry, 16)),
                length: u64::from(u32_at(entry, 20)),
                flags: u32_at(entry, 24),
            })
            .collect();
        for item in &items {
            let Item {
                id, offset, length, ..
            } = *item;
            let empty = offset == 0 && length == 0;
            let inside = offset >= TABLE_BYTES
                && length <= MAX_ITEM_BYTES
                && offset.saturating_add(length) <= region.length;
            if !empty && !inside {
                return Err(wrong(format!(
                    "metadata item {id} of {length} bytes at {offset} leaves its region"
                )));
            }
        }
        let mut ids: Vec<_> = items
            .iter()
            .map(|item| (item.id, item.flags & IS_USER))
            .collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(wrong(format!("metadata item {} is named twice", pair[0].0)));
        }
        Ok(Self {
            file,
            region,
            items,
        })
    }

    fn refuse_unknown(&self) -> Result<(), DiskError> {
        const KNOWN: [Uuid; 6] = [
            FILE_PARAMETERS,
            VIRTUAL_DISK_SIZE,
            VIRTUAL_DISK_ID,
            LOGICAL_SECTOR_SIZE,
            PHYSICAL_SECTOR_SIZE,
            PARENT_LOCATOR,
        ];
        for item in &self.items {
            let of_system = item.flags & IS_USER == 0;
            if of_system && item.id == INCOMPLETE_FILE {
                return Err(DiskError::corrupt(
                    self.file.name(),
                    self.region.offset,
                    "the program that made this file did not finish it",
                ));
            }
            let known = of_system && (KNOWN.contains(&item.id) || HARMLESS.contains(&item.id));
            if item.flags & IS_REQUIRED != 0 && !known {
                return Err(DiskError::unsupported(
                    self.file.name(),
                    format!(
                        "the file needs a metadata item that we do not know: {}",
                        item.id
                    ),
                )
                .at(self.region.offset));
            }
        }
        Ok(())
    }

    /// Returns the offset in the file and the bytes of a system item.
    fn content(&self, id: Uuid, name: &str) -> Result<(u64, Vec<u8>), DiskError> {
        let item = self
            .items
            .iter()
            .find(|item| item.id == id && item.flags & IS_USER == 0)
            .ok_or_else(|| {
                DiskError::corrupt(
                    self.file.name(),
                    self.region.offset,
                    format!("the metadata lack the {name}"),
                )
            })?;
        // The length was bounded by 1 MiB and by the region, which lies inside the file.
        let mut bytes = vec![0; index(item.length)];
        let at = self.region.offset + item.offset;
        self.file.read(at, &mut bytes)?;
        Ok((at, bytes))
    }

    fn fixed<const N: usize>(&self, id: Uuid, name: &str) -> Result<[u8; N], DiskError> {
        let (at, bytes) = self.content(id, name)?;
        <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| {
            DiskError::corrupt(
                self.file.name(),
                at,
                format!("the {name} has {} bytes, expected {N}", bytes.len()),
            )
        })
    }
}
