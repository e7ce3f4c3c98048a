//! A folder as a page, for browsers.

use std::sync::Arc;

use file_view::{ViewEntry, ViewNode};
use guest_files::NodeKind;

use crate::answer::Pieces;
use crate::properties::{text, timestamp};
use crate::service::Service;
use crate::web_path::encoded;

/// Entries that are asked for and written at once.
const ENTRIES_AT_ONCE: usize = 128;

/// Writes the page of a folder, which `names` lead to, piece by piece.
pub(crate) fn page(service: &Arc<Service>, names: &[Vec<u8>], entries: Vec<ViewEntry>) -> Pieces {
    let service = Arc::clone(service);
    let mut path = service.top();
    let mut title = String::from("/");
    for name in names {
        path.push_str(&encoded(name));
        path.push('/');
        title.push_str(&text(name));
        title.push('/');
    }
    let mut entries = entries.into_iter();
    let mut head = Some(format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title>\n<style>body \
         {{ font-family: sans-serif }} td {{ padding: 0 1em }}</style></head>\n\
         <body><h1>{title}</h1>\n<table>\n{up}",
        up = if names.is_empty() {
            ""
        } else {
            "<tr><td><a href=\"../\">..</a></td></tr>\n"
        }
    ));
    let mut is_done = false;
    Box::new(move || {
        if let Some(head) = head.take() {
            return Ok(Some(head.into_bytes()));
        }
        if is_done {
            return Ok(None);
        }
        let batch: Vec<ViewEntry> = entries.by_ref().take(ENTRIES_AT_ONCE).collect();
        if batch.is_empty() {
            is_done = true;
            return Ok(Some(b"</table></body></html>\n".to_vec()));
        }
        Ok(Some(rows(&service, &path, &batch).into_bytes()))
    })
}

fn rows(service: &Service, path: &str, batch: &[ViewEntry]) -> String {
    let nodes = batch.iter().map(|entry| service.view.follow(entry.node));
    let nodes: Vec<ViewNode> = nodes.collect();
    let mut rows = String::new();
    for (entry, facts) in batch.iter().zip(service.view.facts_of(&nodes)) {
        let name = entry.name.as_bytes();
        let (shown, link) = (text(name), format!("{path}{}", encoded(name)));
        rows.push_str(&match facts {
            Ok(facts) => {
                let slash = match facts.kind {
                    NodeKind::Folder => "/",
                    _ => "",
                };
                let size = match facts.kind {
                    NodeKind::Folder => String::new(),
                    _ => facts.size_bytes.to_string(),
                };
                let time = facts.times.modified.and_then(timestamp);
                let time = time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
                format!(
                    "<tr><td><a href=\"{link}{slash}\">{shown}{slash}</a></td><td>{size}</td><td>{}</td></tr>\n",
                    time.unwrap_or_default()
                )
            }
            Err(error) => {
                service.failed(&error);
                let why = text(error.to_string().as_bytes());
                format!("<tr><td>{shown}</td><td></td><td>cannot be read: {why}</td></tr>\n")
            }
        });
    }
    rows
}
