//! `lifeboat sim state` of a cluster.

use hyperv_sim::{ClusterEventKind, ClusterReport, NodeState};

use crate::ui::{Align, Table, Ui};

/// Shows a cluster: its nodes, its VMs, and its volumes.
pub(super) fn show(ui: &Ui, report: &ClusterReport) {
    let cluster = &report.cluster;
    let mixed = if cluster.is_mixed() { ", mixed" } else { "" };
    ui.data(format!(
        "{}, functional level {}{mixed}, {} nodes",
        cluster.name,
        cluster.functional_level,
        cluster.nodes.len()
    ));
    let mut nodes = Table::new(&[
        ("NODE", Align::Left),
        ("VERSION", Align::Left),
        ("STATE", Align::Left),
        ("VMS", Align::Right),
    ]);
    for (node, own) in cluster.nodes.iter().zip(&report.nodes) {
        let state = match (node.state, node.is_reachable) {
            (NodeState::Up, true) => "up",
            (NodeState::Up, false) => "out of reach",
            (NodeState::Down, _) => "down",
            (NodeState::Paused, _) => "paused",
        };
        nodes.row(vec![
            node.name.clone(),
            node.profile.to_string(),
            state.to_owned(),
            own.host.vms.len().to_string(),
        ]);
    }
    ui.table(&nodes);
    ui.data("");
    ui.table(&vms(report));
    ui.data("");
    for volume in &cluster.volumes {
        let backup = if volume.backups.is_empty() {
            ""
        } else {
            ", in backup"
        };
        ui.data(format!(
            "{}  coordinated by {}{backup}",
            volume.mount(),
            volume.coordinator
        ));
    }
    let is_surprise = |kind: &ClusterEventKind| matches!(kind, ClusterEventKind::Surprise { .. });
    let events = cluster.events.iter();
    let surprises = events.filter(|event| is_surprise(&event.kind)).count();
    ui.data(format!("surprises of the cluster: {surprises}"));
}

fn vms(report: &ClusterReport) -> Table {
    let mut table = Table::new(&[
        ("VM", Align::Left),
        ("NODE", Align::Left),
        ("POWER", Align::Left),
        ("ROLE", Align::Left),
        ("CHECKPOINTS", Align::Right),
        ("REFERENCE POINTS", Align::Right),
        ("DOING", Align::Left),
    ]);
    for node in &report.nodes {
        for vm in &node.host.vms {
            let role = report.cluster.roles.get(&vm.id);
            let role = role.map_or("none".to_owned(), |role| {
                format!("{:?}", role.state).to_lowercase()
            });
            table.row(vec![
                vm.name.clone(),
                node.name.clone(),
                format!("{:?}", vm.power).to_lowercase(),
                role,
                vm.snapshots.len().to_string(),
                vm.reference_points.len().to_string(),
                super::state::doing(vm),
            ]);
        }
    }
    table
}
