//! Listings as people paste them.

use guest_listing::read_listing;
use proptest::prelude::*;

const LSMOD: &str = "\
Module                  Size  Used by
hv_utils               20480  2
hv_netvsc              40960  0
hv_vmbus               45056  5 hv_balloon,hyperv_keyboard,hv_netvsc,hv_utils,hv_storvsc
hv_storvsc             16384  3
ext4                  585728  1
";
const PS: &str = "\
  PID TTY          TIME CMD
    1 ?        00:00:01 systemd
  312 ?        00:00:00 [hv_vmbus_con]
  845 ?        00:00:00 /usr/sbin/hv_vss_daemon -n
  846 ?        00:00:00 /usr/sbin/hv_kvp_daemon -n
";

fn ids(text: &str) -> Vec<String> {
    let found = read_listing(text).findings;
    found.into_iter().map(|finding| finding.id).collect()
}

#[test]
fn a_guest_with_everything_has_no_findings() {
    let both = format!("{LSMOD}\n{PS}");
    let listing = read_listing(&both);
    assert_eq!(
        listing.parts,
        ["lsmod: 4 Hyper-V modules", "ps: 2 of 2 Hyper-V daemons"]
    );
    assert!(listing.findings.is_empty(), "{listing:?}");
}

#[test]
fn what_is_missing_is_told() {
    let without = LSMOD.replace("hv_utils  ", "other  ");
    let found = read_listing(&without).findings;
    assert_eq!(found.len(), 1);
    assert!(found[0].text.contains("hv_utils"), "{}", found[0].text);
    assert!(found[0].text.contains("built in"), "{}", found[0].text);
    let without = PS.replace("/usr/sbin/hv_vss_daemon", "/usr/sbin/sshd");
    let found = read_listing(&without).findings;
    assert_eq!(found.len(), 1);
    assert!(
        found[0].text.starts_with("hv_vss_daemon or hypervvssd"),
        "{}",
        found[0].text
    );
    let red_hat = "root 1 0 ? /usr/sbin/hypervvssd -n\nroot 2 0 ? /usr/sbin/hypervkvpd -n";
    assert!(ids(red_hat).is_empty());
    // Threads of the kernel, and the search for the daemon, are no daemons.
    let none = "PID CMD\n1 [hv_vss_daemon]\n2 grep hv_kvp_daemon";
    assert_eq!(ids(none), ["GUEST-DAEMON", "GUEST-DAEMON"]);
}

#[test]
fn writers_are_told_by_their_ids() {
    let writer = |name: &str, id: &str, state: &str, error: &str| {
        format!(
            "Writer name: '{name}'\n   Writer Id: {{{id}}}\n   Writer Instance Id: \
             {{0ef9c4dc-2a25-4bf0-bf1f-4a1ff4b7d63a}}\n   State: {state}\n   Last error: {error}\n\n"
        )
    };
    let sql = "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a";
    let hyperv = "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de";
    let stable = writer("SqlServerWriter", sql, "[1] Stable", "No error")
        + &writer(
            "Schattenkopien von Hyper-V",
            hyperv,
            "[1] Stabil",
            "Kein Fehler",
        );
    let listing = read_listing(&stable);
    assert!(listing.findings.is_empty(), "{listing:?}");
    assert!(listing.parts[0].contains("among them"), "{listing:?}");
    let failed = writer("SqlServerWriter", sql, "[8] Failed", "Non-retryable error")
        + &writer(
            "Schattenkopien von Hyper-V",
            hyperv,
            "[9] Fehler",
            "Timed out",
        );
    assert_eq!(ids(&failed), ["GUEST-WRITER", "HOST-VSS-WRITER"]);
}

#[test]
fn shadow_storage_elsewhere_is_told() {
    let text = r"   For volume: (F:)\\?\Volume{191fc6ee-5a69-4a34-bb81-80b7b46bba04}\
   Shadow Copy Storage volume: (C:)\\?\Volume{3ce0cbe2-57c2-11db-a712-806e6f6e6963}\
";
    let found = read_listing(text).findings;
    assert_eq!(found[0].id, "HOST-SHADOW-STORAGE");
    assert!(found[0].cure.as_ref().unwrap().contains("/for=F: /on=F:"));
}

#[test]
fn other_texts_have_no_listing() {
    for text in [
        "",
        "hello",
        "total 12\ndrwxr-xr-x 2 root root 4096 Jan 1 1970 a",
    ] {
        assert!(read_listing(text).parts.is_empty(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_taken(text in "(?s).{0,300}") {
        read_listing(&text);
    }

    #[test]
    fn pieces_in_any_order_are_taken(pieces in prop::collection::vec(0..8_usize, 0..40)) {
        const PIECES: [&str; 8] = [
            "Module Size Used by\n", "hv_utils 1 2\n", "PID CMD\n", "hv_vss_daemon", "\n",
            "{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}", "[5]", ":",
        ];
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        read_listing(&text);
    }
}
