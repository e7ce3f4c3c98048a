//! A library of our own stands in for Windows': what it is asked, and what is made of its answers.

use std::cell::RefCell;

use windows::Win32::Storage::Vhd::{
    GET_VIRTUAL_DISK_INFO, OPEN_VIRTUAL_DISK_FLAG, QUERY_CHANGES_VIRTUAL_DISK_FLAG,
    VIRTUAL_DISK_ACCESS_MASK,
};

use super::*;

/// What the stand-in answers and saw. One per thread, so one per test.
#[derive(Default)]
struct Script {
    open_code: u32,
    information_code: u32,
    query_code: u32,
    ranges: Vec<(u64, u64)>,
    count: Option<u32>,
    processed: u64,
    tracking_id: String,
    asked: Vec<String>,
}

thread_local! {
    static SCRIPT: RefCell<Script> = RefCell::default();
}

fn note(what: String) {
    SCRIPT.with_borrow_mut(|script| script.asked.push(what));
}

fn asked() -> Vec<String> {
    SCRIPT.with_borrow(|script| script.asked.clone())
}

unsafe extern "system" fn open(
    storage: *const VIRTUAL_STORAGE_TYPE,
    path: PCWSTR,
    access: VIRTUAL_DISK_ACCESS_MASK,
    flags: OPEN_VIRTUAL_DISK_FLAG,
    parameters: *const OPEN_VIRTUAL_DISK_PARAMETERS,
    handle: *mut HANDLE,
) -> u32 {
    // SAFETY: the code under test passes pointers to values of these types.
    let (device, path, version, read_only) = unsafe {
        let parameters = &*parameters;
        *handle = HANDLE(std::ptr::without_provenance_mut(7));
        let second = parameters.Anonymous.Version2;
        let path = path.to_string().unwrap();
        (
            (*storage).DeviceId,
            path,
            parameters.Version.0,
            second.ReadOnly.as_bool(),
        )
    };
    note(format!(
        "open {path} device {device} access {} flags {} version {version} read-only {read_only}",
        access.0, flags.0
    ));
    SCRIPT.with_borrow(|script| script.open_code)
}

unsafe extern "system" fn information(
    handle: HANDLE,
    size: *mut u32,
    answer: *mut GET_VIRTUAL_DISK_INFO,
    used: *mut u32,
) -> u32 {
    // SAFETY: as in `open`.
    let (size, version) = unsafe { (*size, (*answer).Version.0) };
    note(format!(
        "information {version} of {} in {size}",
        handle.0.addr()
    ));
    let (code, id) =
        SCRIPT.with_borrow(|script| (script.information_code, script.tracking_id.clone()));
    let units: Vec<u16> = id.encode_utf16().chain([0]).collect();
    if version == 15 && code != 0 {
        return code;
    }
    if version == 15 && 16 + units.len() * 2 > usize::try_from(size).unwrap() {
        return ERROR_INSUFFICIENT_BUFFER.0;
    }
    // SAFETY: as in `open`; the answer has `size` bytes, which were just compared.
    unsafe {
        *used = size;
        match version {
            1 => {
                (*answer).Anonymous.Size.VirtualSize = 127 << 30;
                (*answer).Anonymous.Size.PhysicalSize = 5 << 30;
                (*answer).Anonymous.Size.BlockSize = 2 << 20;
                (*answer).Anonymous.Size.SectorSize = 512;
            }
            14 => (*answer).Anonymous.VirtualDiskId = GUID::from_u128(0xAB),
            _ => {
                (*answer).Anonymous.ChangeTrackingState.Enabled = true.into();
                let place = &raw mut (*answer).Anonymous.ChangeTrackingState.MostRecentId;
                std::ptr::copy_nonoverlapping(units.as_ptr(), place.cast(), units.len());
            }
        }
    }
    0
}

unsafe extern "system" fn query_changes(
    handle: HANDLE,
    id: PCWSTR,
    offset: u64,
    length: u64,
    _flags: QUERY_CHANGES_VIRTUAL_DISK_FLAG,
    ranges: *mut QUERY_CHANGES_VIRTUAL_DISK_RANGE,
    count: *mut u32,
    processed: *mut u64,
) -> u32 {
    // SAFETY: as in `open`; there is room for `count` ranges.
    let (id, room) = unsafe { (id.to_string().unwrap(), *count) };
    note(format!(
        "changes of {} since {id} at {offset} + {length} into {room}",
        handle.0.addr()
    ));
    SCRIPT.with_borrow(|script| {
        for (at, (offset, length)) in script.ranges.iter().enumerate().take(50) {
            let range = QUERY_CHANGES_VIRTUAL_DISK_RANGE {
                ByteOffset: *offset,
                ByteLength: *length,
                Reserved: 0,
            };
            // SAFETY: as above.
            unsafe { ranges.add(at).write(range) };
        }
        let answered = u32::try_from(script.ranges.len()).unwrap();
        // SAFETY: as in `open`.
        unsafe {
            *count = script.count.unwrap_or(answered);
            *processed = script.processed;
        }
        script.query_code
    })
}

unsafe fn close(handle: HANDLE) {
    note(format!("close {}", handle.0.addr()));
}

