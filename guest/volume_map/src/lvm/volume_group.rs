//! A volume group, as its metadata describes it.

use std::collections::BTreeMap;

use super::metadata_text::{self, Node, Section};

const SECTOR_BYTES: u64 = 512;

/// A volume group.
#[derive(Debug, Clone)]
pub(crate) struct VolumeGroup {
    /// Its id, without hyphens.
    pub(crate) id: String,
    pub(crate) name: String,
    /// Counts its changes.
    pub(crate) seqno: u64,
    pub(super) extent_bytes: u64,
    /// Its physical volumes by the names that segments use (`pv0`).
    pub(super) physical: BTreeMap<String, Member>,
    /// Its logical volumes by name.
    pub(super) volumes: BTreeMap<String, LogicalVolume>,
}

/// A physical volume as the group knows it.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Its id, without hyphens.
    pub(super) id: String,
    /// Where its first extent begins, in bytes.
    pub(super) data_offset: u64,
    /// What the guest called it last (`/dev/sdb1`).
    pub(super) guest_name: String,
}

/// A logical volume.
#[derive(Debug, Clone)]
pub(super) struct LogicalVolume {
    pub(super) name: String,
    /// Whether it is one for people, not a part of another.
    pub(super) is_visible: bool,
    /// In order.
    pub(super) segments: Vec<Segment>,
}

/// A range of a logical volume that is made in one way.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) start_extent: u64,
    pub(super) extents: u64,
    pub(super) layout: Layout,
}

/// How a segment is made.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// Over areas: one, or several in turn.
    Striped { areas: Vec<Area>, chunk_bytes: u64 },
    /// The same on each leg: logical volumes.
    Mirrored(Vec<Leg>),
    /// Nothing but zeros.
    Zero,
    /// What LVM2 calls it.
    Other(String),
}

/// A place on a physical volume, or on a logical one.
#[derive(Debug, Clone)]
pub(super) struct Area {
    pub(super) on: String,
    pub(super) first_extent: u64,
}

/// A leg of a mirror: hidden logical volumes.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    /// Where its superblock is, if it has one.
    pub(super) metadata: Option<String>,
    pub(super) image: String,
}

impl VolumeGroup {
    /// Takes it from a text; `None` where the text is none, or no volume group.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let file = metadata_text::parse(text)?;
        let mut sections = file.iter();
        let (name, section) = sections.find_map(|(name, node)| {
            let section = node.section()?;
            section
                .contains_key("extent_size")
                .then_some((name, section))
        })?;
        let extent_bytes = number(section, "extent_size")?.checked_mul(SECTOR_BYTES)?;
        let of = |name: &str| section.get(name).and_then(Node::section);
        let members = of("physical_volumes")?.iter();
        let volumes = of("logical_volumes").into_iter().flatten();
        Some(Self {
            id: id(section)?,
            name: name.clone(),
            seqno: number(section, "seqno")?,
            extent_bytes,
            physical: members
                .filter_map(|(name, node)| Some((name.clone(), Member::of(node.section()?)?)))
                .collect(),
            volumes: volumes
                .filter_map(|(name, node)| {
                    Some((name.clone(), LogicalVolume::of(name, node.section()?)))
                })
                .collect(),
        })
    }
}

impl Member {
    fn of(section: &Section) -> Option<Self> {
        let guest_name = section.get("device").and_then(Node::text).unwrap_or("");
        Some(Self {
            id: id(section)?,
            data_offset: number(section, "pe_start")?.checked_mul(SECTOR_BYTES)?,
            guest_name: guest_name.to_owned(),
        })
    }
}

impl LogicalVolume {
    fn of(name: &str, section: &Section) -> Self {
        let status = section.get("status").and_then(Node::list).unwrap_or(&[]);
        let segments = section
            .iter()
            .filter(|(name, _)| name.starts_with("segment"));
        let mut segments: Vec<Segment> = segments
            .filter_map(|(_, node)| Segment::of(node.section()?))
            .collect();
        segments.sort_by_key(|segment| segment.start_extent);
        // What people call a snapshot is the hidden volume that holds its blocks.
        let blocks = section.values().filter_map(Node::section);
        let blocks = blocks.filter_map(|segment| segment.get("cow_store"));
        let name_for_people = blocks.filter_map(Node::text).next();
        Self {
            name: name_for_people.unwrap_or(name).to_owned(),
            is_visible: status.iter().any(|flag| flag.text() == Some("VISIBLE")),
            segments,
        }
    }
}

impl Segment {
    fn of(section: &Section) -> Option<Self> {
        let kind = section.get("type").and_then(Node::text)?;
        let list = |name: &str| section.get(name).and_then(Node::list).unwrap_or(&[]);
        let layout = match kind {
            "striped" | "linear" => Layout::Striped {
                areas: areas(list("stripes"))?,
                chunk_bytes: number(section, "stripe_size")
                    .unwrap_or(0)
                    .checked_mul(SECTOR_BYTES)?,
            },
            "raid1" => Layout::Mirrored(
                list("raids")
                    .chunks_exact(2)
                    .filter_map(|pair| {
                        Some(Leg {
                            metadata: pair.first()?.text().map(str::to_owned),
                            image: pair.get(1)?.text()?.to_owned(),
                        })
                    })
                    .collect(),
            ),
            "mirror" => Layout::Mirrored(
                areas(list("mirrors"))?
                    .into_iter()
                    .map(|area| Leg {
                        metadata: None,
                        image: area.on,
                    })
                    .collect(),
            ),
            "zero" => Layout::Zero,
            other => Layout::Other(other.to_owned()),
        };
        Some(Self {
            start_extent: number(section, "start_extent")?,
            extents: number(section, "extent_count")?,
            layout,
        })
    }
}

/// Takes pairs of a name and an extent.
fn areas(list: &[Node]) -> Option<Vec<Area>> {
    let pairs = list.chunks(2).map(|pair| {
        Some(Area {
            on: pair.first()?.text()?.to_owned(),
            first_extent: pair.get(1)?.number()?,
        })
    });
    pairs.collect()
}

fn number(section: &Section, name: &str) -> Option<u64> {
    section.get(name).and_then(Node::number)
}

/// Returns a section's id without its hyphens, as labels have it.
fn id(section: &Section) -> Option<String> {
    let id = section.get("id").and_then(Node::text)?;
    Some(id.replace('-', ""))
}
