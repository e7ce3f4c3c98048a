//! Whether an enumeration comes to its end.

use std::collections::HashSet;

use super::codec::EnumerationPage;
use crate::limits::{ENUMERATION_BYTES_MAX, INSTANCES_MAX};
use crate::{WmiError, WmiErrorKind};

/// Answers without an item, one after another. A host may be slow to find the next one.
const EMPTY_PAGES_MAX: usize = 16;

/// Where one enumeration stands.
#[derive(Debug, Default)]
pub(super) struct EnumerationWalk {
    context: Option<String>,
    /// Contexts that gave way to another one.
    left: HashSet<String>,
    instances: usize,
    bytes: usize,
    empty_pages: usize,
}

impl EnumerationWalk {
    /// Returns the context to go on with; none at the end, or before the begin.
    pub(super) fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// Takes note of an answer of so many bytes. An answer without a context goes on with the one
    /// before it (WS-Enumeration section 3.2); a context that was left must not come back.
    ///
    /// Errors: `Protocol` for an enumeration that goes round in circles or gets nowhere,
    /// `TooLarge` for one beyond the limits.
    pub(super) fn advance(&mut self, page: &EnumerationPage, bytes: usize) -> Result<(), WmiError> {
        self.instances = self.instances.saturating_add(page.instances.len());
        self.bytes = self.bytes.saturating_add(bytes);
        if page.end {
            self.context = None;
        } else if let Some(next) = &page.context
            && self.context.as_ref() != Some(next)
        {
            if self.left.contains(next) {
                return Err(endless("a context came back that was left before"));
            }
            self.left.extend(self.context.replace(next.clone()));
        }
        if !page.end && self.context.is_none() {
            return Err(endless("it neither ends nor says how to go on"));
        }
        if self.instances > INSTANCES_MAX || self.bytes > ENUMERATION_BYTES_MAX {
            let what = format!(
                "an enumeration of {} instances in {} bytes, and more to come",
                self.instances, self.bytes
            );
            return Err(WmiError::new(WmiErrorKind::TooLarge, what));
        }
        self.empty_pages = match page.instances.is_empty() {
            true => self.empty_pages + 1,
            false => 0,
        };
        if self.empty_pages > EMPTY_PAGES_MAX && !page.end {
            return Err(endless("one answer after another holds nothing"));
        }
        Ok(())
    }
}

fn endless(why: &str) -> WmiError {
    let what = format!("an enumeration does not come to its end: {why}");
    WmiError::new(WmiErrorKind::Protocol, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Instance;

    fn page(context: Option<&str>, instances: usize, end: bool) -> EnumerationPage {
        EnumerationPage {
            context: context.map(str::to_owned),
            instances: vec![Instance::new("X"); instances],
            end,
        }
    }

    #[test]
    fn contexts_may_stay_or_change_but_not_come_back() {
        let mut walk = EnumerationWalk::default();
        for context in [Some("a"), Some("a"), Some("b"), None, Some("b")] {
            walk.advance(&page(context, 1, false), 1).unwrap();
        }
        assert_eq!(walk.context(), Some("b"));
        assert!(walk.advance(&page(Some("a"), 1, false), 1).is_err());
    }

    #[test]
    fn an_enumeration_ends_goes_on_or_is_refused() {
        let mut walk = EnumerationWalk::default();
        assert!(walk.advance(&page(None, 1, false), 1).is_err());
        let mut walk = EnumerationWalk::default();
        walk.advance(&page(Some("a"), 1, false), 1).unwrap();
        walk.advance(&page(Some("a"), 0, true), 1).unwrap();
        assert_eq!(walk.context(), None);
    }

    #[test]
    fn empty_answers_and_sizes_are_bounded() {
        let mut walk = EnumerationWalk::default();
        let empty = page(Some("a"), 0, false);
        for _ in 0..EMPTY_PAGES_MAX {
            walk.advance(&empty, 1).unwrap();
        }
        assert!(walk.advance(&empty, 1).is_err());
        let mut walk = EnumerationWalk::default();
        let error = walk.advance(&page(Some("a"), 1, false), ENUMERATION_BYTES_MAX + 1);
        assert_eq!(error.unwrap_err().kind(), WmiErrorKind::TooLarge);
        let mut walk = EnumerationWalk::default();
        let many = page(Some("a"), INSTANCES_MAX / 10, false);
        for _ in 0..10 {
            walk.advance(&many, 1).unwrap();
        }
        let error = walk.advance(&many, 1).unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::TooLarge);
    }
}
