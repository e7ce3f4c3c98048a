//! Sealed bodies: `multipart/encrypted` of \[MS-WSMV\] section 2.2.9.1.
//!
//! Over plain HTTP, WinRM encrypts each body with the key that authentication agreed on:
//!
//! ```text
//! --Encrypted Boundary
//! <tab>Content-Type: application/HTTP-SPNEGO-session-encrypted
//! <tab>OriginalContent: type=application/soap+xml;charset=UTF-8;Length=<plain bytes>
//! --Encrypted Boundary
//! <tab>Content-Type: application/octet-stream
//! <u32, little endian: bytes of the signature><signature><sealed bytes>--Encrypted Boundary--
//! ```
//!
//! Lines end with CR LF; no empty line parts the headers of a part from its content. The way to
//! seal is the caller's: [`Seal`] is implemented over the library that authenticates.

use crate::limits::RESPONSE_BYTES_MAX;
use crate::{WmiError, WmiErrorKind};

/// The content type of a sealed body, as it is sent.
pub const CONTENT_TYPE: &str = "multipart/encrypted;\
    protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\"";
/// The content type of a plain body, as it is sent.
pub const PLAIN_CONTENT_TYPE: &str = "application/soap+xml;charset=UTF-8";

const PROTOCOL: &str = "application/HTTP-SPNEGO-session-encrypted";
const BOUNDARY: &str = "--Encrypted Boundary";
/// Bytes of a signature. That of NTLM has 16, those of Kerberos some 60.
const SIGNATURE_BYTES_MAX: usize = 1024;
/// Bytes that the framing takes at most, beside the sealed bytes.
const FRAME_BYTES_MAX: usize = 4096;

/// Encrypts and signs, with the key and the place in the sequence of one authenticated connection.
pub trait Seal {
    /// Encrypts and signs a body; returns signature and sealed bytes.
    fn seal(&mut self, plain: &[u8]) -> Result<SealedParts, WmiError>;

    /// Checks the signature and decrypts.
    ///
    /// Errors: `Protocol` where the signature is not that of the bytes.
    fn unseal(&mut self, parts: SealedParts) -> Result<Vec<u8>, WmiError>;
}

/// A sealed body, taken out of its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedParts {
    /// The signature.
    pub signature: Vec<u8>,
    /// The encrypted body.
    pub sealed: Vec<u8>,
}

/// Seals a body and puts it into its frame.
pub fn seal_body(plain: &[u8], seal: &mut dyn Seal) -> Result<Vec<u8>, WmiError> {
    let SealedParts { signature, sealed } = seal.seal(plain)?;
    let signature_bytes =
        u32::try_from(signature.len()).map_err(|_| malformed("the signature is too long"))?;
    let mut body = format!(
        "{BOUNDARY}\r\n\
         \tContent-Type: {PROTOCOL}\r\n\
         \tOriginalContent: type={PLAIN_CONTENT_TYPE};Length={}\r\n\
         {BOUNDARY}\r\n\
         \tContent-Type: application/octet-stream\r\n",
        plain.len()
    )
    .into_bytes();
    body.extend_from_slice(&signature_bytes.to_le_bytes());
    body.extend_from_slice(&signature);
    body.extend_from_slice(&sealed);
    body.extend_from_slice(format!("{BOUNDARY}--\r\n").as_bytes());
    Ok(body)
}

/// Returns whether a content type is that of a sealed body.
pub fn is_sealed(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    media.eq_ignore_ascii_case("multipart/encrypted")
        && parts.any(|part| {
            let (name, value) = part.split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("protocol")
                && value
                    .trim()
                    .trim_matches('"')
                    .eq_ignore_ascii_case(PROTOCOL)
        })
}

/// Takes a body out of its frame and unseals it.
///
/// Errors: `TooLarge`; `Protocol` where the frame is not as above, the signature is wrong, or the
/// length is not the one that was announced.
pub fn unseal_body(
    content_type: &str,
    body: &[u8],
    seal: &mut dyn Seal,
) -> Result<Vec<u8>, WmiError> {
    if !is_sealed(content_type) {
        return Err(malformed("its content type is not that of a sealed body"));
    }
    let (plain_bytes, parts) = read_frame(body)?;
    let plain = seal.unseal(parts)?;
    if plain.len() != plain_bytes {
        return Err(malformed("its length is not the one announced"));
    }
    Ok(plain)
}

