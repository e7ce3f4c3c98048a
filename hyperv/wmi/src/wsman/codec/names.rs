//! Namespaces, actions and other fixed texts of the protocol (\[MS-WSMV\] section 2.2.1).

/// SOAP 1.2.
pub const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
/// WS-Addressing of August 2004.
pub const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
/// WS-Enumeration.
pub const ENUMERATION: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration";
/// WS-Transfer.
pub const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
/// WS-Management.
pub const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
/// Microsoft's additions to WS-Management.
pub const MICROSOFT: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd";
/// What Windows says in the detail of a fault.
pub const WSMAN_FAULT: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault";
/// The identification request, which needs no authentication.
pub const IDENTITY: &str = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd";
/// CIM's types in XML: `cim:Datetime`, `cim:Interval`.
pub const CIM: &str = "http://schemas.dmtf.org/wbem/wscim/1/common";
/// `xsi:nil` and `xsi:type`.
pub const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// `xml:lang`.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// What precedes namespace and class in the address of a WMI class.
pub const WMI_RESOURCE: &str = "http://schemas.microsoft.com/wbem/wsman/1/wmi/";
/// The dialect of WQL filters.
pub const WQL_DIALECT: &str = "http://schemas.microsoft.com/wbem/wsman/1/WQL";
/// Who asks has no address of their own; the answer comes on the same connection.
pub const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";

/// WS-Transfer: an instance is asked for.
pub const ACTION_GET: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get";
/// WS-Transfer: the instance.
pub const ACTION_GET_RESPONSE: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse";
/// WS-Enumeration: an enumeration begins.
pub const ACTION_ENUMERATE: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate";
/// WS-Enumeration: its context, and its first items where asked for.
pub const ACTION_ENUMERATE_RESPONSE: &str =
    "http://schemas.xmlsoap.org/ws/2004/09/enumeration/EnumerateResponse";
/// WS-Enumeration: more items.
pub const ACTION_PULL: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Pull";
/// WS-Enumeration: those items.
pub const ACTION_PULL_RESPONSE: &str =
    "http://schemas.xmlsoap.org/ws/2004/09/enumeration/PullResponse";
/// WS-Enumeration: the enumeration is no longer wanted.
pub const ACTION_RELEASE: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Release";
/// WS-Enumeration: so be it.
pub const ACTION_RELEASE_RESPONSE: &str =
    "http://schemas.xmlsoap.org/ws/2004/09/enumeration/ReleaseResponse";
/// A fault of WS-Management.
pub const ACTION_FAULT: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault";
/// A fault of WS-Addressing.
pub const ACTION_ADDRESSING_FAULT: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault";

/// The prefixes that we write, those of Windows.
pub(super) const PREFIXES: [(&str, &str); 10] = [
    ("s", SOAP),
    ("a", ADDRESSING),
    ("n", ENUMERATION),
    ("x", TRANSFER),
    ("w", WSMAN),
    ("m", MICROSOFT),
    ("f", WSMAN_FAULT),
    ("cim", CIM),
    ("xsi", SCHEMA_INSTANCE),
    ("xml", XML),
];

/// The namespaces that every envelope binds.
pub(super) const ENVELOPE_PREFIXES: [&str; 6] =
    [SOAP, ADDRESSING, ENUMERATION, TRANSFER, WSMAN, MICROSOFT];
