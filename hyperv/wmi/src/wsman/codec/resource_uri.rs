//! The address of a WMI class in WS-Man.

use std::fmt;

use super::{malformed, names};
use crate::{ObjectPath, WmiError};

/// `http://schemas.microsoft.com/wbem/wsman/1/wmi/<namespace>/<class>`, read into its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceUri {
    /// The namespace with backslashes, as everywhere else: `root\virtualization\v2`.
    pub namespace: String,
    /// The class; `*` where a filter says which.
    pub class: String,
}

impl ResourceUri {
    /// Makes the address of a class.
    pub fn new(namespace: impl Into<String>, class: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            class: class.into(),
        }
    }

    /// Makes the address of all classes of a namespace, which queries are sent to.
    pub fn all_classes(namespace: impl Into<String>) -> Self {
        Self::new(namespace, "*")
    }

    /// Makes the address of an object's class; its keys travel as selectors.
    pub fn of_path(path: &ObjectPath) -> Self {
        Self::new(path.namespace(), path.class())
    }

    /// Reads an address.
    ///
    /// Errors: `Protocol` for any that is not one of a WMI class.
    pub fn parse(text: &str) -> Result<Self, WmiError> {
        let foreign = || {
            malformed(format!(
                "{:?} is no address of a WMI class",
                shortened(text)
            ))
        };
        let length = names::WMI_RESOURCE.len();
        let (start, rest) = text.split_at_checked(length).ok_or_else(foreign)?;
        if !start.eq_ignore_ascii_case(names::WMI_RESOURCE) {
            return Err(foreign());
        }
        let (namespace, class) = rest.rsplit_once('/').ok_or_else(foreign)?;
        if namespace.is_empty() || class.is_empty() || class.contains(['"', '\\', ' ']) {
            return Err(foreign());
        }
        Ok(Self::new(namespace.replace('/', "\\"), class))
    }
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.replace('\\', "/");
        write!(f, "{}{namespace}/{}", names::WMI_RESOURCE, self.class)
    }
}

/// Returns what of a foreign text goes into an error.
pub(in crate::wsman) fn shortened(text: &str) -> String {
    const KEPT: usize = 300;
    text.chars()
        .map(|one| if one.is_control() { ' ' } else { one })
        .take(KEPT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_namespace_and_class() {
        let text = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_X";
        let uri = ResourceUri::parse(text).unwrap();
        assert_eq!(uri, ResourceUri::new(crate::VIRTUALIZATION, "Msvm_X"));
        assert_eq!(uri.to_string(), text);
        let all = ResourceUri::all_classes(crate::CIMV2).to_string();
        assert!(all.ends_with("/wmi/root/CIMV2/*"), "{all}");
    }

    #[test]
    fn other_addresses_are_refused() {
        for text in [
            "",
            "http://schemas.microsoft.com/wbem/wsman/1/wmi/",
            "http://schemas.microsoft.com/wbem/wsman/1/wmi/X",
            "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd",
            "ééééééééééééééééééééééééééééééééééééééééééééééééé",
        ] {
            assert!(ResourceUri::parse(text).is_err(), "{text}");
        }
    }
}
