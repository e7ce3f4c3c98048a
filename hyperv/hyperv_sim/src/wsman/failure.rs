//! What WinRM says when it does not do what it is asked.

use wmi::wsman::codec::{Element, names};
use wmi::{WmiError, WmiErrorKind};

/// `ERROR_WSMAN_…` of wsmerror.h.
mod code {
    pub(super) const RESOURCE_NOT_FOUND: u32 = 0x8033_8000;
    pub(super) const MESSAGE_INFORMATION_HEADER_REQUIRED: u32 = 0x8033_8011;
    pub(super) const ACTION_NOT_SUPPORTED: u32 = 0x8033_8013;
    pub(super) const FILTER_DIALECT_REQUESTED_UNAVAILABLE: u32 = 0x8033_8019;
    pub(super) const CANNOT_PROCESS_FILTER: u32 = 0x8033_801A;
    pub(super) const INVALID_ENUMERATION_CONTEXT: u32 = 0x8033_801B;
    pub(super) const INVALID_RESOURCE_URI: u32 = 0x8033_803B;
    pub(super) const SCHEMA_VALIDATION_ERROR: u32 = 0x8033_8041;
    pub(super) const MAX_ENVELOPE_SIZE_EXCEEDED: u32 = 0x8033_8048;
    pub(super) const AMBIGUOUS_SELECTORS: u32 = 0x8033_805E;
    pub(super) const MIN_ENVELOPE_SIZE: u32 = 0x8033_807E;
    pub(super) const INVALID_URI_WMI_SINGLETON: u32 = 0x8033_80FA;
    pub(super) const WMI_SVC_ACCESS_DENIED: u32 = 0x8033_8104;
    pub(super) const DIFFERENT_CIM_SELECTOR: u32 = 0x8033_813B;
    pub(super) const QUOTA_MAX_OPERATIONS: u32 = 0x8033_81A6;
}

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The message is no XML, no envelope, or not shaped as its action asks.
    Malformed(WmiError),
    /// A header is missing.
    HeaderMissing(&'static str),
    /// The address is not one of a WMI class.
    ResourceUri,
    /// The address and the selector for it name different namespaces.
    Namespaces,
    /// The action is none, or none that is supported.
    Action,
    /// The filter is not written in WQL.
    FilterDialect,
    /// The enumeration is not known, or not any more.
    Context,
    /// Too many enumerations are open.
    Quota,
    /// The answer, or one item of it, is larger than it may be.
    EnvelopeTooLarge,
    /// No answer is as small as it shall be.
    EnvelopeTooSmall,
    /// An object was asked for without saying which.
    SelectorsMissing,
    /// The selectors fit several objects.
    SelectorsAmbiguous,
    /// WMI, asked for `class` of `namespace`, failed.
    Wmi {
        error: WmiError,
        namespace: String,
        class: String,
    },
}

/// Whose fault a failure is, by which name it goes, its number and its text.
struct Description {
    is_senders: bool,
    subcode: &'static str,
    code: u32,
    text: String,
}

