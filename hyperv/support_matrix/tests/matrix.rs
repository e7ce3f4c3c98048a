//! The table is whole, finds what it is asked for, and is the page.

use std::fs;
use std::path::Path;

use support_matrix::{Freeze, Way, matrix, page};

#[test]
fn the_page_is_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("../../docs/operate/support-matrix.md");
    let page = page(matrix());
    if std::env::var_os("LIFEBOAT_BLESS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written.replace("\r\n", "\n") == page,
        "docs/operate/support-matrix.md is not what the table says: write it anew with \
         LIFEBOAT_BLESS=1 cargo test -p support_matrix"
    );
}

/// The golden table of hosts and modes (MODE-19, PRE-01, PRE-02).
#[test]
fn hosts_and_modes() {
    use Way::{No, Vss, Yes};
    let rows = [
        ((6, 1, 7601), false, "Windows Server 2008 R2", No, No, No),
        ((6, 2, 9200), false, "Windows Server 2012", No, Vss, Vss),
        ((6, 3, 9600), false, "Windows Server 2012 R2", No, Vss, Vss),
        ((10, 0, 14393), false, "Windows Server 2016", Yes, Yes, Vss),
        ((10, 0, 17763), false, "Windows Server 2019", Yes, Yes, Vss),
        ((10, 0, 20348), false, "Windows Server 2022", Yes, Yes, Vss),
        ((10, 0, 25398), false, "Windows Server 2022", Yes, Yes, Vss),
        ((10, 0, 26100), false, "Windows Server 2025", Yes, Yes, Vss),
        ((6, 3, 9600), true, "Windows 8.1 and earlier", No, No, No),
        ((10, 0, 19045), true, "Windows 10", Yes, Yes, No),
        ((10, 0, 26100), true, "Windows 11", Yes, Yes, No),
    ];
    for (version, client, name, tracked, standard, all) in rows {
        let row = matrix().host(version, client).unwrap();
        let found = (row.name.as_str(), row.tracked, row.standard, row.all);
        assert_eq!(found, (name, tracked, standard, all), "{version:?}");
    }
    assert_eq!(matrix().host((6, 0, 6001), false), None);
    assert!(matrix().is_newer_than_known((10, 0, 29_000), false));
    assert!(!matrix().is_newer_than_known((10, 0, 26_100), false));
}

#[test]
fn configuration_versions_run_where_the_table_says() {
    let server = |build| matrix().host((10, 0, build), false).unwrap();
    assert!(server(14393).runs("5.0") && server(14393).runs("8.0"));
    assert!(!server(14393).runs("9.0"));
    assert!(!server(20348).runs("5.0"), "2022 runs none below 8.0");
    assert!(server(26100).runs("12.0") && !server(20348).runs("12.0"));
    assert!(!server(26100).runs("nonsense") && !server(26100).runs(""));
    assert_eq!(server(26100).newest_configuration(), Some("12.0"));
}

#[test]
fn guests_are_found_by_what_they_call_themselves() {
    let rows = [
        ("Windows Server 2022 Standard", Freeze::Writers),
        (
            "Microsoft Windows Server 2012 R2 Datacenter",
            Freeze::Writers,
        ),
        ("Windows Server 2008 R2 Enterprise", Freeze::Writers),
        ("Windows 11 Pro", Freeze::Writers),
        ("Windows 7 Professional", Freeze::Writers),
        ("Microsoft Windows XP", Freeze::None),
        ("Microsoft Windows 2000 Server", Freeze::None),
        ("Ubuntu 22.04.4 LTS", Freeze::FileSystems),
        ("Ubuntu", Freeze::FileSystems),
        ("Ubuntu 12.04", Freeze::None),
        ("Debian GNU/Linux 12 (bookworm)", Freeze::FileSystems),
        ("Debian GNU/Linux 7", Freeze::None),
        ("Red Hat Enterprise Linux 9.3 (Plow)", Freeze::FileSystems),
        ("CentOS release 6.5 (Final)", Freeze::FileSystems),
        ("SUSE Linux Enterprise Server 15 SP5", Freeze::FileSystems),
        ("FreeBSD 13.2-RELEASE", Freeze::FileSystems),
        ("FreeBSD 10.3", Freeze::None),
        ("Alpine Linux v3.19", Freeze::FileSystems),
        ("OpenBSD 7.4", Freeze::None),
    ];
    for (name, freeze) in rows {
        let row = matrix().guest(name);
        assert_eq!(row.map(|row| row.freeze), Some(freeze), "{name}: {row:?}");
    }
    let parts = |name| matrix().guest(name).unwrap().parts.as_str();
    assert!(parts("Ubuntu 20.04").contains("linux-cloud-tools"));
    assert!(parts("Debian GNU/Linux 11").contains("hyperv-daemons"));
    assert!(parts("AlmaLinux 9.2").contains("hypervvssd"));
    for nonsense in ["", "Plan 9", "ÄÖÜ", "BeOS 5"] {
        assert_eq!(matrix().guest(nonsense), None, "{nonsense}");
    }
}

#[test]
fn volumes_are_told_by_their_file_system() {
    let snapshots = |name| matrix().volume(name).map(|row| row.snapshots);
    assert_eq!(snapshots("ntfs"), Some(true));
    assert_eq!(snapshots("CSVFS"), Some(true));
    assert_eq!(snapshots("FAT32"), Some(false));
    assert_eq!(snapshots("somethingfs"), None);
}

#[test]
fn rows_are_whole() {
    let matrix = matrix();
    for row in &matrix.guest {
        assert!(!row.parts.is_empty() && !row.source.is_empty(), "{row:?}");
        assert_eq!(row.matches, row.matches.to_lowercase(), "{}", row.name);
    }
    for row in &matrix.host {
        assert!(!row.source.is_empty(), "{}", row.name);
        for version in &row.configurations {
            assert!(row.runs(version), "{}: {version}", row.name);
        }
    }
    // What a cell holds must not end it.
    assert!(
        !include_str!("../data/support.toml")
            .lines()
            .any(|line| { line.starts_with("note") && line.contains(" | ") })
    );
}
