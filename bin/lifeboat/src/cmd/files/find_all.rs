//! `lifeboat files find --all-points`: each file once, with its versions.
//!
//! A point whose disks are those of the point before is not opened, and a volume that did not change
//! since is not walked: what was found in it then is found in it now.

use std::collections::{BTreeMap, BTreeSet};

use block_io::ByteRanges;
use file_restore::{History, Reading, VolumeMatch, VolumePair, match_volumes};
use guest_files::Node;
use repository::{Repository, RestorePoint};
use serde_json::json;
use vm_restore::disk_count;

use super::compared::{ComparedPoint, differences, outcome, tell_notes};
use super::find::{FindArgs, Looked, each_fitting, is_asked, look_into};
use super::listing;
use super::versions::quoted;
use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::interrupt;
use crate::ui::{Ui, count, local_time, size};

/// Looks through all points of some VMs.
pub(super) fn search_all(
    ui: &Ui,
    repository: &Repository,
    vms: &[Vec<RestorePoint>],
    args: &FindArgs,
) -> Result<ExitCode, CliError> {
    let (mut found, mut versions, mut unreadable, mut looked) = (0_u64, 0_u64, 0_u64, 0_u64);
    for points in vms {
        let mut search = VmSearch {
            ui,
            repository,
            args,
            histories: BTreeMap::new(),
            said: BTreeSet::new(),
            unreadable: 0,
            walked: 0,
        };
        search.all(points)?;
        found += search.histories.len() as u64;
        unreadable += search.unreadable;
        looked += points.len() as u64;
        versions += search.tell(points);
        if interrupt::asked() {
            break;
        }
    }
    ui.message(format!(
        "{} in {}, in {}",
        count(found, "file"),
        count(versions, "version"),
        count(looked, "point")
    ));
    let (outcome, code) = outcome(unreadable);
    let fields =
        json!({ "found": found, "versions": versions, "points": looked, "unreadable": unreadable });
    ui.summary(outcome, code, fields);
    Ok(code)
}

/// Says of all disks of a point that nothing changed.
fn no_change(point: &RestorePoint) -> Result<Vec<Option<ByteRanges>>, CliError> {
    Ok(vec![Some(ByteRanges::new()); disk_count(point)?])
}

/// What was found in a volume: by path.
#[derive(Clone, Default)]
struct VolumeFound {
    /// How the volume was called first.
    name: String,
    files: BTreeMap<String, Node>,
}

/// A point, with what was found in it.
struct Seen {
    open: ComparedPoint,
    volumes: BTreeMap<u32, VolumeFound>,
}

struct VmSearch<'a> {
    ui: &'a Ui,
    repository: &'a Repository,
    args: &'a FindArgs,
    /// By volume and path.
    histories: BTreeMap<(String, String), History>,
    /// What was said already of another point.
    said: BTreeSet<String>,
    unreadable: u64,
    walked: u64,
}

