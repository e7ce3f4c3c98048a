//! What `vssadmin` printed (requirements PRE-08, PRE-09, PRE-12).

use hyperv_host::{Finding, Severity};
use vss::{HYPERV_WRITER, parse_shadow_storage, parse_writers};

use crate::Listing;

/// `vssadmin list writers`: writers by their id, since their names are in the language of Windows.
pub(crate) fn writers(text: &str, listing: &mut Listing) {
    let mut writers = parse_writers(text);
    // Volumes of another listing have GUIDs, too, and no state.
    writers.retain(|writer| writer.state_number.is_some());
    if writers.is_empty() {
        return;
    }
    let hyperv = writers.iter().find(|writer| writer.id == HYPERV_WRITER);
    let of_host = match hyperv {
        Some(_) => ", the Hyper-V VSS writer among them",
        None => "; the Hyper-V VSS writer, which only a host has, is not among them",
    };
    listing.parts.push(format!(
        "vssadmin list writers: {} writers{of_host}",
        writers.len()
    ));
    for writer in &writers {
        if writer.is_well() {
            continue;
        }
        let name = writer.name.as_deref().unwrap_or("a writer");
        let error = writer.last_error.as_deref().unwrap_or("unknown");
        let text = format!(
            "{name} {{{}}} is not stable: {:?}, last error: {error}",
            writer.id,
            writer.state()
        );
        let (id, cure) = match writer.id {
            HYPERV_WRITER => (
                "HOST-VSS-WRITER",
                "Restart-Service vmms on the host, which does not disturb running VMs, and look \
                 again",
            ),
            _ => (
                "GUEST-WRITER",
                "restart the service that the writer belongs to, or the machine, and look again; \
                 the event log Application (source VSS) tells why it failed",
            ),
        };
        listing
            .findings
            .push(Finding::new(id, Severity::Warn, text).cure(cure));
    }
}

/// `vssadmin list shadowstorage`.
pub(crate) fn shadow_storage(text: &str, listing: &mut Listing) {
    let entries = parse_shadow_storage(text);
    if entries.is_empty() {
        return;
    }
    listing.parts.push(format!(
        "vssadmin list shadowstorage: {} volumes",
        entries.len()
    ));
    for entry in entries.iter().filter(|entry| !entry.is_on_itself()) {
        let name = |volume: &vss::ListedVolume| {
            volume
                .mount
                .clone()
                .unwrap_or_else(|| volume.id.to_string())
        };
        let (own, other) = (name(&entry.volume), name(&entry.kept_on));
        let text = format!("the shadow storage of {own} lies on {other}, and not on {own} itself");
        listing.findings.push(
            Finding::new("HOST-SHADOW-STORAGE", Severity::Warn, text).cure(format!(
                "vssadmin delete shadowstorage /for={own} /on={other}, which removes its shadow \
                 copies; then vssadmin add shadowstorage /for={own} /on={own} /maxsize=20%"
            )),
        );
    }
}
