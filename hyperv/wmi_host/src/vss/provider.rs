//! Who makes volume snapshots (requirement VSS-12).

use ::vss::VssService;
use hyperv_host::{HostError, HostErrorKind};
use uuid::Uuid;

use super::failure::vss_failure;

/// Finds the provider that a request names, by GUID or by a part of its name. Without one the
/// service chooses.
pub(super) fn provider_of(
    service: &dyn VssService,
    host: &str,
    named: Option<&str>,
) -> Result<Option<Uuid>, HostError> {
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else {
        return Ok(None);
    };
    let providers = service
        .providers()
        .map_err(|error| vss_failure(host, "listing the providers of snapshots", error))?;
    if let Ok(id) = Uuid::parse_str(named.trim_matches(['{', '}']))
        && let Some(own) = providers.iter().find(|own| own.id == id)
    {
        return Ok(Some(own.id));
    }
    let wanted = named.to_lowercase();
    let is_whole = |own: &&::vss::Provider| own.name.to_lowercase() == wanted;
    let is_part = |own: &&::vss::Provider| own.name.to_lowercase().contains(&wanted);
    if let Some(own) = providers.iter().find(is_whole) {
        return Ok(Some(own.id));
    }
    let fitting: Vec<_> = providers.iter().filter(is_part).collect();
    if let [only] = fitting.as_slice() {
        return Ok(Some(only.id));
    }
    let what = if fitting.is_empty() {
        "no provider of snapshots is"
    } else {
        "several providers of snapshots are"
    };
    let names: Vec<String> = providers
        .iter()
        .map(|own| format!("{:?} {{{}}}", own.name, own.id))
        .collect();
    let text = format!(
        "{host}: {what} called {named:?}; there are {}",
        names.join(", ")
    );
    Err(HostError::new(HostErrorKind::Blocked, text)
        .hint("name one as `vssadmin list providers` does, or none"))
}
