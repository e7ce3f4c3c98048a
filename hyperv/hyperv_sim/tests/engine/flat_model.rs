//! Random lives of a VM against flat copies of its disks.

use std::collections::{BTreeMap, BTreeSet};

use hyperv_sim::{DiskKind, DiskSpec, SimErrorKind, SimHost, Vm, VmSpec};
use proptest::prelude::*;
use uuid::Uuid;

use crate::fixture::{Fixture, bytes_of};

const SIZE: u64 = (3 << 20) + 512;
const BLOCK: u64 = 32 << 10;

#[derive(Debug, Clone)]
enum Step {
    Write {
        disk: usize,
        offset: u64,
        len: u64,
        fill: u8,
    },
    Recovery,
    Person,
    Convert(prop::sample::Index),
    Delete(prop::sample::Index),
    Apply(prop::sample::Index),
    DeletePoint(prop::sample::Index),
    Settle,
    Crash,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let write = (0_usize..2, 0..SIZE, 1_u64..200_000, any::<u8>());
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => write.prop_map(|(disk, offset, len, fill)| Step::Write {
            disk,
            offset,
            len: len.min(SIZE - offset),
            fill,
        }),
        4 => Just(Step::Recovery),
        2 => Just(Step::Person),
        3 => index().prop_map(Step::Convert),
        2 => index().prop_map(Step::Delete),
        1 => index().prop_map(Step::Apply),
        1 => index().prop_map(Step::DeletePoint),
        3 => Just(Step::Settle),
        1 => Just(Step::Crash),
        1 => Just(Step::Reopen),
    ]
}

/// A moment that changes are counted from.
#[derive(Clone, Default)]
struct Moment {
    id: String,
    /// Blocks written since, to the first disk.
    written: BTreeSet<u64>,
    exact: bool,
    alive: bool,
}

struct Frozen {
    content: [Vec<u8>; 2],
    /// What was written from each moment to this checkpoint.
    seen: BTreeMap<String, Moment>,
    moment: Option<String>,
}

struct Model {
    fixture: Fixture,
    reopened: Option<SimHost>,
    vm: Uuid,
    current: [Vec<u8>; 2],
    snapshots: BTreeMap<Uuid, Frozen>,
    /// Moments that a checkpoint or a reference point holds, by id.
    moments: BTreeMap<String, Moment>,
    points: BTreeMap<Uuid, String>,
}

impl Model {
    fn new() -> Self {
        let fixture = Fixture::new();
        let spec = VmSpec::new("model")
            .with_disk(DiskSpec::empty(SIZE))
            .with_disk(DiskSpec::empty(SIZE).of_kind(DiskKind::Vhd));
        let vm = fixture.host.add_vm(&spec).unwrap();
        let empty = vec![0; usize::try_from(SIZE).unwrap()];
        Self {
            fixture,
            reopened: None,
            vm,
            current: [empty.clone(), empty],
            snapshots: BTreeMap::new(),
            moments: BTreeMap::new(),
            points: BTreeMap::new(),
        }
    }

    fn host(&self) -> &SimHost {
        self.reopened.as_ref().unwrap_or(&self.fixture.host)
    }