impl Failure {
    /// Returns the action of the message that tells of it.
    pub(super) fn action(&self) -> &'static str {
        match self.describe().subcode.starts_with("a:") {
            true => names::ACTION_ADDRESSING_FAULT,
            false => names::ACTION_FAULT,
        }
    }

    /// Returns the body of the message that tells of it: `s:Fault`.
    pub(super) fn element(&self, host: &str) -> Element {
        let what = self.describe();
        let soap = |name: &str| Element::new(names::SOAP, name);
        let value = |text: &str| soap("Value").with_text(text);
        let side = match what.is_senders {
            true => "s:Sender",
            false => "s:Receiver",
        };
        let subcode = soap("Subcode").with_child(value(what.subcode));
        let text = soap("Text")
            .with_attribute(names::XML, "lang", "en-US")
            .with_text(&what.text);
        let detail = match self {
            Self::Wmi { error, .. } => wmi_detail(error, &what),
            _ => wsman_detail(host, &what),
        };
        soap("Fault")
            .with_child(soap("Code").with_child(value(side)).with_child(subcode))
            .with_child(soap("Reason").with_child(text))
            .with_child(soap("Detail").with_child(detail))
    }

    fn describe(&self) -> Description {
        let service =
            |rest: &str| format!("The WS-Management service cannot process the request{rest}");
        let sender = |subcode, code, text: String| Description {
            is_senders: true,
            subcode,
            code,
            text,
        };
        match self {
            Self::Malformed(error) => sender(
                "w:SchemaValidationError",
                code::SCHEMA_VALIDATION_ERROR,
                format!(
                    "The SOAP XML in the message does not match the corresponding XML schema \
                     definition. Change the XML and retry. ({error})"
                ),
            ),
            Self::HeaderMissing(name) => sender(
                "a:MessageInformationHeaderRequired",
                code::MESSAGE_INFORMATION_HEADER_REQUIRED,
                service(&format!(
                    ". The request does not have all the expected SOAP headers. ({name})"
                )),
            ),
            Self::ResourceUri => sender(
                "a:DestinationUnreachable",
                code::INVALID_RESOURCE_URI,
                service(". The resource URI is missing or it has an incorrect format."),
            ),
            Self::Namespaces => sender(
                "w:InvalidSelectors",
                code::DIFFERENT_CIM_SELECTOR,
                service(
                    ". The resource URI and __cimnamespace selector attempted to use different \
                     namespaces.",
                ),
            ),
            Self::Action => sender(
                "a:ActionNotSupported",
                code::ACTION_NOT_SUPPORTED,
                "The WS-Management service does not support the action specified in the request."
                    .to_owned(),
            ),
            Self::FilterDialect => sender(
                "n:FilterDialectRequestedUnavailable",
                code::FILTER_DIALECT_REQUESTED_UNAVAILABLE,
                "The filter dialect (the type associated with the filter) was not supported for \
                 this resource."
                    .to_owned(),
            ),
            Self::Context => Description {
                is_senders: false,
                ..sender(
                    "n:InvalidEnumerationContext",
                    code::INVALID_ENUMERATION_CONTEXT,
                    "The WS-Enumeration context in the enumeration is not valid. Enumeration may \
                     have been completed or canceled."
                        .to_owned(),
                )
            },
            Self::Quota => sender(
                "w:QuotaLimit",
                code::QUOTA_MAX_OPERATIONS,
                service(". The maximum number of concurrent operations has been exceeded."),
            ),
            Self::EnvelopeTooLarge => sender(
                "w:EncodingLimit",
                code::MAX_ENVELOPE_SIZE_EXCEEDED,
                "The response that the WS-Management service computed exceeds the maximum \
                 envelope size in the request."
                    .to_owned(),
            ),
            Self::EnvelopeTooSmall => sender(
                "w:EncodingLimit",
                code::MIN_ENVELOPE_SIZE,
                service(" because the envelope size in the request is too small."),
            ),
            Self::SelectorsMissing => sender(
                "w:InvalidSelectors",
                code::INVALID_URI_WMI_SINGLETON,
                service(" because the request did not contain all required selectors."),
            ),
            Self::SelectorsAmbiguous => sender(
                "w:InvalidSelectors",
                code::AMBIGUOUS_SELECTORS,
                service(" because the selectors for the resource are ambiguous."),
            ),
            Self::Wmi {
                error,
                namespace,
                class,
            } => of_wmi(error, namespace, class),
        }
    }
}

