//! Restore points: what they say, how they are published, listed and found (section 10).

use jiff::Timestamp;
use object_store::StoreErrorKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain_view::Shared;
use crate::format::{SEALED_BYTES_MAX, SealedKind, open_sealed, random_bytes, seal, sealed_key_id};
use crate::hex;
use crate::keys::DomainId;
use crate::read::{MapReader, MapShape, RepositoryDisk};
use crate::stream::{Stream, StreamRole, StreamRoot};
use crate::{Repository, RepositoryError, RepositoryErrorKind};

/// One VM at one time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RestorePoint {
    /// Format of this object: [`RestorePoint::version_of`] what it holds.
    pub version: u32,
    /// 20 random hex digits.
    pub id: String,
    /// The VM.
    pub vm: PointVm,
    /// The host that it was taken from.
    pub host: String,
    /// When the run began to look at the VM: the time of the point.
    pub started: Timestamp,
    /// When all of it was durable.
    pub finished: Timestamp,
    /// Whether it was compared with an earlier point.
    pub kind: PointKind,
    /// A word for the way that it was taken, such as `recovery-checkpoint`.
    #[serde(default)]
    pub method: Option<String>,
    /// The level that was reached.
    pub consistency: Consistency,
    /// Why it is that level.
    pub consistency_reason: String,
    /// Id of the point that it was compared with.
    pub parent: Option<String>,
    /// Disks and files.
    pub streams: Vec<Stream>,
    /// Image files of a checkpoint tree, parents before their children. A point that has some has
    /// no disks among its streams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Stream>,
    /// What the images are to the VM and its checkpoints, in the words of section 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<Value>,
    /// What was done to hold the VM still, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<PointStage>,
    /// How long the guest did not run, in milliseconds, where it had to be saved or paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruption_ms: Option<u64>,
    /// Disks of the VM that are not in the point.
    #[serde(default)]
    pub left_out: Vec<LeftOutDisk>,
    /// The typed configuration as it was understood when the point was made.
    pub configuration: Option<Value>,
    /// What the host itself was set to when the run began: switches, folders and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_settings: Option<Value>,
    /// What the host's VSS writer needs to take the VM back, in the words of section 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<Value>,
    /// What went less well than it should.
    pub warnings: Vec<String>,
    /// Program and version that made the point.
    pub program: String,
}

/// The VM of a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointVm {
    /// Stays the same as long as it is the same VM.
    pub identity: String,
    /// The name that people gave it.
    pub name: String,
    /// 1 or 2, where known.
    pub generation: Option<u32>,
    /// Configuration version, such as `9.0`, where known.
    pub configuration_version: Option<String>,
}

/// A step that was taken to hold the VM still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointStage {
    /// A stable word, such as `volume-snapshot`.
    pub name: String,
    /// How long it took.
    pub milliseconds: u64,
}

/// A disk of the VM that is not in the point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutDisk {
    /// Where the disk is attached, in the configuration's own words.
    pub slot: Option<Value>,
    /// Its file or physical disk, as the host names it.
    pub path: String,
    /// Why it is not in the point: a word such as `pass-through`.
    pub reason: String,
}

/// Whether a point was compared with an earlier one. Every point restores alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PointKind {
    /// Everything was stored for the first time, or compared with nothing.
    Full,
    /// It was compared with an earlier point.
    Incremental,
}

/// What the guest's data can be relied on for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Applications in the guest took part.
    Application,
    /// The guest's file systems were flushed and frozen.
    FileSystem,
    /// As after a power cut.
    Crash,
}

/// What is read of a point before anything else.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// The newest version of points that this program knows.
const NEWEST: u32 = 2;

impl RestorePoint {
    /// Returns the version that a point must have: 2 where it holds a checkpoint tree, which the
    /// first programs do not know; else 1, which all know.
    pub fn version_of(images: &[Stream], checkpoints: Option<&Value>) -> u32 {
        if images.is_empty() && checkpoints.is_none() {
            1
        } else {
            NEWEST
        }
    }

    /// Returns everything that is stored for the point: disks, files and images.
    pub fn all_streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().chain(&self.images)
    }

    /// Returns the disks, in order.
    pub fn disks(&self) -> impl Iterator<Item = &Stream> {
        self.streams
            .iter()
            .filter(|stream| stream.role == StreamRole::Disk)
    }

    /// Returns the files, in order.
    pub fn files(&self) -> impl Iterator<Item = &Stream> {
        self.streams
            .iter()
            .filter(|stream| stream.role != StreamRole::Disk)
    }

    /// Makes an id for a new point.
    pub fn new_id() -> Result<String, RepositoryError> {
        Ok(hex::encode(&random_bytes::<10>()?))
    }
}

impl Repository {
    /// Writes a point. Everything that it needs must be durable.
    pub(crate) fn put_point(&self, point: &RestorePoint) -> Result<(), RepositoryError> {
        let object = self.shared.point_object(point);
        let domain = self.shared.domain();
        let body = serde_json::to_vec(point).map_err(|error| {
            let what = "the restore point cannot be written as JSON";
            RepositoryError::new(RepositoryErrorKind::Store, what).caused_by(error)
        })?;
        let sealed = seal(
            SealedKind::RestorePoint,
            domain.id,
            &domain.map_key,
            &object,
            &body,
        )?;
        Ok(self.shared.store.put_new(&object, &sealed)?)
    }

