//! `Authorization: Negotiate …`, message by message.

use super::ntlm::{Account, Challenge, SIGNATURE, Session};
use super::spnego::{ClientToken, completed, incomplete};

/// How far a connection has come with proving who it is.
#[derive(Default)]
pub(super) struct Negotiation {
    challenge: Option<Challenge>,
    /// The mechanisms that the client offered, if it speaks SPNEGO.
    mechanisms: Option<Vec<u8>>,
}

/// What comes of a client's token.
pub(super) enum Step {
    /// The client is to answer this.
    Continue(Vec<u8>),
    /// The client is in; this tells it so, if it speaks SPNEGO.
    Done(Box<Session>, Vec<u8>),
    /// It is not.
    Refused,
}

impl Negotiation {
    /// Takes the next token of a client.
    pub(super) fn step(&mut self, token: &[u8], account: &Account, host: &str) -> Step {
        let step = if token.starts_with(SIGNATURE) {
            self.mechanisms = None;
            self.ntlm(token, account, host, None)
        } else {
            self.spnego(token, account, host)
        };
        step.unwrap_or_else(|| {
            *self = Self::default();
            Step::Refused
        })
    }

    fn spnego(&mut self, token: &[u8], account: &Account, host: &str) -> Option<Step> {
        match ClientToken::read(token)? {
            ClientToken::First {
                mechanisms,
                message,
            } => {
                *self = Self {
                    challenge: None,
                    mechanisms: Some(mechanisms.to_vec()),
                };
                match message {
                    Some(message) => self.ntlm(message, account, host, None),
                    None => Some(Step::Continue(incomplete(&[]))),
                }
            }
            ClientToken::Next { message, code } if self.mechanisms.is_some() => {
                self.ntlm(message?, account, host, code)
            }
            ClientToken::Next { .. } => None,
        }
    }

    /// Takes a message of NTLM, and a code over the mechanisms if there is one.
    fn ntlm(
        &mut self,
        message: &[u8],
        account: &Account,
        host: &str,
        code: Option<&[u8]>,
    ) -> Option<Step> {
        let is_first = message.get(SIGNATURE.len()) == Some(&1);
        let challenge = match self.challenge.take() {
            Some(challenge) if !is_first => challenge,
            _ => {
                let challenge = Challenge::answer(message, host).ok()?;
                let token = match &self.mechanisms {
                    Some(_) => incomplete(challenge.message()),
                    None => challenge.message().to_vec(),
                };
                self.challenge = Some(challenge);
                return Some(Step::Continue(token));
            }
        };
        let mut session = challenge.accept(message, account).ok()?;
        let token = match (self.mechanisms.take(), code) {
            (None, _) => Vec::new(),
            (Some(_), None) => completed(None),
            (Some(mechanisms), Some(code)) => {
                completed(Some(session.exchange_codes(&mechanisms, code)?))
            }
        };
        Some(Step::Done(Box::new(session), token))
    }
}
