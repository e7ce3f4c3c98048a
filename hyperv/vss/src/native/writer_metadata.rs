//! What writers tell of themselves.

use windows_core::BSTR;

use super::bindings::{
    IVssExamineWriterMetadata, IVssWMComponent, IVssWMFiledesc, VSS_COMPONENTINFO,
};
use super::foreign_text::{check, failure, guid, of_bstr, uuid};
use super::requester::Requester;
use crate::{
    Component, ComponentId, ComponentKind, FileSet, VssError, VssErrorKind, VssStep, Writer,
};

const STEP: VssStep = VssStep::Writers;

/// The most writers, components of a writer, and file sets of a component that are read.
const COUNT_MAX: u32 = 65_536;

impl Requester {
    /// `GatherWriterMetadata`, and all that it gathers.
    pub(super) fn writers(&self) -> Result<Vec<Writer>, VssError> {
        if !self.has_writers() {
            return Ok(Vec::new());
        }
        let vss = &self.components;
        // SAFETY: a plain call.
        let begun = unsafe { vss.GatherWriterMetadata() };
        self.waiting().end_of(begun, STEP, "GatherWriterMetadata")?;
        // SAFETY: a plain call.
        let count = unsafe { vss.GetWriterMetadataCount() }
            .map_err(|error| failure(&error, STEP, "GetWriterMetadataCount"))?;
        let writers = (0..bounded(count, "writers")?)
            .map(|at| self.writer(at))
            .collect();
        // SAFETY: a plain call; nothing is read after it. It frees a cache.
        let _ = unsafe { vss.FreeWriterMetadata() };
        writers
    }

    fn writer(&self, at: u32) -> Result<Writer, VssError> {
        let (mut instance, mut metadata) = (guid(uuid::Uuid::nil()), None);
        // SAFETY: both places are for answers.
        let code = unsafe {
            self.components
                .GetWriterMetadata(at, &raw mut instance, &raw mut metadata)
        };
        check(code, STEP, "GetWriterMetadata")?;
        let Some(metadata) = metadata else {
            let what = "GetWriterMetadata gave nothing";
            return Err(VssError::new(VssErrorKind::Other, STEP, what));
        };
        read_writer(&metadata)
    }
}

fn read_writer(metadata: &IVssExamineWriterMetadata) -> Result<Writer, VssError> {
    let (mut instance, mut id) = (guid(uuid::Uuid::nil()), guid(uuid::Uuid::nil()));
    let (mut name, mut usage, mut source) = (BSTR::new(), 0, 0);
    // SAFETY: all places are for answers; the string is ours afterwards.
    let code = unsafe {
        metadata.GetIdentity(
            &raw mut instance,
            &raw mut id,
            &raw mut name,
            &raw mut usage,
            &raw mut source,
        )
    };
    check(code, STEP, "GetIdentity")?;
    let (mut included, mut excluded, mut components) = (0, 0, 0);
    // SAFETY: all places are for answers.
    let code = unsafe {
        metadata.GetFileCounts(&raw mut included, &raw mut excluded, &raw mut components)
    };
    check(code, STEP, "GetFileCounts")?;
    let mut writer = Writer {
        instance: uuid(instance),
        id: uuid(id),
        name: of_bstr(&name),
        components: Vec::new(),
    };
    for at in 0..bounded(components, "components")? {
        // SAFETY: a plain call.
        let component = unsafe { metadata.GetComponent(at) }
            .map_err(|error| failure(&error, STEP, "GetComponent"))?;
        let component = read_component(&component, &writer)?;
        writer.components.extend(component);
    }
    Ok(writer)
}

/// Returns a component; `None` for one of a type that nobody knows.
fn read_component(
    component: &IVssWMComponent,
    writer: &Writer,
) -> Result<Option<Component>, VssError> {
    // SAFETY: a plain call.
    let info = unsafe { component.GetComponentInfo() }
        .map_err(|error| failure(&error, STEP, "GetComponentInfo"))?;
    if info.is_null() {
        let what = "GetComponentInfo gave nothing";
        return Err(VssError::new(VssErrorKind::Other, STEP, what));
    }
    // SAFETY: the call succeeded, so this is filled until it is freed.
    let read = unsafe { Info::read(info) };
    // SAFETY: frees what the same object gave, which nothing refers to any more.
    let _ = unsafe { component.FreeComponentInfo(info) };
    let Some(kind) = read.kind else {
        return Ok(None);
    };
    let mut files = Vec::new();
    let sorts: [(u32, FileGetter); 3] = [
        (read.files, IVssWMComponent::GetFile),
        (read.databases, IVssWMComponent::GetDatabaseFile),
        (read.logs, IVssWMComponent::GetDatabaseLogFile),
    ];
    for (count, get) in sorts {
        for at in 0..bounded(count, "files")? {
            // SAFETY: a plain call.
            let file = unsafe { get(component, at) };
            let file = file.and_then(|file| read_file(&file));
            files.push(file.map_err(|error| failure(&error, STEP, "GetFile"))?);
        }
    }
    Ok(Some(Component {
        id: ComponentId {
            instance: writer.instance,
            writer: writer.id,
            kind,
            logical_path: read.logical_path,
            name: read.name,
        },
        caption: read.caption,
        is_selectable: read.is_selectable,
        files,
    }))
}

type FileGetter = unsafe fn(&IVssWMComponent, u32) -> windows_core::Result<IVssWMFiledesc>;

/// What is used of a `VSS_COMPONENTINFO`.
struct Info {
    kind: Option<ComponentKind>,
    logical_path: String,
    name: String,
    caption: String,
    is_selectable: bool,
    files: u32,
    databases: u32,
    logs: u32,
}

impl Info {
    /// Copies what is used.
    ///
    /// # Safety
    ///
    /// `info` must be filled by the service.
    unsafe fn read(info: *const VSS_COMPONENTINFO) -> Self {
        // A truth value of C++ is read as the byte that it is: one that is neither 0 nor 1 would be
        // no truth value of Rust.
        // SAFETY: the caller promises that it is filled, so its strings are null or whole.
        unsafe {
            Self {
                kind: match (*info).r#type {
                    1 => Some(ComponentKind::Database),
                    2 => Some(ComponentKind::FileGroup),
                    _ => None,
                },
                logical_path: of_bstr(&(*info).bstrLogicalPath),
                name: of_bstr(&(*info).bstrComponentName),
                caption: of_bstr(&(*info).bstrCaption),
                is_selectable: (&raw const (*info).bSelectable).cast::<u8>().read() != 0,
                files: (*info).cFileCount,
                databases: (*info).cDatabases,
                logs: (*info).cLogFiles,
            }
        }
    }
}

fn read_file(file: &IVssWMFiledesc) -> windows_core::Result<FileSet> {
    // SAFETY: plain calls; the strings are ours.
    unsafe {
        Ok(FileSet {
            path: of_bstr(&file.GetPath()?),
            spec: of_bstr(&file.GetFilespec()?),
            is_recursive: file.GetRecursive()?,
        })
    }
}

fn bounded(count: u32, of: &str) -> Result<u32, VssError> {
    if count > COUNT_MAX {
        let what = format!("the service tells of {count} {of}, which cannot be");
        return Err(VssError::new(VssErrorKind::Other, STEP, what));
    }
    Ok(count)
}
