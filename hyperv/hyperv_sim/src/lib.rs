//! A Hyper-V host that does not exist.

#![forbid(unsafe_code)]
