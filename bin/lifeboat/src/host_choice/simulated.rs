//! Hosts and clusters that do not exist.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyperv_host::{HostError, HostErrorKind};
use hyperv_sim::{SimClock, SimCluster, SimError, SimHost, SimPaths, SimSession, SimVss};
use wmi_host::{ClusterHost, WmiHost, WmiHostOptions};

use super::OpenHost;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;

/// Opens what is in a folder: a cluster or a host. A node's own folder is the node alone.
pub(super) fn open(folder: &Path, journal: Option<&Path>) -> Result<OpenHost, CliError> {
    if SimCluster::is_in(folder) {
        let host = open_cluster(folder, journal)?;
        return Ok(OpenHost::Cluster(Box::new(host)));
    }
    let host = connect_simulated(open_sim(folder)?, journal_of(folder, journal))?;
    Ok(OpenHost::Wmi(Box::new(host)))
}

/// Opens a cluster, through the first of its nodes that answers.
pub(crate) fn open_cluster(folder: &Path, journal: Option<&Path>) -> Result<ClusterHost, CliError> {
    let cluster = Arc::new(SimCluster::open(folder).map_err(unreachable)?);
    let journal = journal_of(folder, journal);
    let connect = {
        let cluster = Arc::clone(&cluster);
        move |node: &str| {
            let text = |error: SimError| {
                HostError::new(HostErrorKind::Unreachable, error.to_string()).hint(format!(
                    "let its WMI answer again: lifeboat sim node {} {node} reachable",
                    cluster.dir().display()
                ))
            };
            let host = cluster.node(node).map_err(text)?;
            connect_host(host, journal.clone()).map_err(text)?
        }
    };
    let names: Vec<String> = cluster.nodes().map(|(name, _)| name.to_owned()).collect();
    let mut first = None;
    for name in names {
        let through = connect(&name);
        let answer =
            through.and_then(|through| ClusterHost::connect(through, Box::new(connect.clone())));
        match answer {
            Ok(host) => return Ok(host),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let none = HostError::new(HostErrorKind::Unreachable, "the cluster has no nodes");
    Err(first.unwrap_or(none).into())
}

/// Two simulated hosts may have one name: each keeps its journal in its own folder.
fn journal_of(folder: &Path, journal: Option<&Path>) -> PathBuf {
    journal.map_or_else(|| folder.join("journal"), Path::to_owned)
}

/// Takes a simulated host as a host, in process.
pub(crate) fn connect_simulated(host: Arc<SimHost>, journal: PathBuf) -> Result<WmiHost, CliError> {
    Ok(connect_host(host, journal).map_err(unreachable)??)
}

fn connect_host(
    host: Arc<SimHost>,
    journal: PathBuf,
) -> Result<Result<WmiHost, HostError>, SimError> {
    let session = Arc::new(SimSession::new(Arc::clone(&host))?);
    let clock = Arc::new(SimClock::new(Arc::clone(&host)));
    let bytes = Arc::new(SimPaths::new(Arc::clone(&host)));
    let options = WmiHostOptions {
        journal: Some(journal),
        ..WmiHostOptions::default()
    };
    let connected = WmiHost::connect(session, clock, Some(bytes), options);
    Ok(connected.map(|connected| connected.with_vss(Arc::new(SimVss::new(host)))))
}

/// Opens a simulated host.
pub(crate) fn open_sim(folder: &Path) -> Result<Arc<SimHost>, CliError> {
    SimHost::open(folder).map(Arc::new).map_err(unreachable)
}

fn unreachable(error: SimError) -> CliError {
    CliError::new(ExitCode::HostUnreachable, "unreachable", error.to_string())
        .hint("make a simulated host with `lifeboat sim new DIR`")
}
