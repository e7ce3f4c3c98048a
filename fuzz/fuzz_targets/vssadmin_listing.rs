//! What somebody pasted of `vssadmin`: any text is taken, and nothing is told that is not in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vss::{parse_shadow_storage, parse_writers};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let lower = text.to_ascii_lowercase();
    let said = |id: uuid::Uuid| lower.contains(&id.to_string());
    for writer in parse_writers(&text) {
        assert!(said(writer.id) && writer.instance.is_none_or(said));
        assert!(writer.name.is_none_or(|name| text.contains(&name)));
        assert!(writer.last_error.is_none_or(|words| text.contains(&words)));
    }
    for storage in parse_shadow_storage(&text) {
        assert!(said(storage.volume.id) && said(storage.kept_on.id));
        assert!(storage.volume.mount.is_none_or(|mount| text.contains(&mount)));
        assert!(storage.maximum.is_none_or(|words| text.contains(&words)));
    }
});
