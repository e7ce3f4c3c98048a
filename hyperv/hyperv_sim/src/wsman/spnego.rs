//! SPNEGO around NTLM: which mechanism it shall be, and its messages (RFC 4178, [MS-SPNG]).
//!
//! Clients put NTLM's messages into it or send them bare; hosts take both.

/// 1.3.6.1.5.5.2, SPNEGO itself.
const SPNEGO: &[u8] = &[0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/// 1.3.6.1.4.1.311.2.2.10, NTLM.
const NTLM: &[u8] = &[
    0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a,
];

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const APPLICATION_0: u8 = 0x60;
/// `NegTokenResp`, and also what is in field 1 of anything.
const CONTEXT_1: u8 = 0xa1;
const CONTEXT_0: u8 = 0xa0;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientToken<'a> {
    /// The first token: `NegTokenInit`.
    First {
        /// The mechanisms it offers, as they are encoded: what the codes are over.
        mechanisms: &'a [u8],
        /// The first message of the mechanism that it likes best, if that is NTLM.
        message: Option<&'a [u8]>,
    },
    /// One of the next: `NegTokenResp`.
    Next {
        /// A message of NTLM.
        message: Option<&'a [u8]>,
        /// The client's code over the mechanisms.
        code: Option<&'a [u8]>,
    },
}

impl<'a> ClientToken<'a> {
    /// Reads a token; none where it is none, or does not offer NTLM.
    pub(super) fn read(token: &'a [u8]) -> Option<Self> {
        match take(token)? {
            (APPLICATION_0, content, _) => Self::read_first(content.strip_prefix(SPNEGO)?),
            (CONTEXT_1, content, _) => {
                let fields = Fields::of(content)?;
                Some(Self::Next {
                    message: fields.octets(2),
                    code: fields.octets(3),
                })
            }
            _ => None,
        }
    }

    fn read_first(content: &'a [u8]) -> Option<Self> {
        let (CONTEXT_0, content, _) = take(content)? else {
            return None;
        };
        let fields = Fields::of(content)?;
        let mechanisms = fields.field(0)?;
        let (SEQUENCE, list, _) = take(mechanisms)? else {
            return None;
        };
        let is_preferred = list.starts_with(NTLM);
        let mut rest = list;
        let mut is_offered = false;
        while let Some((_, _, after)) = take(rest) {
            is_offered |= rest.starts_with(NTLM);
            rest = after;
        }
        is_offered.then_some(())?;
        Some(Self::First {
            mechanisms,
            message: fields.octets(2).filter(|_| is_preferred),
        })
    }
}

/// Writes that NTLM it is, and its message if there is one already: `accept-incomplete`.
pub(super) fn incomplete(message: &[u8]) -> Vec<u8> {
    let mut fields = vec![
        wrap(CONTEXT_0, &wrap(ENUMERATED, &[1])),
        wrap(CONTEXT_1, NTLM),
    ];
    if !message.is_empty() {
        fields.push(wrap(0xa2, &wrap(OCTETS, message)));
    }
    wrap(CONTEXT_1, &wrap(SEQUENCE, &fields.concat()))
}

/// Writes that the client is in, with the server's code if the client sent its own:
/// `accept-completed`.
pub(super) fn completed(code: Option<[u8; 16]>) -> Vec<u8> {
    let mut fields = wrap(CONTEXT_0, &wrap(ENUMERATED, &[0]));
    if let Some(code) = code {
        fields.extend(wrap(0xa3, &wrap(OCTETS, &code)));
    }
    wrap(CONTEXT_1, &wrap(SEQUENCE, &fields))
}

/// The fields of a sequence, by their number.
struct Fields<'a>(Vec<(u8, &'a [u8])>);

impl<'a> Fields<'a> {
    fn of(encoded: &'a [u8]) -> Option<Self> {
        let (SEQUENCE, mut rest, _) = take(encoded)? else {
            return None;
        };
        let mut fields = Vec::new();
        while !rest.is_empty() && fields.len() < 8 {
            let (tag, content, after) = take(rest)?;
            fields.push((tag, content));
            rest = after;
        }
        Some(Self(fields))
    }

    fn field(&self, number: u8) -> Option<&'a [u8]> {
        let tag = CONTEXT_0 | number;
        let field = self.0.iter().find(|(own, _)| *own == tag)?;
        Some(field.1)
    }

    fn octets(&self, number: u8) -> Option<&'a [u8]> {
        match take(self.field(number)?)? {
            (OCTETS, content, _) => Some(content),
            _ => None,
        }
    }
}

/// Reads tag, length and content of DER; returns tag, content and what follows.
fn take(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if let Some(count) = length.checked_sub(0x80) {
        let (digits, after) = rest.split_at_checked(count)?;
        (count <= 3).then_some(())?;
        length = digits
            .iter()
            .fold(0, |l, digit| l << 8 | usize::from(*digit));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// Writes tag, length and content. No content here comes near 64 KiB.
fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match (u8::try_from(content.len()), u16::try_from(content.len())) {
        (Ok(length @ ..0x80), _) => bytes.push(length),
        (Ok(length), _) => bytes.extend([0x81, length]),
        (_, length) => {
            bytes.push(0x82);
            bytes.extend(length.unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(mechanisms: &[&[u8]], message: &[u8]) -> Vec<u8> {
        let list = wrap(SEQUENCE, &mechanisms.concat());
        let fields = [wrap(CONTEXT_0, &list), wrap(0xa2, &wrap(OCTETS, message))];
        let token = wrap(CONTEXT_0, &wrap(SEQUENCE, &fields.concat()));
        wrap(APPLICATION_0, &[SPNEGO, &token].concat())
    }

    #[test]
    fn ntlm_is_found_where_it_is_offered() {
        let kerberos: &[u8] = &[0x06, 0x02, 0x2a, 0x03];
        let message = [7; 300];
        for (mechanisms, expected) in [
            (vec![NTLM], Some(Some(&message[..]))),
            (vec![NTLM, kerberos], Some(Some(&message[..]))),
            (vec![kerberos, NTLM], Some(None)),
            (vec![kerberos], None),
        ] {
            let token = first(&mechanisms, &message);
            let read = ClientToken::read(&token);
            let found = read.map(|token| match token {
                ClientToken::First { message, .. } => message,
                ClientToken::Next { .. } => panic!("not the first"),
            });
            assert_eq!(found, expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_token_panics(
            mut token in prop::collection::vec(any::<u8>(), 0..80),
            at in 0_usize..40,
        ) {
            let _ = ClientToken::read(&token);
            let mut real = first(&[NTLM], &[1; 10]);
            real.truncate(real.len().min(at + 10));
            let _ = ClientToken::read(&real);
            token.insert(0, CONTEXT_1);
            let _ = ClientToken::read(&token);
        }
    }
}
