//! Hosts that are reached through WinRM.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk_image::HostPaths;
use hyperv_host::{HostError, HostErrorKind};
use wmi::SystemClock;
use wmi::wsman::{WsmanAuthentication, WsmanOptions, WsmanSession};
use wmi_host::{NodeConnector, WmiHost, WmiHostOptions};
use zeroize::Zeroizing;

use super::host_files::HostFiles;
use crate::cli_error::CliError;
use crate::password::read_secret_file;

/// How hosts are reached through WinRM: the nodes of a cluster all in one way.
pub(super) struct Remote(WsmanOptions);

impl Remote {
    /// Takes an address, and the password from the file that the environment names.
    pub(super) fn new(url: &str, basic: bool) -> Result<Self, CliError> {
        let Some(file) = std::env::var_os("LIFEBOAT_HOST_PASSWORD_FILE") else {
            return Err(CliError::usage("no password for the host is given")
                .hint("put it into a file and name that in LIFEBOAT_HOST_PASSWORD_FILE"));
        };
        let text = read_secret_file(Path::new(&file))?;
        let password = Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
        let mut options = WsmanOptions::new(url, password).map_err(|error| {
            CliError::usage(error.to_string()).hint("write winrm://USER@HOST or winrms://USER@HOST")
        })?;
        if basic {
            options.authentication = WsmanAuthentication::Basic;
        }
        options.certificate_file =
            std::env::var_os("LIFEBOAT_HOST_CERTIFICATE_FILE").map(PathBuf::from);
        Ok(Self(options))
    }

    /// Returns the name of the host that the address is of.
    pub(super) fn host(&self) -> String {
        self.0.address.host.clone()
    }

    /// Connects to the host, or to another one in the same way. Its VSS is local to it: there is
    /// none here.
    pub(super) fn connect(
        &self,
        other: Option<&str>,
        bytes: Option<Arc<dyn HostPaths>>,
        options: WmiHostOptions,
    ) -> Result<WmiHost, HostError> {
        let mut own = self.0.clone();
        if let Some(other) = other {
            own.address.host = in_domain_of(other, &self.0.address.host);
        }
        let session = WsmanSession::connect(own).map_err(wmi_host::host_error)?;
        WmiHost::connect(Arc::new(session), Arc::new(SystemClock), bytes, options)
    }

    /// Returns what to type to see whether a node answers.
    fn command(&self, node: &str) -> String {
        let own = &self.0.address;
        let scheme = if own.tls { "winrms" } else { "winrm" };
        let user = encoded_user(&own.user);
        let host = in_domain_of(node, &own.host);
        format!("lifeboat vm list --host {scheme}://{user}@{host}")
    }
}

/// Writes a user's name as it is written in an address: `DOMAIN%5Cname`, `name%40example.com`.
pub(super) fn encoded_user(user: &str) -> String {
    let mut encoded = String::with_capacity(user.len());
    for character in user.chars() {
        match character {
            '%' => encoded.push_str("%25"),
            '@' => encoded.push_str("%40"),
            '\\' => encoded.push_str("%5C"),
            '/' => encoded.push_str("%2F"),
            ':' => encoded.push_str("%3A"),
            ' ' => encoded.push_str("%20"),
            other => encoded.push(other),
        }
    }
    encoded
}

/// A cluster names its nodes without their domain. Where the one that it is reached through was
/// named with it, the others have the same.
fn in_domain_of(node: &str, first: &str) -> String {
    let is_number = first.parse::<std::net::IpAddr>().is_ok();
    match first.split_once('.') {
        Some((_, domain)) if !is_number && !node.contains('.') => format!("{node}.{domain}"),
        _ => node.to_owned(),
    }
}

/// Returns what connects to the other nodes of a cluster; without `remote` nothing does, and it says
/// how they are reached.
pub(super) fn connector(
    remote: Option<Remote>,
    files: HostFiles,
    options: WmiHostOptions,
) -> NodeConnector {
    Box::new(move |node| {
        let Some(remote) = &remote else {
            let text = "nothing says as whom it is asked";
            return Err(HostError::new(HostErrorKind::Denied, text).hint(
                "name a user with --node-user, an administrator of all nodes, and put the password \
                 into a file that LIFEBOAT_HOST_PASSWORD_FILE names",
            ));
        };
        let bytes = files
            .of_sibling(node)
            .map_err(|error| HostError::new(HostErrorKind::Unreachable, error.to_string()))?;
        remote
            .connect(Some(node), bytes, options.clone())
            .map_err(|error| {
                let cure = format!(
                    "on {node}, as an administrator: Enable-PSRemoting -Force; then see that this \
                 works: {}",
                    remote.command(node)
                );
                HostError::new(error.kind(), error.to_string()).hint(cure)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::{encoded_user, in_domain_of};

    #[test]
    fn users_are_read_from_an_address_as_they_were_named() {
        for user in [
            r"DOM\admin",
            "admin@example.com",
            "100%@x",
            r"a%5Cb",
            "a b:c/d",
        ] {
            let url = format!("winrm://{}@hv1", encoded_user(user));
            let options = wmi::wsman::WsmanOptions::new(&url, String::new().into()).unwrap();
            assert_eq!(options.address.user, user, "{url}");
            assert_eq!(options.address.host, "hv1", "{url}");
        }
    }

    #[test]
    fn nodes_have_the_domain_of_the_one_that_was_named() {
        assert_eq!(in_domain_of("HV2", "hv1.example.com"), "HV2.example.com");
        assert_eq!(in_domain_of("HV2", "hv1"), "HV2");
        assert_eq!(in_domain_of("HV2", "192.0.2.7"), "HV2");
        assert_eq!(
            in_domain_of("hv2.other.org", "hv1.example.com"),
            "hv2.other.org"
        );
    }
}
