//! Scratch
mod ntlm;