impl VmSearch<'_> {
    fn all(&mut self, points: &[RestorePoint]) -> Result<(), CliError> {
        let mut before: Option<Seen> = None;
        for (number, point) in points.iter().enumerate() {
            if interrupt::asked() {
                break;
            }
            let last = number.checked_sub(1).and_then(|at| points.get(at));
            // What is new depends on when the point was made: then each is looked at by itself.
            let changed = match last {
                Some(last) => differences(self.repository, last, point, &self.args.guest)?,
                None => Some(Vec::new()),
            };
            let is_new = self.args.depends_on_time();
            let changed = match changed {
                None if is_new => Some(no_change(point)?),
                changed => changed,
            };
            let Some(changed) = changed else {
                for volume in before.iter().flat_map(|seen| seen.volumes.values()) {
                    self.go_on(number, volume);
                }
                continue;
            };
            self.ui
                .message(format!("looking in {} {}", point.vm.name, point.id));
            let opened = ComparedPoint::open(
                self.ui,
                self.repository,
                point.clone(),
                &changed,
                &self.args.guest,
            );
            before = match opened {
                Ok(open) => Some(self.look(number, open, before.as_ref())?),
                Err(error) => {
                    self.trouble(format!("point {}: {error}", point.id));
                    None
                }
            };
        }
        if self.walked > 0 {
            self.ui
                .message(format!("{} walked", count(self.walked, "volume")));
        }
        Ok(())
    }

    fn go_on(&mut self, number: usize, volume: &VolumeFound) {
        for path in volume.files.keys() {
            let key = (volume.name.clone(), path.clone());
            if let Some(history) = self.histories.get_mut(&key) {
                history.goes_on(number);
            }
        }
    }

    fn trouble(&mut self, what: String) {
        if self.said.insert(what.clone()) {
            self.unreadable += 1;
            self.ui.warning(&what);
        }
    }

    /// Looks through the volumes of a point that changed.
    fn look(
        &mut self,
        number: usize,
        open: ComparedPoint,
        before: Option<&Seen>,
    ) -> Result<Seen, CliError> {
        if number == 0 {
            tell_notes(self.ui, open.guest());
        }
        let filter = self.args.filter(open.point())?;
        let matches = match before {
            Some(before) => match_volumes(before.open.guest().facts(), open.guest().facts()),
            None => Vec::new(),
        };
        let mut volumes = BTreeMap::new();
        for (volume, facts) in (0..).zip(&open.guest().facts().volumes) {
            if !is_asked(&open.open, &filter, volume) {
                continue;
            }
            let is_it = |it: &&VolumeMatch| it.new == Some(volume);
            let old = before.zip(matches.iter().find(is_it).and_then(|it| it.old));
            let changes = old.map(|(before, old)| open.changes_since(volume, &before.open, old));
            let found_before = old.and_then(|(before, old)| before.volumes.get(&old));
            if let (Some(changes), Some(found), false) =
                (&changes, found_before, self.args.depends_on_time())
                && changes.is_nothing()
            {
                self.go_on(number, found);
                volumes.insert(volume, found.clone());
                continue;
            }
            let system = match look_into(self.ui, &open.open, volume, facts) {
                Looked::At(system) => system,
                Looked::AtNothing => continue,
                Looked::AtWhatIsHidden(why) => {
                    self.trouble(why);
                    continue;
                }
            };
            self.walked += 1;
            let mut found = VolumeFound {
                name: found_before
                    .map_or(&facts.name, |before| &before.name)
                    .clone(),
                files: BTreeMap::new(),
            };
            self.unreadable +=
                each_fitting(self.ui, system, &filter, &facts.name, &mut |path, node| {
                    found.files.insert(path, node.clone());
                });
            let old_system = old.and_then(|(before, old)| before.open.guest().open(old).ok());
            let pair = old_system.zip(changes).map(|(old, changes)| VolumePair {
                old,
                new: system,
                changes,
            });
            for (path, node) in &found.files {
                let own_before = found_before.and_then(|before| before.files.get(path));
                let is_same = own_before.zip(pair.as_ref()).is_some_and(|(before, pair)| {
                    pair.is_same_version(before, node, Reading::WhatChanged)
                        .unwrap_or(false)
                });
                let key = (found.name.clone(), path.clone());
                self.histories
                    .entry(key)
                    .or_default()
                    .has(number, node.clone(), is_same);
            }
            volumes.insert(volume, found);
        }
        Ok(Seen { open, volumes })
    }

    /// Shows each file with its versions, the newest first; returns how many versions there are.
    fn tell(&self, points: &[RestorePoint]) -> u64 {
        let mut versions = 0;
        for ((volume, path), history) in &self.histories {
            versions += history.versions().len() as u64;
            let newest = points.first().map_or("", |point| point.vm.name.as_str());
            self.ui.data(format!("{newest} /{volume}/{path}"));
            for version in history.versions().iter().rev() {
                let (Some(first), Some(last)) =
                    (points.get(version.first), points.get(version.last))
                else {
                    continue;
                };
                let place = format!("{}:/{volume}/{path}", last.id);
                let mut record = listing::record(&place, &version.node);
                if let Some(record) = record.as_object_mut() {
                    record.insert("vm".to_owned(), json!(last.vm.name));
                    record.insert("point".to_owned(), json!(last.id));
                    record.insert("points".to_owned(), json!(version.points()));
                    record.insert(
                        "first".to_owned(),
                        json!({ "point": first.id, "time": first.started }),
                    );
                    record.insert(
                        "last".to_owned(),
                        json!({ "point": last.id, "time": last.started }),
                    );
                }
                self.ui.record("file", record);
                self.ui.data(format!(
                    "    {:>10}  {} to {}, {}  {}",
                    size(version.node.size_bytes),
                    local_time(first.started),
                    local_time(last.started),
                    count(version.points() as u64, "point"),
                    quoted(&place)
                ));
            }
        }
        versions
    }
}
