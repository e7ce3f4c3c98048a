//! Faults at every call: what goes wrong, where, how often, and how that is written.
//!
//! How a fault is written is [`FAULT_SYNTAX`]. A plan of faults is part of the host's state: what
//! one program plans strikes another.

mod plan;
mod text;

use serde::{Deserialize, Serialize};

pub use plan::{FaultPlan, WmiCall};

/// The methods that the simulated host carries out, and at which faults can strike.
pub const METHODS: [&str; 42] = [
    "AddFeatureSettings",
    "AddResourceSettings",
    "AddVirtualMachine",
    "ApplySnapshot",
    "AttachVirtualHardDisk",
    "BringOnline",
    "ConvertToReferencePoint",
    "CreateReferencePoint",
    "CreateSnapshot",
    "DefineSystem",
    "DestroyGroup",
    "DestroyReferencePoint",
    "DestroySnapshot",
    "DestroySnapshotTree",
    "DestroySystem",
    "DetachVirtualHardDisk",
    "ExportSystemDefinition",
    "FindMountedStorageImageInstance",
    "FormatError",
    "GetError",
    "GetErrorEx",
    "GetVirtualDiskChanges",
    "GetVirtualHardDiskSettingData",
    "GetVirtualHardDiskState",
    "ImportSnapshotDefinitions",
    "ImportSystemDefinition",
    "InitiateShutdown",
    "ModifyDiskMergeSettings",
    "ModifyFeatureSettings",
    "ModifyResourceSettings",
    "ModifySystemSettings",
    "MoveToNewHost",
    "MoveToNewNode",
    "RealizePlannedSystem",
    "RemoveFeatureSettings",
    "RemoveResourceSettings",
    "RequestReplicationStateChange",
    "RequestReplicationStateChangeEx",
    "RequestStateChange",
    "TakeOffline",
    "UpdateVirtualMachine",
    "ValidatePlannedSystem",
];

/// The calls of VSS at which faults can strike, and the steps within `Snapshot`.
pub const VSS_POINTS: [&str; 22] = [
    "Providers",
    "VolumeOf",
    "Begin",
    "Writers",
    "AddComponent",
    "StartSet",
    "AddVolume",
    "Prepare",
    "Snapshot",
    "PrepareSnapshot",
    "GuestSnapshot",
    "Freeze",
    "VolumeSnapshot",
    "Thaw",
    "AutoRecovery",
    "PostSnapshot",
    "WriterStatuses",
    "Snapshots",
    "SetSucceeded",
    "Document",
    "Complete",
    "DeleteSet",
];

/// The calls of a restore through VSS at which faults can strike.
pub const VSS_RESTORE_POINTS: [&str; 6] = [
    "BeginRestore",
    "Select",
    "AddNewTarget",
    "PreRestore",
    "SetRestored",
    "PostRestore",
];

/// How a fault is written, for people.
pub const FAULT_SYNTAX: &str = r#"CALL [MATCH ...] EFFECT [after]

CALL    any | query | get | invoke | the name of a method
        vss:NAME        a call of VSS such as vss:Prepare, or one of the steps of vss:Snapshot:
                        vss:PrepareSnapshot, vss:GuestSnapshot, vss:Freeze, vss:VolumeSnapshot,
                        vss:Thaw, vss:AutoRecovery, vss:PostSnapshot
MATCH   class=CLASS     calls to objects of, or for instances of, this class
        vm=NAME         calls that concern the VM of this name or id
        nth=N           the n-th such call alone
        first=N         the first so many alone
        every           all of them, unless said otherwise
EFFECT  code=NUMBER     the method returns this at once
        job=NUMBER [text="TEXT"]   the method's job fails with this
        job=hang        the method's job never ends
        conflict        the job fails as one does while another operation runs
        gone            the object does not exist any more
        lost            the connection breaks
        dies            the host cannot be reached until it is revived
        slow=SECONDS    the answer takes this long
        truncated=N     the answer breaks off behind n instances
        processed=BYTES GetVirtualDiskChanges looks at no more than this
        merge=hang      the VM's merges from now on never end
        merge=fail      the VM's merges from now on fail
        moves=NODE      the VM moves to another node of its cluster; the call goes on
        writer=CODE     VSS: the writer fails with this, such as 0x800423F3
        component=CODE  VSS: the VM fails in the writer with this
        requester=dies  VSS: the program that makes the backup dies
after   the operation takes place before it seems to fail