    /// Reads a point that was listed; `None` where it was removed since.
    pub(crate) fn read_point_if_there(
        &self,
        object: &str,
    ) -> Result<Option<RestorePoint>, RepositoryError> {
        match self.read_point(object) {
            Err(error) if error.kind() == RepositoryErrorKind::Damaged => {
                match self.shared.store.size_bytes(object) {
                    Err(gone) if gone.kind() == StoreErrorKind::NotFound => Ok(None),
                    _ => Err(error),
                }
            }
            point => point.map(Some),
        }
    }

    /// Reads a point of any domain.
    pub(crate) fn read_point(&self, object: &str) -> Result<RestorePoint, RepositoryError> {
        let bytes = self.shared.store.get(object, SEALED_BYTES_MAX as u64)?;
        Ok(self.open_point(object, &bytes)?.1)
    }

    /// Opens the bytes of a point, and says which domain it is of.
    pub(crate) fn open_point(
        &self,
        object: &str,
        bytes: &[u8],
    ) -> Result<(DomainId, RestorePoint), RepositoryError> {
        let kind = SealedKind::RestorePoint;
        let shared = self.shared.of_domain(sealed_key_id(object, bytes)?);
        let shared = shared.map_err(|error| error.in_object(object))?;
        let domain = shared.domain();
        let body = open_sealed(kind, domain.id, &domain.map_key, object, bytes)?;
        let unreadable = |error| {
            RepositoryError::damaged(object, "the restore point cannot be read").caused_by(error)
        };
        // A newer point may say things that cannot be parsed: it is newer, not damaged.
        let VersionOnly { version } = serde_json::from_slice(&body).map_err(unreadable)?;
        if !(1..=NEWEST).contains(&version) {
            let what = format!("a restore point of version {version}, newer than this program");
            return Err(
                RepositoryError::new(RepositoryErrorKind::Unsupported, what).in_object(object)
            );
        }
        let mut point: RestorePoint = serde_json::from_slice(&body).map_err(unreadable)?;
        if shared.point_object(&point) != object {
            let what = "the restore point says that it is another one's";
            return Err(RepositoryError::damaged(object, what));
        }
        let RestorePoint {
            streams, images, ..
        } = &mut point;
        for stream in streams.iter_mut().chain(images) {
            stream.set_domain(domain.id);
        }
        Ok((domain.id, point))
    }

    /// Reads the points of all domains, oldest first, and what could not be read. An error of kind
    /// `OtherDomain` is of a point that is none of ours: it is not damage.
    pub fn points(&self) -> Result<(Vec<RestorePoint>, Vec<RepositoryError>), RepositoryError> {
        self.points_below("points/")
    }

    /// Reads the points of one VM in this handle's domain, oldest first: those that new data can be
    /// compared with. Points that cannot be read are left out.
    pub fn points_of(&self, identity: &str) -> Result<Vec<RestorePoint>, RepositoryError> {
        let prefix = format!("points/{}/", self.shared.naming.group(identity));
        Ok(self.points_below(&prefix)?.0)
    }

    fn points_below(
        &self,
        prefix: &str,
    ) -> Result<(Vec<RestorePoint>, Vec<RepositoryError>), RepositoryError> {
        // What another host wrote meanwhile may lie under keys that are newer than this handle.
        self.shared.reload_keys()?;
        let mut objects = Vec::new();
        self.shared
            .store
            .list(prefix, &mut |object| objects.push(object.name))?;
        objects.sort_unstable();
        let (mut points, mut damaged) = (Vec::new(), Vec::new());
        for object in objects {
            match self.read_point(&object) {
                Ok(point) => points.push(point),
                Err(error) => damaged.push(error),
            }
        }
        points.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
        Ok((points, damaged))
    }

    /// Opens a stream of a point as a block device.
    pub fn open_stream(&self, stream: &Stream) -> Result<RepositoryDisk, RepositoryError> {
        let map = self.open_map(stream)?;
        Ok(RepositoryDisk::new(
            map,
            stream.sector_bytes,
            stream.physical_sector_bytes,
        ))
    }

    pub(crate) fn open_map(&self, stream: &Stream) -> Result<MapReader, RepositoryError> {
        let shape = MapShape::new(stream.size_bytes, self.chunk_bytes())?;
        let root = stream.root.as_ref().map(StreamRoot::to_map).transpose()?;
        let domain = stream.domain().unwrap_or(self.shared.domain().id);
        MapReader::new(self.shared.of_domain(domain)?, shape, root)
    }

    /// Removes a restore point and nothing that it needs.
    pub fn remove_point(&self, point: &RestorePoint) -> Result<(), RepositoryError> {
        self.shared.master("remove a restore point")?;
        // A point with nothing in it does not say whose it is; ids are random, so no other is met.
        let domains = match point.all_streams().find_map(Stream::domain) {
            Some(domain) => vec![self.shared.of_domain(domain)?],
            None => self.shared.all_domains()?,
        };
        for domain in domains {
            match domain.store.remove(&domain.point_object(point)) {
                Err(error) if error.kind() != StoreErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Shared {
    /// Returns the name of the object that a point of this domain has.
    pub(crate) fn point_object(&self, point: &RestorePoint) -> String {
        format!("{}{}", self.point_folder(&point.vm.identity), point.id)
    }

    /// Returns what the names of all points of a VM in this domain begin with.
    pub(crate) fn point_folder(&self, identity: &str) -> String {
        format!("points/{}/", self.naming.group(identity))
    }
}
