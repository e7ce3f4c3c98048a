//! What a command prints, as far as there is room.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are kept: the last ones, which say why it failed.
const KEPT_BYTES: usize = 16 << 10;

/// The end of what a command prints, on both its outputs together.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Shared>);

#[derive(Default)]
struct Shared {
    kept: Mutex<Kept>,
    /// Outputs that are still open.
    open: AtomicUsize,
}

#[derive(Default)]
struct Kept {
    bytes: VecDeque<u8>,
    cut: bool,
}

impl Captured {
    /// Reads an output to its end, in a thread of its own. A process that the command has left
    /// behind may keep the output open for ever; nobody waits for it.
    pub(crate) fn read(&self, output: impl Read + Send + 'static) {
        let captured = self.clone();
        captured.0.open.fetch_add(1, Ordering::SeqCst);
        std::thread::spawn(move || {
            captured.read_all(output);
            captured.0.open.fetch_sub(1, Ordering::SeqCst);
        });
    }

    fn read_all(&self, mut output: impl Read) {
        let mut buffer = [0; 4096];
        loop {
            match output.read(&mut buffer) {
                Ok(0) => return,
                Ok(len) => self.keep(buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes.extend(bytes);
        let excess = kept.bytes.len().saturating_sub(KEPT_BYTES);
        kept.bytes.drain(..excess);
        kept.cut |= excess > 0;
    }

    /// Returns whether all outputs were read to their end.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.open.load(Ordering::SeqCst) == 0
    }

    /// Returns what was kept, and whether its beginning is missing. What is no text is shown as
    /// such, and nothing of it can move a terminal's cursor.
    pub(crate) fn text(&self) -> (String, bool) {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.bytes.iter().copied().collect();
        let text: String = String::from_utf8_lossy(&bytes)
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
            .collect();
        (text.trim_end().to_owned(), kept.cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_output_is_kept() {
        let captured = Captured::default();
        let mut bytes = vec![b'a'; 3 * KEPT_BYTES];
        bytes.extend(b"why\x1b[2J it failed\r\n");
        captured.read_all(&*bytes);
        let (text, cut) = captured.text();
        assert!(cut && text.len() <= KEPT_BYTES);
        assert!(text.ends_with("why[2J it failed"));
        let short = Captured::default();
        short.read_all(&b"\xFFfine\n"[..]);
        assert_eq!(short.text(), ("\u{FFFD}fine".to_owned(), false));
    }
}
