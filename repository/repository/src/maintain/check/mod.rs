//! Checks a whole repository.
//!
//! | What | Structure | With data |
//! |---|---|---|
//! | restore points | opened | opened |
//! | index objects | every byte | every byte, and that the packs hold what they say |
//! | packs that an index lists | there, and exactly as long as what is in them | every byte |
//! | packs that none lists | trailer | every byte |
//! | disk maps | each node once; each thing it points to is where an index or trailer says | the same |
//!
//! A frame of which none of this says that it is there is read and decoded by itself, so that what
//! is called lost is lost, and nothing else.

mod damage;
mod depth;
mod frame_filter;
mod in_parallel;
mod index_survey;
mod keyless;
mod lost_chunks;
mod map_walk;
mod node_sweep;
mod pack_read;
mod pack_survey;
mod report;
mod small_objects;

use std::collections::BTreeMap;

pub use damage::{Damage, LostRange, LostStream};
pub use depth::CheckDepth;
pub use keyless::{BytesReport, check_bytes};
pub use report::CheckReport;

use crate::maintain::VerifyObserver;
pub(crate) use damage::is_damage;
pub(crate) use in_parallel::in_parallel;
pub(crate) use index_survey::IndexSurvey;
pub(crate) use map_walk::TriedFrame;
pub(crate) use pack_read::name_of_node;
pub(crate) use pack_survey::{PackState, PackSurvey};
pub(crate) use report::Findings;

use crate::keys::DomainId;
use crate::maintain::check::map_walk::MapWalk;
use crate::maintain::check::node_sweep::NodeRef;
use crate::read::MapShape;
use crate::stream::{Stream, StreamRoot};
use crate::{Repository, RepositoryError, RepositoryErrorKind, RestorePoint};

/// A stream that has a map, and where that begins.
struct Walked<'a> {
    point: &'a RestorePoint,
    stream: &'a Stream,
    root: NodeRef,
}

impl Repository {
    /// Checks that every index and restore point authenticates and that every point finds all it
    /// needs; and reads as much of the packs as `depth` says.
    ///
    /// Damage is in the report, and what restore points have lost by it. An error means that the
    /// check itself could not be done. The observer hears of the bytes of packs that were read.
    pub fn check(
        &self,
        depth: impl Into<CheckDepth>,
        observer: &dyn VerifyObserver,
    ) -> Result<CheckReport, RepositoryError> {
        self.shared.master("check the repository")?;
        let findings = Findings::default();
        // Before the packs: a point that is published meanwhile needs packs that are not listed.
        let (points, unreadable) = self.points()?;
        for error in &unreadable {
            findings.add(error)?;
        }
        let depth = depth.into();
        let packs = PackSurvey::read(&self.shared, depth, &findings, observer)?;
        self.walk_points(&points, &packs, &findings, observer, &|_, _| {})?;
        self.check_small_objects(&findings, observer)?;
        Ok(findings.into_report())
    }

    /// Returns how many bytes of packs a check of this depth reads.
    pub fn check_bytes_to_read(&self, depth: CheckDepth) -> Result<u64, RepositoryError> {
        let mut bytes = 0;
        self.shared.store.list("packs/", &mut |object| {
            let pack = crate::format::PackId::from_object_name(&object.name);
            if pack.is_some_and(|pack| depth.reads(pack)) {
                bytes += object.size_bytes;
            }
        })?;
        Ok(bytes)
    }

    /// Walks the maps of points, domain by domain, and reports what is lost.
    pub(crate) fn walk_points(
        &self,
        points: &[RestorePoint],
        packs: &PackSurvey,
        findings: &Findings,
        observer: &dyn VerifyObserver,
        on_tried: &(dyn Fn(DomainId, TriedFrame) + Sync),
    ) -> Result<(), RepositoryError> {
        let mut domains: BTreeMap<_, Vec<Walked<'_>>> = BTreeMap::new();
        for point in points {
            for stream in point.all_streams() {
                match self.root_of(stream) {
                    Ok(None) => {}
                    Ok(Some(root)) => {
                        let domain = stream.domain().unwrap_or(self.shared.domain().id);
                        domains.entry(domain).or_default().push(Walked {
                            point,
                            stream,
                            root,
                        });
                    }
                    Err(error) if is_damage(&error) => {
                        let all = 0..stream.size_bytes;
                        let damage = Damage::of_stream(point, stream, all, &error);
                        findings.lock().damage.push(damage);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        for (domain, streams) in domains {
            let shared = self.shared.of_domain(domain)?;
            let on_tried = |frame| on_tried(domain, frame);
            let mut walk = MapWalk::new(shared, packs, findings, observer, &on_tried);
            let roots: Vec<NodeRef> = streams.iter().map(|walked| walked.root).collect();
            walk.run(&roots)?;
            for walked in streams {
                let lost = walk.lost_below(&walked.root)?;
                if !lost.is_empty() {
                    let chunk_bytes = u64::from(self.chunk_bytes());
                    let size_bytes = walked.stream.size_bytes;
                    let (ranges, more_ranges, lost_bytes) = lost.to_bytes(chunk_bytes, size_bytes);
                    findings.lock().lost.push(LostStream {
                        vm: walked.point.vm.name.clone(),
                        point: walked.point.id.clone(),
                        started: walked.point.started,
                        stream: walked.stream.name.clone(),
                        size_bytes,
                        lost_bytes,
                        ranges,
                        more_ranges,
                        text: lost.cause.as_deref().unwrap_or_default().to_owned(),
                    });
                }
            }
        }
        let mut report = findings.lock();
        report.points = points.len() as u64;
        report
            .lost
            .sort_by(|a, b| (a.started, &a.point).cmp(&(b.started, &b.point)));
        Ok(())
    }

    /// Returns where a stream's map begins; `None` for an empty stream.
    fn root_of(&self, stream: &Stream) -> Result<Option<NodeRef>, RepositoryError> {
        let shape = MapShape::new(stream.size_bytes, self.chunk_bytes())?;
        let root = stream.root.as_ref().map(StreamRoot::to_map).transpose()?;
        match root {
            None if shape.size_bytes == 0 => Ok(None),
            Some(root) if root.level == shape.root_level() && shape.size_bytes > 0 => {
                Ok(Some(NodeRef {
                    name: root.name,
                    locator: root.locator,
                    level: root.level,
                    chunks: shape.chunks(),
                }))
            }
            _ => {
                let what = "the disk map's root does not fit the size of the stream";
                Err(RepositoryError::new(RepositoryErrorKind::Damaged, what))
            }
        }
    }
}