CreateSnapshot vm=SQL01 nth=1 job=32775 text="the VM is saving"
any nth=17 dies after
vss:PrepareSnapshot vm=SQL01 first=1 component=0x800423F3
vss:VolumeSnapshot code=2147754783
"#;

/// The text of a VM that is busy (contract section 7; the words are verified).
pub fn conflict_text(vm_name: &str) -> String {
    format!(
        "The virtual machine '{vm_name}' cannot start a backup operation because it is currently \
         executing a conflicting operation. Try the backup again."
    )
}

/// Something that goes wrong. Written and read as [`FAULT_SYNTAX`] says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which calls it strikes.
    pub point: FaultPoint,
    /// Only calls to objects of, or for instances of, this class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Only calls that concern the VM of this name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<String>,
    /// Which of those calls.
    pub when: When,
    /// What happens.
    pub effect: Effect,
    /// Whether the operation takes place before it seems to fail.
    #[serde(default)]
    pub after: bool,
    /// How many calls it was looked up for so far.
    #[serde(default)]
    pub seen: u64,
}

impl Fault {
    /// Makes a fault that strikes the calls of a point every time, before anything is done.
    pub fn new(point: FaultPoint, effect: Effect) -> Self {
        Self {
            point,
            class: None,
            vm: None,
            when: When::Every,
            effect,
            after: false,
            seen: 0,
        }
    }

    /// Strikes only the n-th such call, from 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.when = When::Nth(nth);
        self
    }

    /// Strikes only the first so many of such calls.
    #[must_use]
    pub fn first(mut self, count: u64) -> Self {
        self.when = When::First(count);
        self
    }

    /// Strikes only calls that concern the VM of this name or id.
    #[must_use]
    pub fn of_vm(mut self, vm: &str) -> Self {
        self.vm = Some(vm.to_owned());
        self
    }

    /// Strikes only calls about this class.
    #[must_use]
    pub fn of_class(mut self, class: &str) -> Self {
        self.class = Some(class.to_owned());
        self
    }

    /// Lets the operation take place before it seems to fail.
    #[must_use]
    pub fn afterwards(mut self) -> Self {
        self.after = true;
        self
    }
}

/// Where a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultPoint {
    /// Every call of the session.
    Any,
    /// Queries.
    Query,
    /// Gets of one instance.
    Get,
    /// Every method.
    Invoke,
    /// One method.
    Method(String),
    /// A call of VSS, or a step within one: one of [`VSS_POINTS`].
    Vss(String),
}

impl FaultPoint {
    /// Returns every point of VSS that there is.
    pub fn all_of_vss() -> Vec<Self> {
        VSS_POINTS.map(|name| Self::Vss(name.to_owned())).to_vec()
    }

    /// Returns every point of WMI that there is, so that a test can go through all.
    pub fn all() -> Vec<Self> {
        let methods = METHODS.iter().map(|name| Self::Method((*name).to_owned()));
        [Self::Query, Self::Get]
            .into_iter()
            .chain(methods)
            .collect()
    }
}

/// Which of the calls that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// All of them.
    Every,
    /// The n-th, from 1.
    Nth(u64),
    /// The first so many.
    First(u64),
}

impl When {
    fn is_due(self, occurrence: u64) -> bool {
        match self {
            Self::Every => true,
            Self::Nth(nth) => occurrence == nth,
            Self::First(count) => occurrence <= count,
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The method returns this code at once.
    ReturnCode(u32),
    /// The method's job ends in an exception.
    JobFails {
        /// Its `ErrorCode`.
        code: u32,
        /// Its `ErrorDescription`.
        text: String,
    },
    /// The method's job never ends.
    JobHangs,
    /// The method's job fails as one does while another operation runs.
    Conflict,
    /// The object does not exist any more.
    Gone,
    /// The connection breaks.
    ConnectionLost,
    /// The host dies: this call and all later ones cannot reach it until it is revived.
    HostDies,
    /// The answer takes this many seconds.
    Slow(u64),
    /// The answer breaks off behind this many instances.
    Truncated(u64),
    /// `GetVirtualDiskChanges` looks at no more than this many bytes.
    Processed(u64),
    /// Merges that start from now on never end.
    MergeHangs,
    /// Merges that start from now on fail.
    MergeFails,
    /// The VM moves to this node of its cluster, and the call goes on as if nothing were: before
    /// its work is done, or after that and what it started.
    Moves(String),
    /// The VSS writer of Hyper-V fails with this code.
    WriterFails(u32),
    /// The VM fails in the VSS writer of Hyper-V with this code.
    ComponentFails(u32),
    /// The program that makes the backup through VSS dies.
    RequesterDies,
}
