//! Which format a file is in, told by its content.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use block_io::{DiskError, DiskErrorKind, ImageFile};
use serde::Serialize;

/// A format that can be made. All but the last two can be opened as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageFormat {
    /// VHDX that grows as it is written to, or that has a parent.
    Vhdx,
    /// VHDX with all its blocks from the start.
    VhdxFixed,
    /// VHD that grows as it is written to, or that has a parent.
    Vhd,
    /// VHD with the whole disk in the file.
    VhdFixed,
    /// The disk's bytes and nothing else.
    Raw,
    /// QEMU's, which grows as it is written to. It can be made, not opened.
    Qcow2,
    /// VMware's in one file that grows as it is written to. It can be made, not opened.
    Vmdk,
}

impl ImageFormat {
    /// All formats, in the order that help texts list them.
    pub const ALL: [Self; 7] = [
        Self::Vhdx,
        Self::VhdxFixed,
        Self::Vhd,
        Self::VhdFixed,
        Self::Raw,
        Self::Qcow2,
        Self::Vmdk,
    ];

    /// Returns the name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vhdx => "vhdx",
            Self::VhdxFixed => "vhdx-fixed",
            Self::Vhd => "vhd",
            Self::VhdFixed => "vhd-fixed",
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
        }
    }

    /// Returns the name of the file format: the same for images that grow and those that do not.
    /// It is also the usual extension of a file's name.
    pub fn family_name(self) -> &'static str {
        match self {
            Self::Vhdx | Self::VhdxFixed => "vhdx",
            Self::Vhd | Self::VhdFixed => "vhd",
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
        }
    }

    /// Returns whether such images can be opened, too: whether they can be backed up, checked and
    /// converted.
    pub fn opens(self) -> bool {
        !matches!(self, Self::Qcow2 | Self::Vmdk)
    }

    /// Returns the format that a new file of this name most likely is to have.
    pub fn from_extension(path: &Path) -> Option<Self> {
        match Family::of_extension(path) {
            Some(Family::Vhdx) => Some(Self::Vhdx),
            Some(Family::Vhd) => Some(Self::Vhd),
            Some(Family::Raw) => Some(Self::Raw),
            None => {
                let extension = path.extension()?.to_str()?;
                [Self::Qcow2, Self::Vmdk]
                    .into_iter()
                    .find(|format| format.name().eq_ignore_ascii_case(extension))
            }
        }
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ImageFormat {
    type Err = DiskError;

    fn from_str(text: &str) -> Result<Self, DiskError> {
        Self::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                DiskError::new(
                    DiskErrorKind::Unsupported,
                    format!("there is no image format {text:?}, expected one of {names}"),
                )
            })
    }
}

/// Files of one family can be each other's parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Vhdx,
    Vhd,
    Raw,
}

impl Family {
    /// Returns what the name claims; `None` where it claims nothing that we know.
    pub(crate) fn of_extension(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "vhdx" | "avhdx" => Some(Self::Vhdx),
            "vhd" | "avhd" => Some(Self::Vhd),
            "raw" | "img" => Some(Self::Raw),
            _ => None,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Vhdx => "a VHDX",
            Self::Vhd => "a VHD",
            Self::Raw => "a raw image",
        }
    }
}

