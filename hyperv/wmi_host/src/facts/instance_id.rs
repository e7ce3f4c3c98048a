//! Ids of settings: `Microsoft:<owner>\<device>\<controller>\<slot>\<D or L>` (contract 1.3).

use uuid::Uuid;

/// Returns whose settings these are: the VM's GUID for active settings, the snapshot's own for
/// those of a snapshot. Templates and definitions have no owner. Contract: 1.3 [M]
pub(crate) fn owner_of(instance_id: &str) -> Option<Uuid> {
    let rest = without_vendor(instance_id)?;
    let owner = rest.split('\\').next()?;
    Uuid::parse_str(owner).ok()
}

/// Returns the parts after the owner: device, controller, slot, `D` or `L`.
pub(super) fn place_of(instance_id: &str) -> Vec<&str> {
    let rest = without_vendor(instance_id).unwrap_or_default();
    rest.split('\\').skip(1).collect()
}

/// Writes the id as it is compared: Hyper-V does not care for case.
pub(super) fn comparable(instance_id: &str) -> String {
    instance_id.to_ascii_lowercase()
}

fn without_vendor(instance_id: &str) -> Option<&str> {
    const VENDOR: &str = "Microsoft:";
    let vendor = instance_id.get(..VENDOR.len())?;
    vendor
        .eq_ignore_ascii_case(VENDOR)
        .then(|| instance_id.get(VENDOR.len()..))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_and_places_are_told_apart() {
        let id = r"Microsoft:143E4B15-1E45-4D7B-B352-ECE54359A778\83F8638B-8DCA-4152-9EDA-2CA8B33039B4\0\1\L";
        let owner = owner_of(id).unwrap().to_string();
        assert_eq!(owner, "143e4b15-1e45-4d7b-b352-ece54359a778");
        assert_eq!(place_of(id)[1..], ["0", "1", "L"]);
        for none in ["", "Microsoft:", r"Microsoft:Definition\X\Default", "é"] {
            assert_eq!(owner_of(none), None, "{none}");
        }
    }
}
