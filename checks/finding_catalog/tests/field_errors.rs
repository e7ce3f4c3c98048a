//! Every message that people meet leads to its page: one row for each.

use finding_catalog::{Sign, all, find, recognize, result_code};
use proptest::prelude::*;

/// What is said, and the code of the page that explains it first.
const ROWS: &[(&str, &str)] = &[
    // What people meet (user-experience, "Errors people meet").
    (
        "Event ID 10103: The virtual machine 'SQL01' cannot be hot backed up since it has no SCSI controllers attached. Please add one or more SCSI controllers to the virtual machine before performing a backup. (Virtual machine ID 66841CD4-6DED-4F4B-8F17-FD23F8DDC3DE)",
        "LB-2101",
    ),
    ("10103", "LB-2101"),
    (
        "The virtual machine 'Büro 7' cannot start a backup operation because it is currently executing a conflicting operation. Try the backup again.",
        "LB-2107",
    ),
    (
        "Failed to take VM snapshot. Error = [CreateVirtualSystemSnapshotV2] Error=\"The method call failed.\" (32775)",
        "LB-2108",
    ),
    ("32775", "LB-2108"),
    ("Hyper-V VSS Writer is not registered", "LB-1031"),
    (
        "MICROSOFT HYPER-V VSS WRITER (Exchange) has failed",
        "LB-1031",
    ),
    (
        "Volume Shadow Copy Service error: Unexpected error querying for the IVssWriterCallback interface.  hr = 0x80070005, Access is denied.",
        "LB-2111",
    ),
    (
        "The Data Exchange integration service is either not enabled, not running or not initialized.",
        "LB-2112",
    ),
    (
        "System error 577 has occurred. Windows cannot verify the digital signature for this file.",
        "LB-2120",
    ),
    (
        "Fail to load CBT, will perform normal in-file delta",
        "LB-2121",
    ),
    ("Another backup job is still running", "LB-2130"),
    ("a job with disabled schedule never completes", "LB-2131"),
    ("Scheduled cluster jobs not running", "LB-2132"),
    ("Cannot restore SQL01 with Run Direct enabled", "LB-3101"),
    (
        "VHD Mounter - Operating System (Platform Not Support)",
        "LB-3201",
    ),
    ("VHD Mounter - Administrator Privilege (No)", "LB-3202"),
    ("VHD Mounter (No Valid Partition Found)", "LB-3203"),
    (
        "The volume does not contain a recognized file system. Please make sure",
        "LB-3204",
    ),
    ("The VM does not resume from RAM state", "LB-3301"),
    // Field errors of the contract, section 7.
    (
        "Resynchronization is required for the virtual machine",
        "LB-2011",
    ),
    ("event 10150", "LB-2011"),
    (
        "'WEB01' (Virtual machine ID …): VSS writers inside virtual machine 'WEB01' failed to perform BackupComplete to its shadow copy (VSS snapshot) set.",
        "LB-4005",
    ),
    ("event 10172", "LB-4005"),
    (
        "<Event><System><EventID>18012</EventID></System></Event>",
        "LB-4005",
    ),
    (
        "Could not create backup checkpoint for virtual machine 'A': The system cannot find the file specified. (0x80070002).",
        "LB-2123",
    ),
    ("Checkpoint operation for 'A B' failed.", "LB-2123"),
    (
        "'A' cannot create the storage required for the checkpoint using disk D:\\a.vhdx",
        "LB-2123",
    ),
    ("event 3280", "LB-2123"),
    ("0x800423FB", "LB-2124"),
    (
        "could not initiate a checkpoint operation: The file exists. 0x80070050",
        "LB-2123",
    ),
    ("C:\\VMs\\a-AutoRecovery.avhdx: The file exists.", "LB-2124"),
    (
        "Failed to revert to VSS snapshot on the virtual hard disk 'a.vhdx' of the virtual machine 'A'.",
        "LB-2101",
    ),
    ("failed to mount VHD", "LB-1034"),
    ("Event 10111", "LB-1034"),
    ("event 19070", "LB-2102"),
    ("event 19080", "LB-2102"),
    ("event 19090", "LB-2102"),
    ("event 19100", "LB-2102"),
    (
        "The process cannot access the file because it is being used by another process. (0x80070020)",
        "LB-3013",
    ),
    ("Failed to write VHD attachment. 0x8007052F", "LB-1018"),
    ("0x80070569", "LB-1018"),
    ("merge never happens after the export", "LB-2105"),
    ("0xA000971E", "LB-2103"),
    (
        "Failed to create checkpoint on collection 'Hyper-V Collection'",
        "LB-3003",
    ),
    (
        "Active-active access is not supported for the shared VHDX in VM group",
        "LB-3003",
    ),
    (
        "More than one VM claimed to be the owner of shared VHDX in VM group",
        "LB-3003",
    ),
    ("Backing up shared VHDX disks is not possible", "LB-3002"),
    ("VM-OLD-VERSION", "LB-2008"),
    ("0xC03A0030", "LB-2121"),
    ("0xC03A002A", "LB-2121"),
    ("0xc03a0029", "LB-2121"),
    (
        "Windows Server 2019 Hyper-V VM I/O Performance Problem",
        "LB-2125",
    ),
    ("the pass-through disk of the VM", "LB-3001"),
    ("files *.avhdx: RESIDUE-AVHDX", ""),
    ("RESIDUE-AVHDX", "LB-2213"),
    // VSS (contract 5.3) and other numbers.
    ("0x80042336", "LB-2115"),
    ("VSS_E_WRITERERROR_PARTIAL_FAILURE", "LB-2115"),
    ("0x800423F3", "LB-1036"),
    ("0x800423F4", "LB-1031"),
    ("the writer failed with hr = 0x80042316", "LB-1035"),
    ("800423f3", "LB-1036"),
    ("-2147212301", "LB-1036"),
    ("0x8004231F", "LB-1037"),
    ("0x8004232D", "LB-1038"),
    ("0x8007173D", "LB-1035"),
    ("error 5951", "LB-1038"),
    ("0x80042417", "LB-1039"),
    ("0x80042401", "LB-1041"),
    ("event 8193, 0x80070018", "LB-1042"),
    ("577", "LB-2120"),
    ("lb-2101", "LB-2101"),
    ("VM-SCSI", "LB-2101"),
    ("vm-linger", "LB-2103"),
    // What says nothing that is known.
    ("", ""),
    ("everything is fine", ""),
    ("0x12345678", ""),
    ("ÄÖÜ 0x 0xzz 99999999999999999999 -", ""),
];

