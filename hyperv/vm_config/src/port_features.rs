//! Features of a network adapter's port, below its `Connection`.
//!
//! ```text
//!   Connection/Features/Id                                     GUID of a feature; Id may repeat
//!   Connection/Feature_<GUID>/Settings/Id                      GUID of a setting
//!   Connection/Feature_<GUID>/Setting_<GUID>/{Data, Version}
//! ```
//!
//! The GUID of a feature is the `UUID` qualifier of its WMI class.

use crate::tree::{Node, Value};

/// `Msvm_EthernetSwitchPortVlanSettingData`.
const VLAN: &str = "952C5004-4465-451C-8CB8-FA9AB382B773";

/// Id of the one setting, as files of ours have it.
const SETTING: &str = "6B3F8A51-0F5B-4C0E-9C55-3A7E5B1D0C01";

/// `OperationMode` of a port with one VLAN; 2 is a trunk, 3 a private VLAN.
const ACCESS: u32 = 1;

/// VLANs that a port can have.
const VLANS: std::ops::RangeInclusive<u16> = 1..=4094;

/// Returns the VLAN of an adapter's port; `None`: untagged, a trunk, or not told.
pub(crate) fn vlan_of(adapter: &Node) -> Option<u16> {
    let feature = adapter.get(&format!("Connection/Feature_{VLAN}"))?;
    let settings = feature.children().iter();
    settings
        .filter(|node| node.name.to_ascii_lowercase().starts_with("setting_"))
        .filter_map(|setting| match &setting.get("Data")?.value {
            Value::Bytes(data) => vlan_of_data(data),
            _ => None,
        })
        .next()
}

/// Reads `Data` of the VLAN feature: the mode, then the VLAN. No sample has one: the order is that
/// of NDIS_SWITCH_PORT_PROPERTY_VLAN without its header, and whether what follows the mode is
/// aligned to eight bytes, as that structure is, is not known. Contract: C.6 [M]
fn vlan_of_data(data: &[u8]) -> Option<u16> {
    let mode = u32::from_le_bytes(data.get(..4)?.try_into().ok()?);
    if mode != ACCESS {
        return None;
    }
    let at = |start: usize| {
        Some(u16::from_le_bytes([
            *data.get(start)?,
            *data.get(start + 1)?,
        ]))
    };
    [4, 8]
        .into_iter()
        .filter_map(at)
        .find(|vlan| VLANS.contains(vlan))
}

/// Returns the keys below `Connection` that [`vlan_of`] reads.
pub(crate) fn vlan_keys(vlan: u16) -> Vec<Node> {
    let mut data = ACCESS.to_le_bytes().to_vec();
    data.extend(vlan.to_le_bytes());
    // No native VLAN.
    data.extend([0, 0]);
    let setting = Node::branch(
        format!("Setting_{SETTING}"),
        vec![
            Node::new("Data", Value::Bytes(data)),
            Node::integer("Version", 256),
        ],
    );
    vec![
        Node::branch(
            format!("Feature_{VLAN}"),
            vec![
                Node::integer("Flags", 0),
                setting,
                Node::branch("Settings", vec![Node::text("Id", SETTING)]),
            ],
        ),
        Node::branch("Features", vec![Node::text("Id", VLAN)]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_access_port_has_a_vlan() {
        let packed = [1, 0, 0, 0, 42, 0, 0, 0];
        let aligned = [1, 0, 0, 0, 0, 0, 0, 0, 42, 0];
        let trunk = [2, 0, 0, 0, 42, 0, 0, 0];
        let beyond = [1, 0, 0, 0, 255, 255];
        assert_eq!(vlan_of_data(&packed), Some(42));
        assert_eq!(vlan_of_data(&aligned), Some(42));
        for none in [&trunk[..], &beyond, &packed[..5], &packed[..3], &[]] {
            assert_eq!(vlan_of_data(none), None, "{none:?}");
        }
    }
}
