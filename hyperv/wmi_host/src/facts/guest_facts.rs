//! What the guest tells the host (contract 1.5).

use wmi::Instance;

/// An integration service of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum GuestService {
    /// The VM has no such device.
    #[default]
    Absent,
    /// Switched off in the VM's settings.
    Disabled,
    /// The guest answers.
    Answers,
    /// The guest answers, with another version of the protocol.
    Degraded,
    /// The guest does not answer: nothing is installed there, or the VM does not run.
    Silent,
}

impl GuestService {
    pub(super) fn of(component: &Instance) -> Self {
        if component.number("EnabledState") != Some(2_u16) {
            return Self::Disabled;
        }
        match component.numbers::<u16>("OperationalStatus").first() {
            Some(2) => Self::Answers,
            Some(3) => Self::Degraded,
            _ => Self::Silent,
        }
    }
}

/// What the guest says of itself through the data exchange service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct GuestFacts {
    /// `OSName`, such as `Windows Server 2022 Standard` or `Ubuntu`.
    pub(crate) system: Option<String>,
    /// The guest has an iSCSI initiator's name to tell.
    pub(crate) has_iscsi: bool,
    /// The guest is a domain controller.
    pub(crate) is_domain_controller: bool,
}

impl GuestFacts {
    /// Reads `Msvm_KvpExchangeComponent`.
    pub(super) fn of(component: &Instance) -> Self {
        let mut facts = Self::default();
        let own = component.texts("GuestIntrinsicExchangeItems");
        let set = component.texts("GuestExchangeItems");
        for text in own.iter().chain(&set) {
            // What a guest tells is not worth failing for.
            let Ok(item) = Instance::from_cim_xml(text) else {
                continue;
            };
            let (Some(name), Some(data)) = (item.text("Name"), item.text("Data")) else {
                continue;
            };
            if name.eq_ignore_ascii_case("OSName") {
                facts.system = Some(data.clone());
            }
            facts.has_iscsi |= tells_of_iscsi(&name, &data);
            facts.is_domain_controller |= tells_of_domain_controller(&name, &data);
        }
        facts
    }

    /// Returns whether the guest says that it is a Windows; `None` where it says nothing.
    pub(crate) fn is_windows(&self) -> Option<bool> {
        let system = self.system.as_ref()?;
        Some(system.to_ascii_lowercase().contains("windows"))
    }
}

/// Guests do not tell of iSCSI by themselves; an administrator's script can put the initiator's
/// name among the exchanged items. Contract: 1.5 [M]
fn tells_of_iscsi(name: &str, data: &str) -> bool {
    name.to_ascii_lowercase().contains("iscsi") || data.to_ascii_lowercase().starts_with("iqn.")
}

/// `ProductType` is `wProductType` of `OSVERSIONINFOEX`: 2 is `VER_NT_DOMAIN_CONTROLLER`.
/// Contract: 1.5 [M]
fn tells_of_domain_controller(name: &str, data: &str) -> bool {
    name.eq_ignore_ascii_case("ProductType") && data.trim() == "2"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_tells_is_read_and_nonsense_is_passed_over() {
        let item = |name: &str, data: &str| {
            format!(
                "<INSTANCE CLASSNAME=\"Msvm_KvpExchangeDataItem\"><PROPERTY NAME=\"Data\" \
                 TYPE=\"string\"><VALUE>{data}</VALUE></PROPERTY><PROPERTY NAME=\"Name\" \
                 TYPE=\"string\"><VALUE>{name}</VALUE></PROPERTY></INSTANCE>"
            )
        };
        let items = vec![
            "<nonsense".to_owned(),
            item("OSName", "Ubuntu"),
            item("Initiator", "iqn.1991-05.com.microsoft:x"),
            item("ProductType", "2"),
        ];
        let component =
            Instance::new("Msvm_KvpExchangeComponent").with("GuestIntrinsicExchangeItems", items);
        let facts = GuestFacts::of(&component);
        assert_eq!(facts.is_windows(), Some(false));
        assert!(facts.has_iscsi);
        assert!(facts.is_domain_controller);
        assert_eq!(GuestFacts::default().is_windows(), None);
    }
}
