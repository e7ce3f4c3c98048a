//! What a PROPFIND asks for (RFC 4918, 9.1 and 14.20).

use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

/// WebDAV's own name space.
pub(crate) const DAV: &str = "DAV:";
/// Most properties that one question names.
const PROPERTIES_MAX: usize = 64;
/// Most bytes of their names, each with its name space: the answer repeats them for each entry, and a
/// question says a name space once.
const NAMES_BYTES_MAX: usize = 16 << 10;

/// Which properties are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All that there are.
    All,
    /// Their names alone.
    Names,
    /// These: name space and name.
    These(Vec<(String, String)>),
}

impl Asked {
    /// Reads the body of a PROPFIND; an empty one asks for all. `None` for what is no such question.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Some(Self::All);
        }
        let mut reader = NsReader::from_str(text);
        let mut depth = 0_u32;
        let mut names_bytes = 0_usize;
        let mut asked = None;
        loop {
            let event = reader.read_event().ok()?;
            let (start, is_empty) = match &event {
                Event::Start(start) => (start, false),
                Event::Empty(start) => (start, true),
                Event::End(_) => {
                    depth = depth.checked_sub(1)?;
                    continue;
                }
                Event::DocType(_) => return None,
                Event::Eof => break,
                _ => continue,
            };
            let (namespace, name) = reader.resolver().resolve_element(start.name());
            let namespace = match namespace {
                ResolveResult::Bound(namespace) => namespace.0.to_owned(),
                ResolveResult::Unbound => String::new(),
                ResolveResult::Unknown(_) => return None,
            };
            let name: &str = name.as_ref();
            match (depth, namespace.as_str(), name) {
                (0, DAV, "propfind") => {}
                (0, _, _) => return None,
                (1, DAV, "allprop") => asked = Some(Self::All),
                (1, DAV, "propname") => asked = Some(Self::Names),
                (1, DAV, "prop") => asked = Some(Self::These(Vec::new())),
                (2, _, _) => {
                    if let Some(Self::These(these)) = &mut asked {
                        names_bytes = names_bytes.checked_add(namespace.len() + name.len())?;
                        if these.len() == PROPERTIES_MAX || names_bytes > NAMES_BYTES_MAX {
                            return None;
                        }
                        these.push((namespace, name.to_owned()));
                    }
                }
                _ => {}
            }
            if !is_empty {
                depth = depth.checked_add(1)?;
            }
        }
        asked.filter(|_| depth == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_whatever_their_prefixes() {
        let these = r#"<?xml version="1.0"?><a:propfind xmlns:a="DAV:"><a:prop>
            <a:getcontentlength/><b xmlns="urn:x"/></a:prop></a:propfind>"#;
        let names = [("DAV:", "getcontentlength"), ("urn:x", "b")];
        let names = names.map(|(space, name)| (space.to_owned(), name.to_owned()));
        assert_eq!(
            Asked::parse(these.as_bytes()),
            Some(Asked::These(names.to_vec()))
        );
        let all = br#"<propfind xmlns="DAV:"><allprop/></propfind>"#;
        assert_eq!(Asked::parse(all), Some(Asked::All));
        let names = br#"<propfind xmlns="DAV:"><propname/></propfind>"#;
        assert_eq!(Asked::parse(names), Some(Asked::Names));
        assert_eq!(Asked::parse(b""), Some(Asked::All));
    }

    #[test]
    fn a_long_name_space_is_not_repeated_for_many_names() {
        let space = "x".repeat(1000);
        let question = |names: usize| {
            let names = "<y:a/>".repeat(names);
            format!(
                r#"<p:propfind xmlns:p="DAV:" xmlns:y="{space}"><p:prop>{names}</p:prop></p:propfind>"#
            )
        };
        assert!(Asked::parse(question(16).as_bytes()).is_some());
        assert_eq!(Asked::parse(question(17).as_bytes()), None);
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for bad in [
            "<",
            "<propfind/>",
            r#"<propfind xmlns="DAV:">"#,
            r#"<a:propfind xmlns="DAV:"/>"#,
            r#"<!DOCTYPE x [<!ENTITY a "b">]><propfind xmlns="DAV:"><allprop/></propfind>"#,
        ] {
            assert_eq!(Asked::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