#[test]
fn each_message_leads_to_its_page() {
    for (text, code) in ROWS {
        let found = recognize(text);
        let first = found.first().map_or("", |found| found.page.code);
        assert_eq!(first, *code, "{text}: {found:?}");
        // The same in upper case, and with line breaks and typographic quotes.
        let broken = text
            .to_uppercase()
            .replace(' ', "\r\n  ")
            .replace('\'', "’");
        let again = recognize(&broken);
        let first = again.first().map_or("", |found| found.page.code);
        assert_eq!(first, *code, "{broken}");
    }
}

#[test]
fn every_code_of_vss_leads_somewhere() {
    let mut count = 0;
    for meaning in vss::all_codes() {
        let found = result_code(meaning.code);
        assert!(found.is_some(), "{} {:#x}", meaning.name, meaning.code);
        let text = format!("failed with {:#010X}", meaning.code);
        let by_text = recognize(&text);
        assert!(!by_text.is_empty(), "{text}");
        count += 1;
    }
    assert!(count >= 85, "{count}");
}

#[test]
fn every_code_of_virtual_disks_leads_somewhere() {
    let codes = (0x01..=0x2A).chain([0x30, 0x34]);
    for low in codes {
        let code = 0xC03A_0000 + low;
        assert!(result_code(code).is_some(), "{code:#x}");
    }
    assert!(result_code(0xC05C_FF0A).is_some() && result_code(0xC05C_FF0C).is_some());
}

#[test]
fn no_number_leads_to_two_pages() {
    let mut codes: Vec<u32> = all().flat_map(|page| page.codes).copied().collect();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    for page in all() {
        for phrase in page.phrases {
            assert_eq!(*phrase, phrase.to_lowercase(), "{}", page.id);
            let found = recognize(phrase);
            assert!(
                found.iter().any(|found| found.page.id == page.id),
                "{phrase}"
            );
        }
        for event in page.events {
            let found = recognize(&format!("event {event}"));
            assert_eq!(found[0].sign, Sign::Event(*event), "{}", page.id);
        }
        for alias in page.aliases {
            assert_eq!(find(alias).map(|own| own.id), Some(page.id));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_taken(text in "(?s).{0,300}") {
        recognize(&text);
    }

    #[test]
    fn names_do_not_matter(name in "[a-zA-Z0-9 äöü._-]{0,40}") {
        let text = format!("The virtual machine '{name}' cannot start a backup operation because it is currently executing a conflicting operation.");
        prop_assert_eq!(recognize(&text)[0].page.code, "LB-2107");
    }
}
