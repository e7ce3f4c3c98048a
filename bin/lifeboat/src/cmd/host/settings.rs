//! Where the settings of a host come from: the host, or a restore point.

use hyperv_host::HostSettings;
use repository::RestorePoint;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::HostArgs;
use crate::invocation::Invocation;

/// Reads the settings that `point` carries, or those of the host as it is now.
pub(super) fn settings_of(
    invocation: &Invocation,
    point: Option<&str>,
    host: Option<&HostArgs>,
) -> Result<HostSettings, CliError> {
    if let Some(selector) = point {
        let repository = invocation.open_repository_to_add_points()?;
        return settings_in(&repository.find_point(selector)?);
    }
    let host = host.ok_or_else(|| {
        CliError::usage("neither a restore point nor a host is named")
            .hint("name a point, such as SQL01@latest, or a host with --host")
    })?;
    let host = host.open()?;
    host.as_host().host_settings()?.ok_or_else(|| {
        CliError::usage("a folder of VMs is no host that could be set to anything")
            .hint("name a Hyper-V host: local, winrm://USER@HOST or sim:FOLDER")
    })
}

/// Returns the settings that a point carries.
pub(super) fn settings_in(point: &RestorePoint) -> Result<HostSettings, CliError> {
    let none = || {
        let text = format!("the point {} carries no settings of its host", point.id);
        CliError::new(ExitCode::Usage, "no-host-settings", text).hint(
            "points of a Hyper-V host carry them since the program's version that can restore to \
             a host; choose a later point",
        )
    };
    let value = point.host_settings.clone().ok_or_else(none)?;
    serde_json::from_value(value).map_err(|error| {
        let text = format!(
            "the settings of the host in the point {} are of a newer program: {error}",
            point.id
        );
        CliError::new(ExitCode::Incompatible, "unsupported", text)
    })
}
