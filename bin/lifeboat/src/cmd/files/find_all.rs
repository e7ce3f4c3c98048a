//! `lifeboat files find --all-points`: each file once, with its versions.
//!
//! A point whose disks are those of the point before is not opened, and a volume that did not change
//! since is not walked: what was found in it then is found in it now.

use std::collections::{BTreeMap, BTreeSet};

use block_io::ByteRanges;
use file_restore::{FileFilter, History, Reading, VolumeMatch, VolumePair, match_volumes};
use guest_files::{FileName, Node};
use guest_reader::VolumeFacts;
use repository::{Repository, RestorePoint};
use serde_json::json;
use vm_restore::disk_count;

use super::compared::{ComparedPoint, differences, outcome, tell_notes};
use super::find::{FindArgs, Looked, each_fitting, has_volume, is_asked, look_into};
use super::listing;
use super::versions::{quoted, version_record};
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
            names: BTreeMap::new(),
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

/// A volume over all points: the first point that has it, and its number there. Later it may have
/// another number and another name.
type VolumeKey = (usize, u32);

/// The names of a path: as people are shown it, two can look the same.
type Path = Vec<FileName>;

/// What was found in a volume.
#[derive(Clone)]
struct VolumeFound {
    key: VolumeKey,
    /// How the volume is called in this point.
    name: String,
    files: BTreeMap<Path, Node>,
}

/// A point, with what was found in it.
struct Seen {
    number: usize,
    open: ComparedPoint,
    /// Which volume is which, also of those that could not be looked into.
    keys: BTreeMap<u32, VolumeKey>,
    volumes: BTreeMap<u32, VolumeFound>,
}

