//! Encodings of an XML file.

use std::borrow::Cow;

use crate::ConfigError;

const MAX_FILE_BYTES: usize = 16 << 20;

/// How the file's text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf8WithMark,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => &[],
            Self::Utf8WithMark => &[0xef, 0xbb, 0xbf],
            Self::Utf16Le => &[0xff, 0xfe],
            Self::Utf16Be => &[0xfe, 0xff],
        }
    }

    /// Returns the offset in the file of what lies behind `text`.
    pub(super) fn offset_behind(self, text: &str) -> usize {
        let bytes = match self {
            Self::Utf8 | Self::Utf8WithMark => text.len(),
            Self::Utf16Le | Self::Utf16Be => text.encode_utf16().count().saturating_mul(2),
        };
        bytes.saturating_add(self.mark().len())
    }
}

/// Decodes a file; [`encode`] gives exactly these bytes back.
pub(super) fn decode(bytes: &[u8]) -> Result<(Cow<'_, str>, Encoding), ConfigError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(ConfigError::unsupported(
            "file size",
            format!(
                "expected at most {MAX_FILE_BYTES} bytes, found {}",
                bytes.len()
            ),
        ));
    }
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Utf8WithMark] {
        if let Some(rest) = bytes.strip_prefix(encoding.mark()) {
            return Ok((text(rest, encoding)?, encoding));
        }
    }
    Ok((text(bytes, Encoding::Utf8)?, Encoding::Utf8))
}

fn text(bytes: &[u8], encoding: Encoding) -> Result<Cow<'_, str>, ConfigError> {
    let unit: fn([u8; 2]) -> u16 = match encoding {
        Encoding::Utf8 | Encoding::Utf8WithMark => {
            return std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|error| {
                    let offset = encoding.mark().len().saturating_add(error.valid_up_to());
                    ConfigError::corrupt("text", "expected UTF-8").at(offset)
                });
        }
        Encoding::Utf16Le => u16::from_le_bytes,
        Encoding::Utf16Be => u16::from_be_bytes,
    };
    let (units, rest) = bytes.as_chunks::<2>();
    let bad = |offset: usize| ConfigError::corrupt("text", "expected UTF-16").at(offset);
    if !rest.is_empty() {
        return Err(bad(bytes.len()));
    }
    let mut text = String::with_capacity(bytes.len() / 2);
    for decoded in char::decode_utf16(units.iter().map(|pair| unit(*pair))) {
        match decoded {
            Ok(character) => text.push(character),
            Err(_) => return Err(bad(encoding.offset_behind(&text))),
        }
    }
    Ok(Cow::Owned(text))
}

/// Encodes a file's text, with its byte order mark.
pub(super) fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    let mut bytes = encoding.mark().to_vec();
    match encoding {
        Encoding::Utf8 | Encoding::Utf8WithMark => bytes.extend_from_slice(text.as_bytes()),
        Encoding::Utf16Le => bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
        Encoding::Utf16Be => bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
    }
    bytes
}
