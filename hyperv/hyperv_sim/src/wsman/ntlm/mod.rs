//! The server's half of NTLM, as a host that is in no domain speaks it ([MS-NLMP]).
//!
//! ```text
//!   client                        server
//!   NEGOTIATE  ------------------>           what it can do
//!              <------------------ CHALLENGE eight random bytes, the host's names, the time
//!   AUTHENTICATE ---------------->           the proof that it knows the password; a session key
//! ```
//!
//! Only NTLMv2 with extended session security and 128-bit keys is taken, which is what every
//! current client offers. The proof is checked before anything that depends on it, and then the
//! code over the three messages, when the client says that it sent one. Both sides seal what
//! follows with keys that come from the session key: [`Session`].
//!
//! It is written out here, and not taken from the library that the client uses, since that one
//! accepts a client that leaves the code out without looking at its proof; and so that the two
//! sides of a test are not one implementation.

mod account;
mod digest;
mod handshake;
mod message;
mod sealing;

pub(super) use account::Account;
pub(super) use handshake::Challenge;
pub(super) use message::SIGNATURE;
pub(super) use sealing::Session;
