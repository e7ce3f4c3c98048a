//! Who makes snapshots on this machine.

use uuid::Uuid;

use super::bindings::{IVssEnumObject, VSS_OBJECT_PROP, VSS_PROVIDER_PROP};
use super::foreign_text::{check, guid, take_pointer, uuid};
use super::requester::Requester;
use crate::{Provider, ProviderKind, VssError, VssErrorKind, VssStep};

const STEP: VssStep = VssStep::Providers;

/// `VSS_OBJECT_NONE` and `VSS_OBJECT_PROVIDER`
const OBJECT_NONE: i32 = 1;
const OBJECT_PROVIDER: i32 = 4;
/// The most providers that are listed.
const PROVIDERS_MAX: usize = 1024;

impl Requester {
    /// `Query` of all providers.
    ///
    /// An object that was told to be for a backup, and nothing else, can be asked.
    ///
    /// Contract: 5.2 [M]
    pub(super) fn providers(&self) -> Result<Vec<Provider>, VssError> {
        let nil = guid(Uuid::nil());
        let mut found: Option<IVssEnumObject> = None;
        // SAFETY: `found` is a place for an interface pointer, which is ours afterwards.
        let code = unsafe {
            let place = (&raw mut found).cast_const();
            self.components
                .Query(nil, OBJECT_NONE, OBJECT_PROVIDER, place)
        };
        check(code, STEP, "Query of providers")?;
        let Some(found) = found else {
            let what = "Query of providers gave nothing";
            return Err(VssError::new(VssErrorKind::Other, STEP, what));
        };
        let mut providers = Vec::new();
        while providers.len() < PROVIDERS_MAX {
            let (mut object, mut fetched) = (VSS_OBJECT_PROP::default(), 0);
            // SAFETY: there is room for the one object that is asked for.
            let code = unsafe { found.Next(1, &raw mut object, &raw mut fetched) };
            check(code, STEP, "Next of providers")?;
            if fetched != 1 {
                break;
            }
            if object.Type == OBJECT_PROVIDER {
                // SAFETY: its type says which part of the union is filled.
                let provider = unsafe { read(&object.Obj.Prov) };
                providers.push(provider);
            }
        }
        Ok(providers)
    }
}

/// Reads a provider, and frees its texts.
///
/// # Safety
///
/// `provider` must be filled by the service, and its texts not be used again.
unsafe fn read(provider: &VSS_PROVIDER_PROP) -> Provider {
    // SAFETY: the caller promises what the calls need.
    let (name, version) = unsafe {
        (
            take_pointer(provider.m_pwszProviderName),
            take_pointer(provider.m_pwszProviderVersion),
        )
    };
    Provider {
        id: uuid(provider.m_ProviderId),
        name,
        version,
        kind: match provider.m_eProviderType {
            1 => ProviderKind::System,
            2 => ProviderKind::Software,
            3 => ProviderKind::Hardware,
            4 => ProviderKind::FileShare,
            _ => ProviderKind::Other,
        },
    }
}
