//! The descriptor: what the disk is, as text.

use crate::layout::{DESCRIPTOR_SECTORS, SECTOR_BYTES};

/// The controller that a VMDK says it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adapter {
    /// IDE.
    #[default]
    Ide,
    /// SCSI, LSI Logic.
    Scsi,
}

impl Adapter {
    fn name(self) -> &'static str {
        match self {
            Self::Ide => "ide",
            Self::Scsi => "lsilogic",
        }
    }

    /// Returns heads and sectors, and the most cylinders that are told.
    fn geometry(self, size_bytes: u64) -> (u64, u64, u64) {
        match self {
            Self::Ide => (16, 63, 16_383),
            Self::Scsi if size_bytes < 1 << 30 => (64, 32, u64::MAX),
            Self::Scsi => (255, 63, u64::MAX),
        }
    }
}

/// Makes the descriptor of a disk whose only file is called `file_name`, filled up with zeros.
pub(crate) fn descriptor(
    size_bytes: u64,
    content_id: u32,
    file_name: &str,
    adapter: Adapter,
) -> Vec<u8> {
    let sectors = size_bytes / SECTOR_BYTES;
    let (heads, track, most) = adapter.geometry(size_bytes);
    let cylinders = (sectors / (heads * track)).clamp(1, most);
    // The name is quoted; one that would end the quotes, or the line, is told in part.
    let shown: String = file_name
        .chars()
        .map(|c| if c == '"' || c.is_control() { '_' } else { c })
        .take(200)
        .collect();
    let text = format!(
        "# Disk DescriptorFile\n\
         version=1\n\
         CID={content_id:08x}\n\
         parentCID=ffffffff\n\
         createType=\"monolithicSparse\"\n\
         \n\
         # Extent description\n\
         RW {sectors} SPARSE \"{shown}\"\n\
         \n\
         # The Disk Data Base\n\
         #DDB\n\
         \n\
         ddb.virtualHWVersion = \"4\"\n\
         ddb.geometry.cylinders = \"{cylinders}\"\n\
         ddb.geometry.heads = \"{heads}\"\n\
         ddb.geometry.sectors = \"{track}\"\n\
         ddb.adapterType = \"{}\"\n",
        adapter.name()
    );
    let mut bytes = text.into_bytes();
    // It has well below a quarter of its room.
    bytes.resize(
        usize::try_from(DESCRIPTOR_SECTORS * SECTOR_BYTES).unwrap_or(0),
        0,
    );
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_do_not_break_out_and_everything_fits() {
        let name = format!("a\"\nRW 1 FLAT \"/etc/shadow{}", "ü".repeat(3000));
        let bytes = descriptor(2040 << 30, 0xABC, &name, Adapter::Scsi);
        assert_eq!(bytes.len(), 10_240);
        assert_eq!(bytes.last(), Some(&0));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("CID=00000abc\n"), "{text}");
        assert_eq!(
            text.lines().filter(|line| line.starts_with("RW ")).count(),
            1
        );
        assert!(text.contains("ddb.geometry.heads = \"255\""), "{text}");
    }
}
