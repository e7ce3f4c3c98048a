//! The answer to a PROPFIND (RFC 4918, 13).

use std::sync::Arc;

use file_view::{ViewEntry, ViewError, ViewFacts, ViewNode};
use hyper::StatusCode;

use crate::answer::Pieces;
use crate::properties::{Described, NAMES, text};
use crate::question::{Asked, DAV};
use crate::service::Service;
use crate::web_path::encoded;

/// Entries that are asked for at once.
const ENTRIES_AT_ONCE: usize = 128;
/// A piece of the answer ends with the entry that brings it to so many bytes.
const PIECE_BYTES: usize = 256 << 10;

/// An entry, what it leads to, and what is known of that.
type Known = (ViewEntry, ViewNode, Result<ViewFacts, ViewError>);

/// A folder or file that is described, with its entries where they were asked for.
pub(crate) struct Multistatus {
    service: Arc<Service>,
    asked: Asked,
    /// The path of what is asked about, with a slash at the end of a folder's.
    path: String,
    next: Next,
    entries: std::vec::IntoIter<ViewEntry>,
    /// Those that were asked for, and are not written yet.
    known: std::vec::IntoIter<Known>,
}

enum Next {
    Itself(ViewNode, Box<ViewFacts>, Vec<u8>),
    Entries,
    Nothing,
}

impl Multistatus {
    /// Describes `node`, which `names` lead to. What cannot be listed is an error before anything is
    /// said.
    pub(crate) fn of(
        service: &Arc<Service>,
        asked: Asked,
        names: &[Vec<u8>],
        with_entries: bool,
    ) -> Result<Self, ViewError> {
        let node = service.find(names)?;
        let facts = service.view.facts(node)?;
        let is_folder = facts.kind == guest_files::NodeKind::Folder;
        let entries = if with_entries && is_folder {
            service.view.list(node)?
        } else {
            Vec::new()
        };
        let mut path = service.top();
        for (number, name) in (1..).zip(names) {
            path.push_str(&encoded(name));
            if number < names.len() || is_folder {
                path.push('/');
            }
        }
        let name = names.last().cloned().unwrap_or_default();
        Ok(Self {
            service: Arc::clone(service),
            asked,
            path,
            next: Next::Itself(node, Box::new(facts), name),
            entries: entries.into_iter(),
            known: Vec::new().into_iter(),
        })
    }

    /// Writes it, piece by piece.
    pub(crate) fn pieces(mut self) -> Pieces {
        Box::new(move || Ok(self.piece()))
    }

    fn piece(&mut self) -> Option<Vec<u8>> {
        let mut xml = String::new();
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Itself(node, facts, name) => {
                xml.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
                xml.push_str("<D:multistatus xmlns:D=\"DAV:\">\n");
                let path = self.path.clone();
                self.describe(&mut xml, &path, node, &name, &facts);
                self.next = Next::Entries;
            }
            Next::Entries => {
                if self.known.as_slice().is_empty() {
                    self.known = self.ask().into_iter();
                }
                if self.known.as_slice().is_empty() {
                    xml.push_str("</D:multistatus>\n");
                } else {
                    while xml.len() < PIECE_BYTES
                        && let Some(known) = self.known.next()
                    {
                        self.entry(&mut xml, known);
                    }
                    self.next = Next::Entries;
                }
            }
            Next::Nothing => return None,
        }
        Some(xml.into_bytes())
    }

    /// Asks for the next entries.
    fn ask(&mut self) -> Vec<Known> {
        let batch: Vec<ViewEntry> = self.entries.by_ref().take(ENTRIES_AT_ONCE).collect();
        let nodes = batch
            .iter()
            .map(|entry| self.service.view.follow(entry.node));
        let nodes: Vec<ViewNode> = nodes.collect();
        let facts = self.service.view.facts_of(&nodes);
        let all = batch.into_iter().zip(nodes).zip(facts);
        all.map(|((entry, node), facts)| (entry, node, facts))
            .collect()
    }

    fn entry(&self, xml: &mut String, (entry, node, facts): Known) {
        let name = entry.name.as_bytes();
        let mut path = format!("{}{}", self.path, encoded(name));
        match facts {
            Ok(facts) => {
                if facts.kind == guest_files::NodeKind::Folder {
                    path.push('/');
                }
                self.describe(xml, &path, node, name, &facts);
            }
            Err(error) => {
                // It is there, which must not be hidden.
                let status = match self.service.failed(&error) {
                    StatusCode::NOT_FOUND => StatusCode::INTERNAL_SERVER_ERROR,
                    status => status,
                };
                let why = text(error.to_string().as_bytes());
                let status = status_line(status);
                xml.push_str(&format!(
                    "<D:response><D:href>{path}</D:href>{status}<D:responsedescription>{why}\
                     </D:responsedescription></D:response>\n"
                ));
            }
        }
    }

    fn describe(
        &self,
        xml: &mut String,
        path: &str,
        node: ViewNode,
        name: &[u8],
        facts: &ViewFacts,
    ) {
        let described = Described {
            name,
            facts,
            etag: &self.service.etag(node),
            is_of_a_guest: node.is_of_a_guest(),
        };
        let (mut found, mut missing) = (String::new(), String::new());
        match &self.asked {
            Asked::All => {
                for name in NAMES {
                    if let Some(value) = described.property(name) {
                        found.push_str(&format!("<D:{name}>{value}</D:{name}>"));
                    }
                }
            }
            Asked::Names => {
                for name in NAMES {
                    if described.property(name).is_some() {
                        found.push_str(&format!("<D:{name}/>"));
                    }
                }
            }
            Asked::These(these) => {
                for (space, name) in these {
                    let value = (space == DAV).then(|| described.property(name)).flatten();
                    match value {
                        Some(value) => found.push_str(&format!("<D:{name}>{value}</D:{name}>")),
                        None => missing.push_str(&named(space, name)),
                    }
                }
            }
        }
        xml.push_str(&format!("<D:response><D:href>{path}</D:href>"));
        if !found.is_empty() || missing.is_empty() {
            push_propstat(xml, &found, StatusCode::OK);
        }
        if !missing.is_empty() {
            push_propstat(xml, &missing, StatusCode::NOT_FOUND);
        }
        xml.push_str("</D:response>\n");
    }
}

fn push_propstat(xml: &mut String, properties: &str, status: StatusCode) {
    let status = status_line(status);
    xml.push_str(&format!(
        "<D:propstat><D:prop>{properties}</D:prop>{status}</D:propstat>"
    ));
}

fn status_line(status: StatusCode) -> String {
    let (number, reason) = (status.as_u16(), status.canonical_reason().unwrap_or(""));
    format!("<D:status>HTTP/1.1 {number} {reason}</D:status>")
}

/// Writes the name of a property that there is not. Whoever asks with a name that XML cannot repeat
/// goes without an answer to it.
fn named(space: &str, name: &str) -> String {
    let mut letters = name.chars();
    let is_name = letters
        .next()
        .is_some_and(|letter| letter.is_alphabetic() || letter == '_')
        && letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.'));
    match (is_name, space) {
        (false, _) => String::new(),
        (true, "") => format!("<{name}/>"),
        (true, space) => format!("<X:{name} xmlns:X=\"{}\"/>", text(space.as_bytes())),
    }
}
