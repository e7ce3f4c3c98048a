//! Who makes snapshots of volumes.

use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};
use vss::{Provider, ProviderKind, VolumeKind, VssError, VssErrorKind, VssStep};

use super::failure::{NOT_SUPPORTED_BY_PROVIDER, PROVIDER_NOT_REGISTERED, failure};
use crate::host_state::HostState;
use crate::{SimError, SimHost};

/// `Microsoft Software Shadow Copy provider 1.0`
pub(crate) const SYSTEM_PROVIDER: Uuid = uuid!("b5946137-7b9f-4925-af80-51abd60b20d5");
/// `Microsoft File Share Shadow Copy provider` (contract 5.2).
pub(crate) const FILE_SHARE_PROVIDER: Uuid = uuid!("89300202-3cec-4981-9171-19f59559e0f2");

/// A provider of a storage array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardwareProvider {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Volumes that it snaps, by mount point such as `D:\`; empty: all that are local.
    pub volumes: Vec<String>,
    /// Its snapshots can be written to before `PostSnapshot`, so that writers can repair them.
    pub supports_auto_recovery: bool,
    /// How long it takes for a volume, in milliseconds.
    pub volume_snapshot_ms: u64,
}

impl HardwareProvider {
    /// Describes an array that does everything, as fast as the system provider.
    pub fn sim_array() -> Self {
        Self {
            id: uuid!("5a1ab0a7-51a0-4f00-9b0a-7d1ca5e00001"),
            name: "SimArray Hardware Provider".to_owned(),
            volumes: Vec::new(),
            supports_auto_recovery: true,
            volume_snapshot_ms: 600,
        }
    }

    fn snaps(&self, mount: &str, kind: VolumeKind) -> bool {
        let named = self
            .volumes
            .iter()
            .any(|own| own.eq_ignore_ascii_case(mount));
        kind != VolumeKind::FileShare && (self.volumes.is_empty() || named)
    }
}

impl SimHost {
    /// Installs the provider of a storage array; it comes before the system provider.
    pub fn install_provider(&self, provider: HardwareProvider) -> Result<(), SimError> {
        self.act(|state| {
            let installed = &mut state.facts_mut().vss.hardware_providers;
            installed.retain(|own| own.id != provider.id);
            installed.push(provider);
            Ok(())
        })
    }
}

impl HostState {
    /// Lists the providers that are installed.
    pub(crate) fn providers(&self) -> Vec<Provider> {
        let own = |id, name: &str, kind, version: &str| Provider {
            id,
            name: name.to_owned(),
            kind,
            version: version.to_owned(),
        };
        let mut providers = vec![own(
            SYSTEM_PROVIDER,
            "Microsoft Software Shadow Copy provider 1.0",
            ProviderKind::System,
            "1.0.0.7",
        )];
        if self.facts.profile.has_file_share_provider() {
            providers.push(own(
                FILE_SHARE_PROVIDER,
                "Microsoft File Share Shadow Copy provider",
                ProviderKind::FileShare,
                "1.0.0.1",
            ));
        }
        for array in &self.facts.vss.hardware_providers {
            providers.push(own(array.id, &array.name, ProviderKind::Hardware, "1.0"));
        }
        providers
    }

    /// Returns the array's provider of this id.
    pub(crate) fn hardware_provider(&self, id: Uuid) -> Option<&HardwareProvider> {
        let mut arrays = self.facts.vss.hardware_providers.iter();
        arrays.find(|own| own.id == id)
    }

    /// Chooses who snaps a volume: the one that was asked for, or hardware before software.
    pub(crate) fn choose_provider(
        &self,
        mount: &str,
        kind: VolumeKind,
        wanted: Option<Uuid>,
    ) -> Result<Uuid, VssError> {
        let step = VssStep::AddVolume;
        let usual = match kind {
            VolumeKind::FileShare => FILE_SHARE_PROVIDER,
            VolumeKind::Local | VolumeKind::ClusterShared => SYSTEM_PROVIDER,
        };
        let installed = self.providers();
        let is_installed = |id: Uuid| installed.iter().any(|own| own.id == id);
        let arrays = &self.facts.vss.hardware_providers;
        let chosen = wanted.unwrap_or_else(|| {
            let array = arrays.iter().find(|own| own.snaps(mount, kind));
            array.map_or(usual, |array| array.id)
        });
        if !is_installed(chosen) {
            return Err(failure(
                VssErrorKind::NotFound,
                step,
                PROVIDER_NOT_REGISTERED,
                format!("the provider {chosen} is not registered"),
            ));
        }
        let array = self.hardware_provider(chosen);
        let can = array.map_or(chosen == usual, |array| array.snaps(mount, kind));
        if can {
            return Ok(chosen);
        }
        Err(failure(
            VssErrorKind::NotSupported,
            step,
            NOT_SUPPORTED_BY_PROVIDER,
            format!("the provider {chosen} does not snap {mount}"),
        ))
    }
}