struct VmSearch<'a> {
    ui: &'a Ui,
    repository: &'a Repository,
    args: &'a FindArgs,
    histories: BTreeMap<(VolumeKey, Path), History>,
    /// How a volume is called in each point.
    names: BTreeMap<(VolumeKey, usize), String>,
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
            let changed = match last {
                Some(last) => differences(self.repository, last, point, &self.args.guest)?,
                None => Some(Vec::new()),
            };
            // What is new depends on when the point was made: then each is looked at by itself. So is
            // one behind a point that could not be opened.
            let is_seen = before.as_ref().is_some_and(|seen| seen.goes_to(number));
            let is_alone = self.args.depends_on_time() || !is_seen;
            let changed = match changed {
                None if is_alone => Some(no_change(point)?),
                changed => changed,
            };
            let Some(changed) = changed else {
                if let Some(seen) = &mut before {
                    seen.number = number;
                    for volume in seen.volumes.values() {
                        self.go_on(number, volume);
                    }
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
            match opened {
                Ok(open) => before = Some(self.look(number, open, before.as_ref())?),
                Err(error) => self.trouble(format!("point {}: {error}", point.id)),
            }
        }
        if self.walked > 0 {
            self.ui
                .message(format!("{} walked", count(self.walked, "volume")));
        }
        Ok(())
    }

    fn go_on(&mut self, number: usize, volume: &VolumeFound) {
        self.names.insert((volume.key, number), volume.name.clone());
        for path in volume.files.keys() {
            if let Some(history) = self.histories.get_mut(&(volume.key, path.clone())) {
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
        if let Err(error) = has_volume(&open.open, &filter) {
            self.trouble(format!("point {}: {error}", open.point().id));
        }
        let matches = match before {
            Some(before) => match_volumes(before.open.guest().facts(), open.guest().facts()),
            None => Vec::new(),
        };
        let (mut keys, mut volumes) = (BTreeMap::new(), BTreeMap::new());
        for (volume, facts) in (0..).zip(&open.guest().facts().volumes) {
            let is_it = |it: &&VolumeMatch| it.new == Some(volume);
            let old = before.zip(matches.iter().find(is_it).and_then(|it| it.old));
            let key = old.and_then(|(before, old)| before.keys.get(&old).copied());
            let key = key.unwrap_or((number, volume));
            keys.insert(volume, key);
            if !is_asked(&open.open, &filter, volume, facts) {
                continue;
            }
            // The disks were compared with those of the point right before.
            let old = old.filter(|(before, _)| before.goes_to(number));
            let place = VolumePlace {
                number,
                volume,
                key,
            };
            if let Some(found) = self.look_at(&place, &open, facts, &filter, old) {
                volumes.insert(volume, found);
            }
        }
        Ok(Seen {
            number,
            open,
            keys,
            volumes,
        })
    }

    /// Looks through a volume; `old` is the same one in the point before.
    fn look_at(
        &mut self,
        place: &VolumePlace,
        open: &ComparedPoint,
        facts: &VolumeFacts,
        filter: &FileFilter,
        old: Option<(&Seen, u32)>,
    ) -> Option<VolumeFound> {
        let number = place.number;
        let changes = old.map(|(before, old)| open.changes_since(place.volume, &before.open, old));
        let found_before = old.and_then(|(before, old)| before.volumes.get(&old));
        let mut found = VolumeFound {
            key: place.key,
            name: facts.name.clone(),
            files: BTreeMap::new(),
        };
        if let (Some(changes), Some(before), false) =
            (&changes, found_before, self.args.depends_on_time())
            && changes.is_nothing()
        {
            found.files.clone_from(&before.files);
            self.go_on(number, &found);
            return Some(found);
        }
        let system = match look_into(self.ui, &open.open, place.volume, facts) {
            Looked::At(system) => system,
            Looked::AtNothing => return None,
            Looked::AtWhatIsHidden(why) => {
                self.trouble(why);
                return None;
            }
        };
        self.walked += 1;
        self.unreadable += each_fitting(self.ui, system, filter, &facts.name, &mut |path, node| {
            found.files.insert(path.to_vec(), node.clone());
        });
        self.names.insert((place.key, number), found.name.clone());
        let old_system = old.and_then(|(before, old)| before.open.guest().open(old).ok());
        let pair = old_system.zip(changes).map(|(old, changes)| VolumePair {
            old,
            new: system,
            changes,
        });
        for (path, node) in &found.files {
            let own_before = found_before.and_then(|before| before.files.get(path));
            let is_same = own_before
                .zip(pair.as_ref())
                .map(|(before, pair)| pair.is_same_version(before, node, Reading::WhatChanged));
            let is_same = match is_same {
                Some(Ok(is_same)) => is_same,
                Some(Err(error)) => {
                    let file = format!("/{}/{}", facts.name, listing::shown(path));
                    let point = &open.point().id;
                    self.trouble(format!(
                        "{file} of {point} cannot be compared with the point before: {error}"
                    ));
                    false
                }
                None => false,
            };
            self.histories
                .entry((place.key, path.clone()))
                .or_default()
                .has(number, node.clone(), is_same);
        }
        Some(found)
    }

    /// Shows each file with its versions, the newest first; returns how many versions there are.
    fn tell(&self, points: &[RestorePoint]) -> u64 {
        let mut versions = 0;
        let newest = points.last().map_or("", |point| point.vm.name.as_str());
        for ((volume, path), history) in &self.histories {
            let path = listing::shown(path);
            // A volume can be called otherwise in another point.
            let place = |point: usize| {
                let name = self.names.get(&(*volume, point));
                format!("/{}/{path}", name.map_or("?", String::as_str))
            };
            versions += history.versions().len() as u64;
            let last = history.versions().last().map_or(0, |version| version.last);
            self.ui.data(format!("{newest} {}", place(last)));
            for version in history.versions().iter().rev() {
                let (Some(first), Some(last)) =
                    (points.get(version.first), points.get(version.last))
                else {
                    continue;
                };
                let place = format!("{}:{}", last.id, place(version.last));
                let mut record = version_record(&place, version, first, last);
                if let Some(record) = record.as_object_mut() {
                    record.insert("vm".to_owned(), json!(last.vm.name));
                    record.insert("point".to_owned(), json!(last.id));
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

/// Which volume of which point is looked at.
struct VolumePlace {
    number: usize,
    volume: u32,
    key: VolumeKey,
}

impl Seen {
    /// Returns whether this is the point right before one.
    fn goes_to(&self, number: usize) -> bool {
        self.number.checked_add(1) == Some(number)
    }
}
