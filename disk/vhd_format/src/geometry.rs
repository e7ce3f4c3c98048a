//! Cylinders, heads and sectors.

/// Cylinders, heads and sectors per track, as the footer stores them.
///
/// Old guests and Virtual PC take the size of the disk from these; Hyper-V does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Cylinders.
    pub cylinders: u16,
    /// Heads per cylinder.
    pub heads: u8,
    /// Sectors of 512 bytes per track.
    pub sectors: u8,
}

impl Geometry {
    /// The largest geometry: about 127.5 GiB. A larger disk also carries this one.
    pub const MAX: Self = Self {
        cylinders: 65535,
        heads: 16,
        sectors: 255,
    };

    /// Computes the geometry of a disk (appendix "CHS Calculation" of the VHD paper).
    ///
    /// It describes at most the whole disk: the remainder of a cylinder is cut off.
    pub fn of_size(size_bytes: u64) -> Self {
        let sectors = (size_bytes / 512).min(Self::MAX.size_bytes() / 512);
        let (per_track, heads) = if sectors >= 65535 * 16 * 63 {
            (255, 16)
        } else {
            let heads = (sectors / 17).div_ceil(1024).max(4);
            if heads <= 16 && sectors / 17 < heads * 1024 {
                (17, heads)
            } else if sectors / 31 < 16 * 1024 {
                (31, 16)
            } else {
                (63, 16)
            }
        };
        let cylinders = sectors / per_track / heads;
        Self {
            cylinders: u16::try_from(cylinders).unwrap_or(u16::MAX),
            heads: u8::try_from(heads).unwrap_or(u8::MAX),
            sectors: u8::try_from(per_track).unwrap_or(u8::MAX),
        }
    }

    /// Returns the product of the three in bytes.
    pub fn size_bytes(self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors) * 512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_what_windows_wrote() {
        let geometry = Geometry::of_size(10_485_760);
        assert_eq!(
            (geometry.cylinders, geometry.heads, geometry.sectors),
            (301, 4, 17)
        );
    }

    #[test]
    fn never_exceeds_the_disk_and_stops_at_the_maximum() {
        for shift in 9..42 {
            for size in [1_u64 << shift, (1 << shift) + 512, (1 << shift) - 512] {
                assert!(Geometry::of_size(size).size_bytes() <= size, "{size}");
            }
        }
        assert_eq!(Geometry::of_size(1 << 40), Geometry::MAX);
    }
}