/// Tells of a failure of WMI as WinRM does.
///
/// A class or a namespace that does not exist is a filter that cannot be processed, seen on 2008 R2
/// and in virt-who; the texts are those in field reports. What follows from the other kinds is
/// guessed.
///
/// Contract: 0.5 [M]
fn of_wmi(error: &WmiError, namespace: &str, class: &str) -> Description {
    let namespace = namespace.replace('\\', "/");
    let service = "The WS-Management service cannot process the request.";
    let (is_senders, subcode, code, text) = match error.kind() {
        WmiErrorKind::NoNamespace => (
            true,
            "n:CannotProcessFilter",
            code::CANNOT_PROCESS_FILTER,
            format!("{service} The CIM namespace {namespace} is invalid."),
        ),
        WmiErrorKind::NoClass => (
            true,
            "n:CannotProcessFilter",
            code::CANNOT_PROCESS_FILTER,
            format!("{service} The class {class} does not exist in the {namespace} namespace."),
        ),
        WmiErrorKind::BadQuery => (
            true,
            "n:CannotProcessFilter",
            code::CANNOT_PROCESS_FILTER,
            "The data source could not process the filter. The filter might be missing or it \
             might be invalid. Change the filter and try the request again."
                .to_owned(),
        ),
        WmiErrorKind::NotFound => (
            true,
            "a:DestinationUnreachable",
            code::RESOURCE_NOT_FOUND,
            format!(
                "{service} The service cannot find the resource identified by the resource URI \
                 and selectors."
            ),
        ),
        WmiErrorKind::Denied => (
            true,
            "w:AccessDenied",
            code::WMI_SVC_ACCESS_DENIED,
            format!("{service} The WMI service returned an 'access denied' error."),
        ),
        WmiErrorKind::NoMethod => (
            true,
            "a:ActionNotSupported",
            code::ACTION_NOT_SUPPORTED,
            "The WS-Management service does not support the action specified in the request."
                .to_owned(),
        ),
        _ => {
            let code = error.code().unwrap_or(0x8004_1001);
            let text = format!(
                "{service} The WMI service or the WMI provider returned an unknown error: \
                 HRESULT 0x{code:08x}"
            );
            (false, "w:InternalError", code, text)
        }
    };
    Description {
        is_senders,
        subcode,
        code,
        text,
    }
}

/// Writes the detail of a failure of the service itself.
fn wsman_detail(host: &str, what: &Description) -> Element {
    Element::new(names::WSMAN_FAULT, "WSManFault")
        .with_attribute("", "Code", what.code.to_string())
        .with_attribute("", "Machine", host)
        .with_child(Element::new(names::WSMAN_FAULT, "Message").with_text(&what.text))
}

/// Writes the detail of a failure of WMI, as Windows does since 2012: an instance.
fn wmi_detail(error: &WmiError, what: &Description) -> Element {
    const CLASS: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError";
    let property = |name: &str, kind: &str, text: Option<String>| {
        let element = Element::new(CLASS, name).with_attribute(
            names::SCHEMA_INSTANCE,
            "type",
            format!("cim:{kind}"),
        );
        match text {
            Some(text) => element.with_text(text),
            None => element.with_attribute(names::SCHEMA_INSTANCE, "nil", "true"),
        }
    };
    let number = |name, number: u32| property(name, "cimUnsignedInt", Some(number.to_string()));
    let text = |name, text: &str| property(name, "cimString", Some(text.to_owned()));
    let message_id = format!("HRESULT 0x{:08x}", what.code);
    Element::new(CLASS, "MSFT_WmiError")
        .with_attribute(names::SCHEMA_INSTANCE, "type", "p:MSFT_WmiError_Type")
        .with_child(number("CIMStatusCode", cim_status(error.kind())))
        .with_child(property("CIMStatusCodeDescription", "cimString", None))
        .with_child(text("Message", &what.text))
        .with_child(text("MessageID", &message_id))
        .with_child(number("error_Code", what.code))
        .with_child(text("error_Type", "HRESULT"))
        .with_child(text("error_WindowsErrorMessage", &what.text))
}

/// Returns the status of CIM for a kind of failure (DSP0200 section 5.2.1.3.2), which is also the
/// result of `MI`, the interface below WMI and WinRM.
fn cim_status(kind: WmiErrorKind) -> u32 {
    match kind {
        WmiErrorKind::Denied => 2,
        WmiErrorKind::NoNamespace => 3,
        WmiErrorKind::NoClass => 5,
        WmiErrorKind::NotFound => 6,
        WmiErrorKind::BadQuery => 15,
        WmiErrorKind::NoMethod => 17,
        _ => 1,
    }
}
