//! The headers of an answer.

use super::{Element, Envelope, Fault, malformed, names};
use crate::WmiError;

/// What an answer says above its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHeader {
    /// What the body is.
    pub action: String,
    /// A name for this answer, `uuid:…`.
    pub message_id: String,
    /// The name of the request that it answers.
    pub relates_to: String,
}

impl ResponseHeader {
    /// Makes the whole answer.
    pub fn envelope(&self, body: Option<Element>) -> Envelope {
        let text = |name: &str, text: &str| Element::new(names::ADDRESSING, name).with_text(text);
        Envelope {
            headers: vec![
                text("Action", &self.action),
                text("MessageID", &self.message_id),
                text("To", names::ANONYMOUS),
                text("RelatesTo", &self.relates_to),
            ],
            body,
        }
    }

    /// Checks that an answer is that to the request, and of the action expected.
    ///
    /// Errors: `Protocol`; a fault becomes the error that it tells of, with `asked` in its message.
    pub fn check(
        answer: &Envelope,
        action: &str,
        relates_to: &str,
        asked: &str,
    ) -> Result<(), WmiError> {
        let own = answer.header_text(names::ADDRESSING, "RelatesTo");
        if let Some(fault) = Fault::read(answer) {
            // A host that could not read the request may not know whose fault it is.
            return match own {
                Some(own) if !own.eq_ignore_ascii_case(relates_to) && !own.is_empty() => {
                    Err(malformed("the fault is that of another request"))
                }
                _ => Err(fault.to_error(asked)),
            };
        }
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(relates_to)) {
            return Err(malformed("the answer is that to another request"));
        }
        let came = answer.action()?;
        if !came.eq_ignore_ascii_case(action) {
            let came = super::shortened(came);
            return Err(malformed(format!(
                "its action is {came:?} and not {action:?}"
            )));
        }
        Ok(())
    }
}