/// Reads the frame; returns the announced length of the plain body.
fn read_frame(body: &[u8]) -> Result<(usize, SealedParts), WmiError> {
    if body.len() > RESPONSE_BYTES_MAX + FRAME_BYTES_MAX {
        let what = format!("a sealed body of {} bytes", body.len());
        return Err(WmiError::new(WmiErrorKind::TooLarge, what));
    }
    let mut lines = Lines { rest: body };
    lines.boundary()?;
    let protocol = lines.header("Content-Type")?;
    if !protocol.eq_ignore_ascii_case(PROTOCOL) {
        return Err(malformed("it is sealed with another protocol"));
    }
    let original = lines.header("OriginalContent")?;
    let plain_bytes = original
        .split(';')
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("Length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .filter(|length| *length <= RESPONSE_BYTES_MAX)
        .ok_or_else(|| malformed("it does not say its length"))?;
    lines.boundary()?;
    let content = lines.header("Content-Type")?;
    if !content.eq_ignore_ascii_case("application/octet-stream") {
        return Err(malformed("its second part is not the sealed body"));
    }
    let sealed = strip_end(lines.rest).ok_or_else(|| malformed("it has no end"))?;
    let (length, rest) = sealed
        .split_first_chunk::<4>()
        .ok_or_else(|| malformed("it has no signature"))?;
    let signature_bytes = usize::try_from(u32::from_le_bytes(*length))
        .ok()
        .filter(|length| *length <= SIGNATURE_BYTES_MAX)
        .ok_or_else(|| malformed("its signature is too long"))?;
    let (signature, sealed) = rest
        .split_at_checked(signature_bytes)
        .ok_or_else(|| malformed("its signature is cut short"))?;
    let parts = SealedParts {
        signature: signature.to_vec(),
        sealed: sealed.to_vec(),
    };
    Ok((plain_bytes, parts))
}

/// The lines of a frame, taken one after another.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, WmiError> {
        let head = self
            .rest
            .get(..self.rest.len().min(FRAME_BYTES_MAX))
            .unwrap_or_default();
        let end = head
            .windows(2)
            .position(|two| two == b"\r\n")
            .ok_or_else(|| malformed("a line of its frame does not end"))?;
        let line = head.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        std::str::from_utf8(line).map_err(|_| malformed("a line of its frame is no text"))
    }

    fn boundary(&mut self) -> Result<(), WmiError> {
        let line = self.next()?;
        // Exchange writes "-- Encrypted Boundary".
        match line.trim_end().strip_prefix("--").map(str::trim_start) {
            Some("Encrypted Boundary") => Ok(()),
            _ => Err(malformed("it has another boundary")),
        }
    }

    fn header(&mut self, name: &str) -> Result<&'a str, WmiError> {
        let line = self.next()?;
        line.split_once(':')
            .filter(|(own, _)| own.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .ok_or_else(|| malformed(format!("it has no {name} where one belongs")))
    }
}

/// Returns what precedes the closing boundary.
fn strip_end(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    let ends: [&[u8]; 2] = [b"--Encrypted Boundary--", b"-- Encrypted Boundary--"];
    ends.iter().find_map(|end| bytes.strip_suffix(*end))
}

fn malformed(why: impl std::fmt::Display) -> WmiError {
    WmiError::new(
        WmiErrorKind::Protocol,
        format!("a sealed WS-Man body cannot be read: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Turns every bit around and signs with the sum.
    struct Toy;

    impl Seal for Toy {
        fn seal(&mut self, plain: &[u8]) -> Result<SealedParts, WmiError> {
            let sum: u8 = plain.iter().fold(0, |sum, byte| sum.wrapping_add(*byte));
            Ok(SealedParts {
                signature: vec![sum; 16],
                sealed: plain.iter().map(|byte| !byte).collect(),
            })
        }

        fn unseal(&mut self, parts: SealedParts) -> Result<Vec<u8>, WmiError> {
            let plain: Vec<u8> = parts.sealed.iter().map(|byte| !byte).collect();
            if self.seal(&plain)? != parts {
                return Err(malformed("wrong signature"));
            }
            Ok(plain)
        }
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        seal_body(plain, &mut Toy).unwrap()
    }

    fn unsealed(body: &[u8]) -> Result<Vec<u8>, WmiError> {
        unseal_body(CONTENT_TYPE, body, &mut Toy)
    }

    #[test]
    fn the_frame_is_byte_for_byte_that_of_windows() {
        let frame = b"--Encrypted Boundary\r\n\
            \tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\
            \tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=2\r\n\
            --Encrypted Boundary\r\n\
            \tContent-Type: application/octet-stream\r\n\
            \x10\x00\x00\x00\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\
            \xfe\xfd--Encrypted Boundary--\r\n";
        assert_eq!(sealed(&[1, 2]), frame);
        assert_eq!(unsealed(frame).unwrap(), [1, 2]);
    }

    #[test]
    fn content_types_are_told_apart() {
        assert!(is_sealed(CONTENT_TYPE));
        assert!(is_sealed(
            "Multipart/Encrypted; Protocol=\"application/http-spnego-session-encrypted\""
        ));
        for other in [
            "",
            PLAIN_CONTENT_TYPE,
            "multipart/encrypted",
            "multipart/encrypted;protocol=\"application/HTTP-Kerberos-session-encrypted\"",
            "multipart/x-multi-encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\"",
        ] {
            assert!(!is_sealed(other), "{other}");
        }
        assert!(unseal_body(PLAIN_CONTENT_TYPE, &sealed(b"x"), &mut Toy).is_err());
    }

    #[test]
    fn a_frame_that_lies_is_refused() {
        let good = sealed(b"<a/>");
        let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        let change = |from: &[u8], to: &[u8]| {
            let at = good
                .windows(from.len())
                .position(|part| part == from)
                .unwrap();
            [&good[..at], to, &good[at + from.len()..]].concat()
        };
        for bad in [
            change(b"Length=4", b"Length=5"),
            change(b"Length=4", b"Length=99999999999999999999"),
            change(b"Length=4", b"Size=4"),
            change(b"\x10\x00\x00\x00", b"\x11\x00\x00\x00"),
            change(b"\x10\x00\x00\x00", b"\xff\xff\xff\xff"),
            change(b"\x10\x00\x00\x00", b"\x00\x02\x00\x00"),
            change(b"octet-stream", b"soap+xml"),
            change(b"SPNEGO", b"CredSSP"),
            change(b"Boundary--\r\n", b""),
            change(b"\r\n--", b"\n--"),
        ] {
            assert!(unsealed(&bad).is_err(), "{}", text(&bad));
        }
        for cut in 0..good.len() - 2 {
            assert!(unsealed(&good[..cut]).is_err(), "{cut}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bodies_come_back(plain in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(unsealed(&sealed(&plain)).unwrap(), plain);
        }

        #[test]
        fn no_body_panics(at in 0_usize..200, byte in any::<u8>()) {
            let mut body = sealed(b"some body");
            let at = at % body.len();
            body[at] = byte;
            let _ = unsealed(&body);
        }
    }
}