fn opened(script: Script) -> Result<OpenDisk, VirtDiskError> {
    SCRIPT.set(script);
    let functions = Functions {
        open,
        information,
        query_changes,
        close,
    };
    let module = None;
    let library = Arc::new(Library { functions, module });
    VirtDisk { library }.open_read_only("C:\\VMs\\a.vhdx")
}

#[test]
fn a_disk_is_opened_for_reading_only_and_closed_once() {
    let disk = opened(Script::default()).unwrap();
    assert_eq!(disk.path(), "C:\\VMs\\a.vhdx");
    drop(disk);
    let open = "open C:\\VMs\\a.vhdx device 0 access 0 flags 0 version 2 read-only true";
    assert_eq!(asked(), [open, "close 7"]);
}

#[test]
fn a_disk_that_does_not_open_is_not_closed() {
    let script = Script {
        open_code: 0xC03A_000D,
        ..Script::default()
    };
    let error = opened(script).unwrap_err();
    assert_eq!(error.kind(), VirtDiskErrorKind::Parent);
    assert_eq!(asked().len(), 1);
}

#[test]
fn info_is_read_as_windows_lays_it_out_and_long_ids_get_more_room() {
    let id = "rctX:".to_owned() + &"a".repeat(3000);
    let disk = opened(Script {
        tracking_id: id.clone(),
        ..Script::default()
    });
    let info = disk.unwrap().info().unwrap();
    assert_eq!(info.virtual_size_bytes, 127 << 30);
    assert_eq!(info.physical_size_bytes, 5 << 30);
    assert_eq!(
        (info.block_size_bytes, info.sector_size_bytes),
        (2 << 20, 512)
    );
    assert_eq!(info.virtual_disk_id, Some(uuid::Uuid::from_u128(0xAB)));
    let tracking = info.change_tracking.unwrap();
    assert!(tracking.is_on && !tracking.has_newer_changes);
    assert_eq!(tracking.most_recent_id, Some(id));
}

#[test]
fn an_answer_that_never_fits_ends() {
    let disk = opened(Script {
        information_code: ERROR_INSUFFICIENT_BUFFER.0,
        ..Script::default()
    });
    let error = disk.unwrap().info().unwrap_err();
    assert_eq!(error.code(), Some(ERROR_INSUFFICIENT_BUFFER.0));
}

#[test]
fn a_disk_that_cannot_be_tracked_is_told_without_an_error() {
    for code in [50, 87, 0xC03A_002A] {
        let disk = opened(Script {
            information_code: code,
            ..Script::default()
        });
        assert_eq!(disk.unwrap().info().unwrap().change_tracking, None);
    }
    let disk = opened(Script {
        information_code: 5,
        ..Script::default()
    });
    let error = disk.unwrap().info().unwrap_err();
    assert_eq!(error.kind(), VirtDiskErrorKind::Denied);
}

#[test]
fn changes_are_asked_as_given_and_a_full_buffer_is_no_error() {
    for query_code in [0, 234] {
        let disk = opened(Script {
            query_code,
            ranges: vec![(4096, 8192), (1 << 20, 32768)],
            processed: 2 << 20,
            ..Script::default()
        });
        let changes = disk
            .unwrap()
            .query_changes("rctX:1", 4096, 4 << 20)
            .unwrap();
        assert_eq!(changes.processed_bytes, 2 << 20);
        assert_eq!(changes.ranges, [4096..12288, 1 << 20..(1 << 20) + 32768]);
        let question = "changes of 7 since rctX:1 at 4096 + 4194304 into 50";
        assert!(asked().contains(&question.to_owned()), "{:?}", asked());
    }
}

#[test]
fn impossible_answers_and_questions_are_errors() {
    let impossible = [
        Script {
            processed: 0,
            ..Script::default()
        },
        Script {
            processed: 1,
            count: Some(51),
            ..Script::default()
        },
        Script {
            processed: 1,
            ranges: vec![(u64::MAX, 9)],
            ..Script::default()
        },
    ];
    for script in impossible {
        let error = opened(script)
            .unwrap()
            .query_changes("rctX:1", 0, 4096)
            .unwrap_err();
        assert_eq!(error.kind(), VirtDiskErrorKind::Nonsense, "{error}");
    }
    let disk = opened(Script::default()).unwrap();
    let error = disk.query_changes("rct\0X", 0, 4096).unwrap_err();
    assert_eq!(error.kind(), VirtDiskErrorKind::Nonsense, "{error}");
    let unknown = Script {
        query_code: 0xC03A_0030,
        ..Script::default()
    };
    let error = opened(unknown)
        .unwrap()
        .query_changes("rctX:1", 0, 4096)
        .unwrap_err();
    assert_eq!(error.kind(), VirtDiskErrorKind::UnknownId, "{error}");
}

#[test]
fn the_real_library_loads_or_says_why_not() {
    match VirtDisk::load() {
        Ok(library) => {
            let error = library
                .open_read_only("C:\\no such\\disk.vhdx")
                .unwrap_err();
            assert!(error.to_string().contains("disk.vhdx"), "{error}");
        }
        // Wine's has no change queries, like Windows' before 2016.
        Err(absent) => {
            let why = absent.to_string();
            assert!(why.contains("virtdisk.dll"), "{why}");
        }
    }
}
