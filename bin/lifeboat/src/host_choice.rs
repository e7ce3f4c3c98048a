//! Which host a person means, and how it is reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use disk_image::{DriveMap, HostPaths};
use folder_host::FolderHost;
use hyperv_host::HypervHost;
use hyperv_sim::{SimClock, SimError, SimHost, SimSession};
use wmi::SystemClock;
use wmi::wsman::{WsmanAuthentication, WsmanOptions, WsmanSession};
use wmi_host::{WmiHost, WmiHostOptions};
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::password::read_secret_file;

/// The host, and how it is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The host")]
pub(crate) struct HostArgs {
    /// The host: local, winrm://USER@HOST, winrms://USER@HOST, dir:FOLDER or sim:FOLDER
    #[arg(long, env = "LIFEBOAT_HOST", value_name = "HOST")]
    pub(crate) host: String,
    /// Where this machine sees a drive or share of a remote host, such as C:\=/mnt/hv1-c
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
}

impl OpenHost {
    /// Returns the host as backup sees it.
    pub(crate) fn as_host(&self) -> &dyn HypervHost {
        match self {
            Self::Folder(host) => host,
            Self::Wmi(host) => &**host,
        }
    }
}

impl HostArgs {
    /// Opens the host.
    pub(crate) fn open(&self) -> Result<OpenHost, CliError> {
        let host = self.host.as_str();
        if let Some(folder) = host
            .strip_prefix("dir:")
            .filter(|folder| !folder.is_empty())
        {
            return Ok(OpenHost::Folder(FolderHost::open(Path::new(folder))?));
        }
        if let Some(folder) = host
            .strip_prefix("sim:")
            .filter(|folder| !folder.is_empty())
        {
            return self.open_simulated(Path::new(folder));
        }
        if host.starts_with("winrm://") || host.starts_with("winrms://") {
            return self.open_remote(host);
        }
        if host == "local" {
            return self.open_local();
        }
        Err(
            CliError::usage(format!("{host:?} is no host that is known")).hint(
                "write local, winrm://USER@HOST, dir:FOLDER for a folder with VMs, or sim:FOLDER \
                 for a simulated host",
            ),
        )
    }

    fn open_simulated(&self, folder: &Path) -> Result<OpenHost, CliError> {
        // Two simulated hosts may have one name: each keeps its journal in its own folder.
        let journal = self.state.clone().unwrap_or_else(|| folder.join("journal"));
        let host = connect_simulated(open_sim(folder)?, journal)?;
        Ok(OpenHost::Wmi(Box::new(host)))
    }

    fn open_remote(&self, url: &str) -> Result<OpenHost, CliError> {
        let Some(file) = std::env::var_os("LIFEBOAT_HOST_PASSWORD_FILE") else {
            return Err(CliError::usage("no password for the host is given")
                .hint("put it into a file and name that in LIFEBOAT_HOST_PASSWORD_FILE"));
        };
        let text = read_secret_file(Path::new(&file))?;
        let password = Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
        let mut options = WsmanOptions::new(url, password).map_err(|error| {
            CliError::usage(error.to_string()).hint("write winrm://USER@HOST or winrms://USER@HOST")
        })?;
        if self.host_basic {
            options.authentication = WsmanAuthentication::Basic;
        }
        options.certificate_file =
            std::env::var_os("LIFEBOAT_HOST_CERTIFICATE_FILE").map(PathBuf::from);
        let session = WsmanSession::connect(options).map_err(wmi_host::host_error)?;
        let bytes = self.host_files()?;
        let host = WmiHost::connect(
            Arc::new(session),
            Arc::new(SystemClock),
            bytes,
            self.options()?,
        )?;
        Ok(OpenHost::Wmi(Box::new(host)))
    }

