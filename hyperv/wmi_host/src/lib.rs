//! A Hyper-V host, real or simulated, through its WMI.

#![forbid(unsafe_code)]

mod cursor;
