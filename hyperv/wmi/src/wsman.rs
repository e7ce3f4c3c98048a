//! WMI of another machine, over WS-Management (WinRM).

pub mod codec;
pub mod sealed;