    #[cfg(windows)]
    fn open_local(&self) -> Result<OpenHost, CliError> {
        let session = wmi::com::ComSession::open().map_err(wmi_host::host_error)?;
        // What the host calls C:\ is C:\ here.
        let bytes = match self.host_files()? {
            Some(bytes) => bytes,
            None => own_drives()?,
        };
        let host = WmiHost::connect(
            Arc::new(session),
            Arc::new(SystemClock),
            Some(bytes),
            self.options()?,
        )?;
        Ok(OpenHost::Wmi(Box::new(host)))
    }

    #[cfg(not(windows))]
    #[expect(clippy::unused_self, reason = "it is used on Windows")]
    fn open_local(&self) -> Result<OpenHost, CliError> {
        let message = "this machine does not run Windows, so there is no Hyper-V on it";
        Err(
            CliError::new(ExitCode::HostUnreachable, "no-hyperv", message).hint(
                "reach a host with winrm://USER@HOST, or try a simulated one: `lifeboat sim new DIR`",
            ),
        )
    }

    /// Returns where this machine sees the host's files, where that was said.
    fn host_files(&self) -> Result<Option<Arc<dyn HostPaths>>, CliError> {
        if self.host_files.is_empty() {
            return Ok(None);
        }
        let mut drives = Vec::new();
        for text in &self.host_files {
            let (prefix, folder) = text.split_once('=').ok_or_else(|| {
                CliError::usage(format!("{text:?} does not say where a drive is seen"))
                    .hint("write C:\\=/mnt/hv1-c")
            })?;
            drives.push((prefix.to_owned(), PathBuf::from(folder)));
        }
        Ok(Some(drive_map(&drives)?))
    }

    fn options(&self) -> Result<WmiHostOptions, CliError> {
        let journal = match &self.state {
            Some(folder) => folder.clone(),
            None => state_folder().ok_or_else(|| {
                CliError::usage("there is no folder for what a run makes on a host")
                    .hint("name one with --state DIR")
            })?,
        };
        Ok(WmiHostOptions {
            journal: Some(journal),
            ..WmiHostOptions::default()
        })
    }
}

/// Maps what a host calls its drives onto folders of this machine.
fn drive_map(drives: &[(String, PathBuf)]) -> Result<Arc<dyn HostPaths>, CliError> {
    let mut map = DriveMap::new();
    for (prefix, folder) in drives {
        map = map.with(prefix, folder)?;
    }
    Ok(Arc::new(map))
}

/// Maps every drive of this machine onto itself.
#[cfg(windows)]
fn own_drives() -> Result<Arc<dyn HostPaths>, CliError> {
    let drives = (b'A'..=b'Z').map(|letter| format!("{}:\\", char::from(letter)));
    let drives = drives.filter(|drive| Path::new(drive).is_dir());
    let drives: Vec<_> = drives
        .map(|drive| (drive.clone(), PathBuf::from(drive)))
        .collect();
    drive_map(&drives)
}

/// Takes a simulated host as a host, in process.
pub(crate) fn connect_simulated(host: Arc<SimHost>, journal: PathBuf) -> Result<WmiHost, CliError> {
    let bytes = drive_map(&host.drives().map_err(unreachable)?)?;
    let session = Arc::new(SimSession::new(Arc::clone(&host)).map_err(unreachable)?);
    let clock = Arc::new(SimClock::new(host));
    let options = WmiHostOptions {
        journal: Some(journal),
        ..WmiHostOptions::default()
    };
    Ok(WmiHost::connect(session, clock, Some(bytes), options)?)
}

/// Opens a simulated host.
pub(crate) fn open_sim(folder: &Path) -> Result<Arc<SimHost>, CliError> {
    SimHost::open(folder).map(Arc::new).map_err(unreachable)
}

fn unreachable(error: SimError) -> CliError {
    CliError::new(ExitCode::HostUnreachable, "unreachable", error.to_string())
        .hint("make a simulated host with `lifeboat sim new DIR`")
}

/// Returns where this program keeps what it must remember of hosts.
fn state_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if cfg!(windows) {
        return variable("ProgramData").map(|folder| PathBuf::from(folder).join("Lifeboat"));
    }
    variable("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state")))
        .map(|folder| folder.join("lifeboat"))
}