/// Tells the family of a file by its signatures.
///
/// A name is a claim: what is called `.vhdx` and is none is damaged, and never read as raw. What
/// has the signature of a format that we cannot read is `Unsupported`, and never read as raw.
pub(crate) fn detect(file: &dyn ImageFile, path: &Path) -> Result<Family, DiskError> {
    let io_error = |error| DiskError::io(file.name(), "cannot read the signature", error);
    let size = file.size_bytes().map_err(io_error)?;
    let signature_at = |offset: Option<u64>| -> Result<[u8; 8], DiskError> {
        let mut bytes = [0; 8];
        if let Some(offset) = offset.filter(|offset| offset.saturating_add(8) <= size) {
            file.read_exact_at(offset, &mut bytes).map_err(io_error)?;
        }
        Ok(bytes)
    };
    let start = signature_at(Some(0))?;
    let is_vhd = &start == b"conectix"
        || &signature_at(size.checked_sub(512))? == b"conectix"
        || &signature_at(size.checked_sub(511))? == b"conectix";
    let claim = Family::of_extension(path);
    // A fixed VHD or a raw image holds any bytes at its start: only where the name does not
    // speak against it does the signature at the start decide.
    let found = if &start == b"vhdxfile" && !(is_vhd && claim == Some(Family::Vhd)) {
        Family::Vhdx
    } else if is_vhd {
        Family::Vhd
    } else {
        Family::Raw
    };
    match claim {
        Some(claim @ (Family::Vhdx | Family::Vhd)) if found == Family::Raw => {
            Err(broken_claim(file.name(), claim, size))
        }
        Some(_) => Ok(found),
        None if found == Family::Raw => refuse_foreign(file.name(), path, &start).map(|()| found),
        None => Ok(found),
    }
}

fn broken_claim(file: &str, claim: Family, size: u64) -> DiskError {
    let expected = match claim {
        Family::Vhdx => "\"vhdxfile\" at its start",
        Family::Vhd | Family::Raw => "\"conectix\" at its end or start",
    };
    DiskError::corrupt(
        file,
        if claim == Family::Vhdx {
            0
        } else {
            size.saturating_sub(512)
        },
        format!(
            "this file of {size} bytes is named like {} but is none, expected {expected}",
            claim.noun()
        ),
    )
    .hint("the file is cut short or damaged: get a whole copy of it")
}

fn refuse_foreign(file: &str, path: &Path, start: &[u8; 8]) -> Result<(), DiskError> {
    let is_vhd_set = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("vhds"));
    let format = if is_vhd_set {
        "a VHD set"
    } else if start.starts_with(b"QFI\xFB") {
        "a qcow2 image"
    } else if start.starts_with(b"KDMV") {
        "a VMDK image"
    } else {
        return Ok(());
    };
    let error = DiskError::unsupported(
        file,
        format!("this is {format}, expected a VHDX, VHD or raw image"),
    );
    Err(if is_vhd_set {
        error
    } else {
        error.hint("this format can be made, not read: convert it with `qemu-img convert` first")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use block_io::MemoryFile;

    fn detected(name: &str, bytes: Vec<u8>) -> Result<Family, DiskErrorKind> {
        detect(&MemoryFile::new(name, bytes), Path::new(name)).map_err(|error| error.kind())
    }

    #[test]
    fn names_read_back() {
        for format in ImageFormat::ALL {
            assert_eq!(format.to_string().parse::<ImageFormat>().unwrap(), format);
        }
        assert!("qed".parse::<ImageFormat>().is_err());
        let of = |name: &str| ImageFormat::from_extension(Path::new(name));
        assert_eq!(of("a.QCOW2"), Some(ImageFormat::Qcow2));
        assert_eq!(of("a.vmdk"), Some(ImageFormat::Vmdk));
        assert_eq!(of("a.img"), Some(ImageFormat::Raw));
        assert_eq!(of("vmdk"), None);
    }

    #[test]
    fn content_decides_and_a_broken_claim_is_never_raw() {
        let mut vhdx = b"vhdxfile".to_vec();
        vhdx.resize(4096, 0);
        assert_eq!(detected("a.bin", vhdx.clone()), Ok(Family::Vhdx));
        assert_eq!(detected("a.vhd", vhdx), Ok(Family::Vhdx));
        assert_eq!(
            detected("a.AVHDX", vec![0; 4096]),
            Err(DiskErrorKind::Corrupt)
        );
        assert_eq!(detected("a.vhd", vec![]), Err(DiskErrorKind::Corrupt));
        assert_eq!(detected("a.img", vec![7; 100]), Ok(Family::Raw));
        assert_eq!(
            detected("a.qcow2", b"QFI\xFB    ".to_vec()),
            Err(DiskErrorKind::Unsupported)
        );
    }
}
