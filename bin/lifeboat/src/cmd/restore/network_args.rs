//! What a person asks of a restored VM's networks.

use clap::Args;
use vm_restore::{HostRestoreRequest, NetworkPolicy};

use crate::name_pair::read_pair;

/// What becomes of the network adapters.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Networks")]
pub(crate) struct NetworkArgs {
    /// Connect what was connected to switch A to B, a switch of the host or with --libvirt a network; may be given several times
    #[arg(long, value_name = "A=B", value_parser = read_pair)]
    pub(super) map_switch: Vec<(String, String)>,
    /// Connect no network adapter
    #[arg(long, conflicts_with = "map_switch")]
    pub(super) disconnect: bool,
    /// Let the host give each adapter a new MAC address
    #[arg(long)]
    pub(super) new_mac: bool,
}

impl NetworkArgs {
    /// Returns whether anything is asked.
    pub(super) fn is_asked(&self) -> bool {
        !self.map_switch.is_empty() || self.disconnect || self.new_mac
    }

    /// Writes what is asked into a request.
    pub(super) fn apply(&self, request: &mut HostRestoreRequest) {
        request.map_switch.clone_from(&self.map_switch);
        request.new_mac = self.new_mac;
        request.network = match self.disconnect {
            true => NetworkPolicy::Disconnected,
            false => NetworkPolicy::Kept,
        };
    }
}
