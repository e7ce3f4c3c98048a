//! What is said of a file or folder (RFC 4918, 15).

use file_view::ViewFacts;
use guest_files::{NodeKind, Time};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use quick_xml::escape::escape;

/// Type of a guest's files: whatever they are, they are to be saved, not shown.
pub(crate) const FILE_TYPE: &str = "application/octet-stream";
/// Type of the texts that the view makes up.
pub(crate) const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// Names of all properties.
pub(crate) const NAMES: [&str; 9] = [
    "resourcetype",
    "displayname",
    "getcontentlength",
    "getcontenttype",
    "getetag",
    "getlastmodified",
    "creationdate",
    "supportedlock",
    "lockdiscovery",
];

/// A file or folder, with what its properties are made of.
pub(crate) struct Described<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) facts: &'a ViewFacts,
    pub(crate) etag: &'a str,
    pub(crate) is_of_a_guest: bool,
}

impl Described<'_> {
    /// Returns whether it is a folder.
    pub(crate) fn is_folder(&self) -> bool {
        self.facts.kind == NodeKind::Folder
    }

    /// Returns a property as it stands in XML; `None` where it has no such one.
    pub(crate) fn property(&self, name: &str) -> Option<String> {
        match name {
            "resourcetype" if self.is_folder() => Some("<D:collection/>".to_owned()),
            "resourcetype" | "supportedlock" | "lockdiscovery" => Some(String::new()),
            "displayname" => Some(text(self.name)),
            "getcontentlength" if !self.is_folder() => Some(self.facts.size_bytes.to_string()),
            "getcontenttype" if !self.is_folder() => Some(self.content_type().to_owned()),
            "getetag" if !self.is_folder() => Some(text(self.etag.as_bytes())),
            "getlastmodified" => self.facts.times.modified.and_then(http_date),
            "creationdate" => {
                let time = self.facts.times.created.or(self.facts.times.modified);
                time.and_then(timestamp).map(|time| time.to_string())
            }
            _ => None,
        }
    }

    pub(crate) fn content_type(&self) -> &'static str {
        if self.is_of_a_guest {
            FILE_TYPE
        } else {
            TEXT_TYPE
        }
    }
}

/// Writes a name as a text of XML; what no text of XML may hold is shown as such.
pub(crate) fn text(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let letters = name.chars().map(|letter| match letter {
        '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        letter => letter,
    });
    let letters: String = letters.collect();
    escape(letters.as_str()).into_owned()
}

/// Writes a time as HTTP does.
pub(crate) fn http_date(time: Time) -> Option<String> {
    let zoned = timestamp(time)?.to_zoned(TimeZone::UTC);
    Some(zoned.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

pub(crate) fn timestamp(time: Time) -> Option<Timestamp> {
    Timestamp::new(time.seconds, i32::try_from(time.nanoseconds).ok()?).ok()
}
