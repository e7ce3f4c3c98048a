//! WMI as a backup of a Hyper-V host needs it: query, get, invoke, jobs.
//!
//! ```text
//!   typed code (wmi_host)          no idea of what carries its calls
//!        │ WmiSession: query · get · invoke
//!        ├── com      COM on Windows, this machine
//!        ├── wsman    WS-Management over HTTP(S), from any system
//!        └── hyperv_sim::SimSession, a host that does not exist
//! ```
//!
//! # Model
//!
//! An [`Instance`] is a class name, a path where there is one, and named [`Value`]s. Transports
//! differ in what they say of types (WS-Man carries text, COM carries 64-bit numbers as text), so
//! the typed getters of [`Instance`] read a number also from its text, and names are compared
//! without regard to case. A [`Value::Null`] and a property that is not there are the same.
//!
//! An [`ObjectPath`] is what WMI calls `__PATH`. Parameters that are embedded instances travel as
//! CIM-XML text: [`EmbeddedInstance`].
//!
//! # Calls
//!
//! A method returns a number: 0 done, 4096 a job was started, anything else an error.
//! [`invoke_and_wait`] follows the job to its end; [`MethodError`] tells what came of it.
//! Waiting goes through a [`Clock`], so no test waits.
//!
//! # Bounds
//!
//! Responses, enumerations, strings and nesting are bounded by [`limits`]; what is larger is
//! [`WmiErrorKind::TooLarge`]. No XML entity is ever expanded but the five of XML itself.
//!
//! # Errors
//!
//! [`WmiError`] says what was asked of whom and what came back; callers decide on its kind.
//!
//! Sources: Microsoft's Hyper-V WMI provider (V2) reference, DSP0004, DSP0200 and DSP0201 of the
//! DMTF, \[MS-WSMV\].

#![deny(unsafe_code)]

mod clock;
#[cfg(windows)]
pub mod com;
mod embedded;
mod error;
mod instance;
mod job;
mod key_properties;
pub mod limits;
mod object_path;
mod session;
mod value;
pub mod wsman;

pub use clock::{Clock, SystemClock};
pub use embedded::{CimType, EmbeddedInstance};
pub use error::{WmiError, WmiErrorKind};
pub use instance::Instance;
pub use job::{Completed, JobFailure, JobState, MethodError, Patience, invoke_and_wait};
pub use key_properties::key_properties;
pub use object_path::{ObjectPath, quote};
pub use session::{MethodOutput, WmiSession};
pub use value::Value;

/// Hyper-V's namespace on Windows Server 2012 and later.
pub const VIRTUALIZATION: &str = r"root\virtualization\v2";
/// Windows' own namespace.
pub const CIMV2: &str = r"root\CIMV2";
/// The failover cluster's namespace.
pub const CLUSTER: &str = r"root\MSCluster";
