//! Which host a person means, and how it is reached.

mod host_files;
mod remote;
mod simulated;

use std::path::{Path, PathBuf};

use clap::Args;
use folder_host::FolderHost;
use hyperv_host::{HypervHost, RestoreHost};
use wmi_host::{ClusterHost, WmiHost, WmiHostOptions};

use host_files::HostFiles;
use remote::Remote;
pub(crate) use simulated::{
    connect_simulated as connect_sim, open_cluster as open_sim_cluster, open_sim,
};

use crate::cli_error::CliError;
#[cfg(not(windows))]
use crate::exit_code::ExitCode;

/// The host, and how it is reached. It is there when `--host` is, which its group has to be told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The host")]
#[group(args = ["host"])]
pub(crate) struct HostArgs {
    /// The host: local, winrm://USER@HOST, winrms://USER@HOST, dir:FOLDER or sim:FOLDER; or a
    /// cluster, through any of its nodes: cluster:winrm://USER@NODE
    #[arg(long, env = "LIFEBOAT_HOST", value_name = "HOST")]
    pub(crate) host: String,
    #[command(flatten)]
    way: WayArgs,
}

/// How a host is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The host")]
pub(crate) struct WayArgs {
    /// All nodes of the cluster that the host is a node of
    #[arg(long)]
    pub(crate) cluster: bool,
    /// With --host local --cluster: whom the other nodes are asked as
    #[arg(long, env = "LIFEBOAT_NODE_USER", value_name = "USER")]
    pub(crate) node_user: Option<String>,
    /// Where this machine sees a drive or share of a remote host, such as C:\=/mnt/hv1-c; of one
    /// node of a cluster: HV1!C:\=/mnt/hv1-c
    #[arg(long, value_name = "PATH=FOLDER")]
    pub(crate) host_files: Vec<String>,
    /// Send the password itself, over winrms:// alone, to a host that takes nothing else
    #[arg(long)]
    pub(crate) host_basic: bool,
    /// Folder for what a run is about to make on a host, by which the next one cleans up after it
    #[arg(long, env = "LIFEBOAT_STATE", value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

/// A host that was opened.
pub(crate) enum OpenHost {
    /// A folder of VM files.
    Folder(FolderHost),
    /// Hyper-V, real or simulated.
    Wmi(Box<WmiHost>),
    /// All nodes of a cluster.
    Cluster(Box<ClusterHost>),
}

impl OpenHost {
    /// Returns the host as backup sees it.
    pub(crate) fn as_host(&self) -> &dyn HypervHost {
        match self {
            Self::Folder(host) => host,
            Self::Wmi(host) => &**host,
            Self::Cluster(host) => &**host,
        }
    }

    /// Returns the host as one that VMs are restored to.
    pub(crate) fn as_restore_host(&self) -> Result<&dyn RestoreHost, CliError> {
        self.as_host().as_restore_host().ok_or_else(|| {
            CliError::usage(format!("{} takes no VMs back", self.as_host().name())).hint(
                "name a Hyper-V host: local, winrm://USER@HOST, cluster:winrm://USER@NODE or \
                 sim:FOLDER; files alone come back with `lifeboat restore vm POINT --path FOLDER`",
            )
        })
    }
}

impl HostArgs {
    /// Opens the host.
    pub(crate) fn open(&self) -> Result<OpenHost, CliError> {
        self.way.open(&self.host)
    }
}

impl WayArgs {
    /// Returns the folder of this machine in which restores to a host remember what they have begun.
    /// Simulated hosts may have one name: each has a folder of its own.
    pub(crate) fn restore_folder(&self, host: &str) -> Result<PathBuf, CliError> {
        let through = host.strip_prefix("cluster:").unwrap_or(host);
        let simulated = through.strip_prefix("sim:").map(PathBuf::from);
        let folder = match (&self.state, &simulated) {
            (Some(folder), _) | (None, Some(folder)) if !folder.as_os_str().is_empty() => {
                folder.clone()
            }
            _ => state_folder().ok_or_else(no_state_folder)?,
        };
        Ok(folder.join("restores"))
    }

