//! What a definition file says by itself, as far as this machine can read it.

use uuid::Uuid;
use vm_config::VmConfiguration;

use crate::WmiHost;

/// A definition file is never larger, in bytes; the reader has limits of its own.
const BYTES_MAX: u64 = 64 << 20;

/// What a definition file says by itself. Its host has the last word: this is for telling the
/// planned VM that comes of it from others.
#[derive(Debug, Default)]
pub(super) struct Definition {
    /// GUID of the VM.
    pub(super) id: Option<Uuid>,
    /// Its name.
    pub(super) name: Option<String>,
}

impl Definition {
    /// Reads the file; where it cannot be read its name says the GUID.
    pub(super) fn read(host: &WmiHost, path: &str) -> Self {
        let name = path.rsplit(['\\', '/']).next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        let by_name = Uuid::parse_str(stem).ok();
        match configuration(host, path) {
            Some(read) => Self {
                id: Some(read.id).filter(|id| !id.is_nil()).or(by_name),
                name: Some(read.name),
            },
            None => Self {
                id: by_name,
                name: None,
            },
        }
    }
}

/// Returns the GUID of the VM that a definition file is of.
pub(crate) fn definition_id(host: &WmiHost, path: &str) -> Option<Uuid> {
    Definition::read(host, path).id
}

/// Reads a definition file of a VM or a checkpoint; `None` where this machine cannot.
pub(super) fn configuration(host: &WmiHost, path: &str) -> Option<VmConfiguration> {
    let local = host.bytes.as_ref()?.locate(path)?;
    let len_bytes = local.metadata().ok()?.len();
    if len_bytes > BYTES_MAX {
        return None;
    }
    let bytes = std::fs::read(local).ok()?;
    VmConfiguration::from_bytes(path, &bytes).ok()
}
