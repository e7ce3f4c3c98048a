//! Features of a port: its VLAN.

use wmi::{
    CimType, EmbeddedInstance, Instance, MethodError, VIRTUALIZATION, Value, WmiError, WmiErrorKind,
};

use super::changed_settings::unasked;
use crate::backup::link::Link;

const VLAN: &str = "Msvm_EthernetSwitchPortVlanSettingData";
/// `OperationMode`: the port is in one VLAN.
const ACCESS: u32 = 1;

/// Sets the VLAN of a connection, or takes it away, through the service whose port it is. Nothing
/// is asked where it is so already.
/// Contract: 1.4 [M]
pub(super) fn set_vlan(
    link: &Link,
    service: &'static str,
    connection: &Instance,
    vlan: Option<u16>,
) -> Result<(), MethodError> {
    let failed = |source| unasked("AddFeatureSettings", source);
    let now = feature_of(link, connection).map_err(failed)?;
    match (now, vlan) {
        (None, None) => Ok(()),
        (Some(own), vlan) if is_left(&own, vlan) => Ok(()),
        (Some(own), Some(vlan)) => {
            let id = own.text("InstanceID").unwrap_or_default();
            let text = feature(vlan).with("InstanceID", CimType::String, id);
            let parameters = [("FeatureSettings", Value::from(vec![text.to_xml()]))];
            let method = "ModifyFeatureSettings";
            link.call_patiently(service, method, &parameters)
                .map(|_| ())
        }
        (Some(own), None) => {
            let path = own.object_path(VIRTUALIZATION).map_err(failed)?;
            let parameters = [("FeatureSettings", Value::from(vec![path]))];
            let method = "RemoveFeatureSettings";
            link.call_patiently(service, method, &parameters)
                .map(|_| ())
        }
        (None, Some(vlan)) => {
            let connection = connection.object_path(VIRTUALIZATION).map_err(failed)?;
            let parameters = [
                ("AffectedConfiguration", Value::from(connection)),
                ("FeatureSettings", Value::from(vec![feature(vlan).to_xml()])),
            ];
            let method = "AddFeatureSettings";
            link.call_patiently(service, method, &parameters)
                .map(|_| ())
        }
    }
}

/// Says whether a port's feature is left as it is: it says what is wanted, or it is of a trunk or a
/// private VLAN, and one VLAN is not asked for. A typed configuration knows nothing of these, so
/// that it tells no VLAN is no word against them.
fn is_left(own: &Instance, vlan: Option<u16>) -> bool {
    let mode: u32 = own.number("OperationMode").unwrap_or(ACCESS);
    match (mode == ACCESS, vlan) {
        (true, Some(vlan)) => own.number("AccessVlanId") == Some(vlan),
        (true, None) => false,
        (false, vlan) => vlan.is_none(),
    }
}

fn feature(vlan: u16) -> EmbeddedInstance {
    EmbeddedInstance::new(VLAN)
        .with("AccessVlanId", CimType::Uint16, vlan)
        .with("OperationMode", CimType::Uint32, ACCESS)
}

/// Returns the VLAN's settings of a connection. Contract: 1.4 [M]
fn feature_of(link: &Link, connection: &Instance) -> Result<Option<Instance>, WmiError> {
    const ASSOCIATION: Option<&str> = Some("Msvm_EthernetPortSettingDataComponent");
    let path = connection.object_path(VIRTUALIZATION)?;
    let found = link.patiently(|| link.session.associators(&path, VLAN, ASSOCIATION));
    match found {
        Err(error) if error.kind() == WmiErrorKind::NoClass => Ok(None),
        other => Ok(other?.into_iter().next()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunk_is_left_as_it_is_unless_one_vlan_is_asked_for() {
        let port = |mode: u32, vlan: u16| {
            Instance::new(VLAN)
                .with("OperationMode", mode)
                .with("AccessVlanId", vlan)
        };
        let access = port(ACCESS, 7);
        assert!(is_left(&access, Some(7)));
        assert!(!is_left(&access, Some(8)));
        assert!(!is_left(&access, None));
        let trunk = port(2, 0);
        assert!(is_left(&trunk, None));
        assert!(!is_left(&trunk, Some(7)));
    }
}