    /// Opens a host.
    pub(crate) fn open(&self, host: &str) -> Result<OpenHost, CliError> {
        let named = |kind: &str| host.strip_prefix(kind).filter(|rest| !rest.is_empty());
        if let Some(rest) = named("cluster:") {
            return self.open_cluster(rest);
        }
        if self.cluster {
            return self.open_cluster(host);
        }
        if let Some(folder) = named("dir:") {
            return Ok(OpenHost::Folder(FolderHost::open(Path::new(folder))?));
        }
        if let Some(folder) = named("sim:") {
            return simulated::open(Path::new(folder), self.state.as_deref());
        }
        if is_remote(host) {
            let remote = Remote::new(host, self.host_basic)?;
            let files = self.host_files()?;
            let host = remote.connect(None, files.of_host()?, self.options()?)?;
            return Ok(OpenHost::Wmi(Box::new(host)));
        }
        if host == "local" {
            return Ok(OpenHost::Wmi(Box::new(self.open_local()?)));
        }
        Err(unknown(host))
    }

    /// Opens all nodes of a cluster, through one of them.
    fn open_cluster(&self, through: &str) -> Result<OpenHost, CliError> {
        if let Some(folder) = through.strip_prefix("sim:") {
            let host = simulated::open_cluster(Path::new(folder), self.state.as_deref())?;
            return Ok(OpenHost::Cluster(Box::new(host)));
        }
        let options = self.options()?;
        let files = self.host_files()?;
        let (first, remote) = if is_remote(through) {
            let remote = Remote::new(through, self.host_basic)?;
            let bytes = files.of_node(&remote.host())?;
            (remote.connect(None, bytes, options.clone())?, Some(remote))
        } else if through == "local" {
            (self.open_local()?, self.remote_nodes()?)
        } else {
            return Err(unknown(through));
        };
        let connector = remote::connector(remote, files, options);
        Ok(OpenHost::Cluster(Box::new(ClusterHost::connect(
            first, connector,
        )?)))
    }

    /// Returns how the other nodes are reached from one of them, where a user is named.
    fn remote_nodes(&self) -> Result<Option<Remote>, CliError> {
        let user = self.node_user.as_deref();
        let remote = user.map(|user| {
            let user = remote::encoded_user(user);
            Remote::new(&format!("winrm://{user}@localhost"), self.host_basic)
        });
        remote.transpose()
    }

    #[cfg(windows)]
    fn open_local(&self) -> Result<WmiHost, CliError> {
        use std::sync::Arc;

        let session = wmi::com::ComSession::open().map_err(wmi_host::host_error)?;
        let bytes = self.host_files()?.of_this_machine()?;
        let clock = Arc::new(wmi::SystemClock);
        let host = WmiHost::connect(Arc::new(session), clock, Some(bytes), self.options()?)?;
        // What only goes through VSS says so where there is none.
        Ok(match vss::WindowsVss::load() {
            Ok(service) => host.with_vss(Arc::new(service)),
            Err(_) => host,
        })
    }

    #[cfg(not(windows))]
    #[expect(clippy::unused_self, reason = "it is used on Windows")]
    fn open_local(&self) -> Result<WmiHost, CliError> {
        let message = "this machine does not run Windows, so there is no Hyper-V on it";
        Err(
            CliError::new(ExitCode::HostUnreachable, "no-hyperv", message).hint(
                "reach a host with winrm://USER@HOST, or try a simulated one: `lifeboat sim new DIR`",
            ),
        )
    }

    fn host_files(&self) -> Result<HostFiles, CliError> {
        HostFiles::read(&self.host_files)
    }

    fn options(&self) -> Result<WmiHostOptions, CliError> {
        let journal = match &self.state {
            Some(folder) => folder.clone(),
            None => state_folder().ok_or_else(no_state_folder)?,
        };
        Ok(WmiHostOptions {
            journal: Some(journal),
            ..WmiHostOptions::default()
        })
    }
}

fn no_state_folder() -> CliError {
    CliError::usage("there is no folder for what a run makes on a host")
        .hint("name one with --state DIR")
}

fn is_remote(host: &str) -> bool {
    host.starts_with("winrm://") || host.starts_with("winrms://")
}

fn unknown(host: &str) -> CliError {
    CliError::usage(format!("{host:?} is no host that is known")).hint(
        "write local, winrm://USER@HOST, cluster:winrm://USER@NODE, dir:FOLDER for a folder with \
         VMs, or sim:FOLDER for a simulated host",
    )
}

/// Returns where this program keeps what it must remember of hosts.
pub(crate) fn state_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if cfg!(windows) {
        return variable("ProgramData").map(|folder| PathBuf::from(folder).join("Lifeboat"));
    }
    variable("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state")))
        .map(|folder| folder.join("lifeboat"))
}