    fn facts(&self) -> Vm {
        self.host().vm(self.vm).unwrap()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Write {
                disk,
                offset,
                len,
                fill,
            } => self.write(*disk, *offset, *len, *fill),
            Step::Recovery => self.snapshot(true),
            Step::Person => self.snapshot(false),
            Step::Convert(index) => self.convert(index),
            Step::Delete(index) => self.delete(index),
            Step::Apply(index) => self.apply(index),
            Step::DeletePoint(index) => self.delete_point(index),
            Step::Settle => self.host().settle().unwrap(),
            Step::Crash => self.crash(),
            Step::Reopen => {
                self.reopened = Some(SimHost::open(&self.fixture.dir()).unwrap());
            }
        }
    }

    fn write(&mut self, disk: usize, offset: u64, len: u64, fill: u8) {
        let range = usize::try_from(offset).unwrap()..usize::try_from(offset + len).unwrap();
        let data = vec![fill; range.len()];
        self.host().write(self.vm, disk, offset, &data).unwrap();
        self.current[disk][range].fill(fill);
        if disk == 0 {
            for moment in self.moments.values_mut() {
                moment
                    .written
                    .extend(offset / BLOCK..(offset + len).div_ceil(BLOCK));
            }
        }
    }

    fn snapshot(&mut self, recovery: bool) {
        self.host().settle().unwrap();
        let id = if recovery {
            self.host().plant_foreign_checkpoint(self.vm, "r").unwrap()
        } else {
            self.host().checkpoint(self.vm, "p").unwrap()
        };
        let facts = self.facts();
        let moment = facts.snapshot(id).unwrap().disks[0].tracking_id.clone();
        let seen = self.moments.clone();
        if let Some(id) = &moment {
            let new = Moment {
                id: id.clone(),
                exact: true,
                alive: true,
                ..Moment::default()
            };
            self.moments.insert(id.clone(), new);
        }
        let content = self.current.clone();
        self.snapshots.insert(
            id,
            Frozen {
                content,
                seen,
                moment,
            },
        );
    }

    fn pick(&self, index: &prop::sample::Index, recovery_only: bool) -> Option<Uuid> {
        let facts = self.facts();
        let fits = |id: &&Uuid| {
            let kind = facts.snapshot(**id).unwrap().kind;
            !recovery_only || kind == hyperv_sim::SnapshotKind::Recovery
        };
        let fitting: Vec<Uuid> = self.snapshots.keys().filter(fits).copied().collect();
        (!fitting.is_empty()).then(|| *index.get(&fitting))
    }

    fn convert(&mut self, index: &prop::sample::Index) {
        if let Some(id) = self.pick(index, true) {
            let point = self.host().convert_checkpoint(id).unwrap();
            let frozen = self.snapshots.remove(&id).unwrap();
            self.points.insert(point, frozen.moment.unwrap());
        }
    }

    fn delete(&mut self, index: &prop::sample::Index) {
        if let Some(id) = self.pick(index, false) {
            self.host().delete_checkpoint(id).unwrap();
            let frozen = self.snapshots.remove(&id).unwrap();
            if let Some(id) = frozen.moment {
                self.moments.remove(&id);
            }
        }
    }

    fn delete_point(&mut self, index: &prop::sample::Index) {
        let ids: Vec<Uuid> = self.points.keys().copied().collect();
        if !ids.is_empty() {
            let id = *index.get(&ids);
            self.host().delete_reference_point(id).unwrap();
            self.moments.remove(&self.points.remove(&id).unwrap());
        }
    }

    fn apply(&mut self, index: &prop::sample::Index) {
        if let Some(id) = self.pick(index, false) {
            self.host().settle().unwrap();
            self.host().apply_checkpoint(id).unwrap();
            self.host().start(self.vm).unwrap();
            self.current = self.snapshots[&id].content.clone();
            let held = self.moments.values_mut();
            held.for_each(|moment| moment.alive = false);
        }
    }

    fn crash(&mut self) {
        self.host().crash_host(false).unwrap();
        self.host().start(self.vm).unwrap();
        let held = self.moments.values_mut();
        held.for_each(|moment| moment.exact = false);
    }

    fn check(&self) {
        let facts = self.facts();
        for disk in 0..2 {
            let image = self.host().open_disk(self.vm, disk).unwrap();
            assert!(
                bytes_of(&image) == self.current[disk],
                "running disk {disk}"
            );
        }
        for (id, frozen) in &self.snapshots {
            let snapshot = facts.snapshot(*id).unwrap();
            for (disk, content) in snapshot.disks.iter().zip(&frozen.content) {
                let image = self.host().open_image(&disk.path).unwrap();
                assert!(bytes_of(&image) == *content, "frozen {}", disk.path);
            }
            if frozen.moment.is_some() {
                for moment in frozen.seen.values() {
                    if let Some(now) = self.moments.get(&moment.id) {
                        let moment = Moment {
                            exact: now.exact,
                            alive: now.alive,
                            ..moment.clone()
                        };
                        self.check_changes(&snapshot.disks[0].path, &moment);
                    }
                }
            }
        }
        for moment in self.moments.values() {
            self.check_changes(&facts.disks[0].path, moment);
        }
    }

    fn check_changes(&self, path: &str, moment: &Moment) {
        let answer = self.host().changes(path, &moment.id, 0, SIZE);
        if !moment.alive {
            assert_eq!(answer.unwrap_err().kind(), SimErrorKind::Tracking);
            return;
        }
        let ranges = answer.unwrap().ranges;
        let said: BTreeSet<u64> = ranges
            .iter()
            .flat_map(|range| range.start / BLOCK..range.end.div_ceil(BLOCK))
            .collect();
        if moment.exact {
            assert_eq!(said, moment.written);
        } else {
            assert!(said.is_superset(&moment.written));
        }
    }

    /// At the end, with all checkpoints gone, each disk is one whole file.
    fn end(mut self) {
        while let Some(id) = self.snapshots.keys().next().copied() {
            self.host().delete_checkpoint(id).unwrap();
            self.snapshots.remove(&id);
        }
        self.moments.clear();
        self.host().settle().unwrap();
        self.check();
        let facts = self.facts();
        assert_eq!(facts.files.len(), 2, "{:?}", facts.files);
        for disk in &facts.disks {
            let path = self.fixture.local(&disk.path);
            let options = disk_image::OpenOptions::default();
            let report = disk_image::check(&path, &options).unwrap();
            assert!(
                report.worst() < Some(disk_image::Severity::Warning),
                "{report:?}"
            );
            check_with_qemu(&path);
        }
    }
}

fn check_with_qemu(path: &std::path::Path) {
    if path.extension().unwrap() != "vhdx" {
        return;
    }
    let arguments = ["check".as_ref(), path.as_os_str()];
    let _ = disk_model::independent_tools::run("qemu-img", &arguments);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn disks_hold_what_guests_wrote_and_tracking_tells_all(
        steps in prop::collection::vec(step(), 1..18),
    ) {
        let mut model = Model::new();
        for step in &steps {
            model.run(step);
            model.check();
        }
        model.end();
    }
}
