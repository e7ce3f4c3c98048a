//! The folders of VMs and points.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::place::Place;
use crate::view::{Vm, entry, newest};
use crate::{ViewEntry, ViewPoint, folder_names};

/// Makes the folders of points, which have their numbers with them.
pub(crate) fn point_folders(points: &[(u32, &ViewPoint)], with_vm: bool) -> Vec<ViewEntry> {
    let zone = TimeZone::system();
    let names = points
        .iter()
        .map(|(_, point)| folder_names::of_point(point, &zone, with_vm));
    let names = folder_names::unique(names).into_iter();
    let named = names.zip(points);
    named
        .filter_map(|(name, (number, _))| entry(&name, Place::Point(*number)))
        .collect()
}

/// Makes the folders of VMs, by name, with those of their points.
pub(crate) fn vm_folders(points: &[ViewPoint]) -> (Vec<ViewEntry>, Vec<Vm>) {
    let mut by_vm = BTreeMap::<&str, Vec<(u32, &ViewPoint)>>::new();
    for (number, point) in (0..).zip(points) {
        let own = by_vm.entry(&point.vm_identity).or_default();
        own.push((number, point));
    }
    // A VM is called what its newest point calls it.
    let name = |points: &[(u32, &ViewPoint)]| {
        let newest = points.last().map(|(_, point)| point.vm_name.clone());
        newest.unwrap_or_default()
    };
    let mut named: Vec<_> = by_vm
        .into_iter()
        .map(|(identity, points)| (name(&points), identity, points))
        .collect();
    named.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let names: Vec<(&str, &str)> = named
        .iter()
        .map(|(name, identity, _)| (name.as_str(), *identity))
        .collect();
    let folders = folder_names::of_vms(&names);
    let top = (0..).zip(&folders);
    let top = top.filter_map(|(number, name)| entry(name, Place::Vm(number)));
    let vms = named.iter().map(|(_, _, points)| Vm {
        points: point_folders(points, false),
        newest: newest(points.iter().map(|(_, point)| *point)),
    });
    (top.collect(), vms.collect())
}
