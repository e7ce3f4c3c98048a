//! Faults: how a host says no (DSP0226 section 14; \[MS-WSMV\] sections 2.2.4.43 and 3.1.4.1.31).

use super::fault_kind::{FaultCodes, codes_of_error, kind_of_fault};
use super::resource_uri::shortened;
use super::{Element, Envelope, names};
use crate::WmiError;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultSide {
    /// The one who asked.
    Sender,
    /// The host.
    Receiver,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose fault it is.
    pub side: FaultSide,
    /// Its name in its namespace, such as `AccessDenied`; empty where there is none.
    pub subcode: String,
    /// What a human is told.
    pub reason: String,
    /// The code of WS-Man or of Windows: `Code` of `f:WSManFault`, wsmerror.h.
    pub wsman_code: Option<u32>,
    /// What WMI itself said.
    pub provider: ProviderFault,
}

/// What WMI itself said about a failure; Windows says it in one of two forms, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderFault {
    /// Its description.
    pub message: Option<String>,
    /// The `HRESULT`: `StatusCode` of `__ExtendedStatus`, or `error_Code` of `MSFT_WmiError`.
    pub hresult: Option<u32>,
    /// `CIMStatusCode` of `MSFT_WmiError` (DSP0200 section 5.5.1).
    pub cim_status: Option<u32>,
}

impl Fault {
    /// Reads the fault of an answer; `None` where it holds none.
    pub fn read(answer: &Envelope) -> Option<Self> {
        let fault = answer
            .body
            .as_ref()
            .filter(|body| body.is(names::SOAP, "Fault"))?;
        let code = fault.child(names::SOAP, "Code");
        let side = match code.and_then(local_value) {
            Some("Sender") => FaultSide::Sender,
            _ => FaultSide::Receiver,
        };
        let subcode = code.and_then(|code| code.child(names::SOAP, "Subcode"));
        let reason = fault
            .descend(names::SOAP, &["Reason", "Text"])
            .map_or("", |text| text.text.trim());
        let detail = fault.child(names::SOAP, "Detail");
        let mut read = Self {
            side,
            subcode: subcode.and_then(local_value).unwrap_or_default().to_owned(),
            reason: shortened(reason),
            wsman_code: None,
            provider: ProviderFault::default(),
        };
        for element in detail.into_iter().flat_map(Element::descendants) {
            read.read_detail(element);
        }
        Some(read)
    }

    /// Takes what one element of the detail says; the innermost is nearest to the cause.
    fn read_detail(&mut self, element: &Element) {
        let number = |name: &str| {
            let property = element.children.iter().find(|one| &*one.name == name)?;
            property.text.trim().parse::<u32>().ok()
        };
        let text = |name: &str| {
            let property = element.children.iter().find(|one| &*one.name == name)?;
            Some(shortened(property.text.trim())).filter(|text| !text.is_empty())
        };
        let provider = &mut self.provider;
        match &*element.name {
            "WSManFault" => {
                let code = element
                    .attribute("", "Code")
                    .and_then(|code| code.parse().ok());
                self.wsman_code = code.or(self.wsman_code);
                provider.message = text("Message").or(provider.message.take());
            }
            "__ExtendedStatus" => {
                provider.message = text("Description").or(provider.message.take());
                provider.hresult = number("StatusCode").or(provider.hresult);
            }
            "MSFT_WmiError" => {
                provider.message = text("Message").or(provider.message.take());
                provider.cim_status = number("CIMStatusCode").or(provider.cim_status);
                provider.hresult = number("error_Code").or(provider.hresult);
            }
            _ => {}
        }
    }

    /// Returns the error that the fault tells of; `asked` says what was asked of whom.
    pub fn to_error(&self, asked: &str) -> WmiError {
        let message = self.provider.message.as_deref().unwrap_or(&self.reason);
        let message = message.trim_end_matches(['.', ' ']);
        let code = self.provider.hresult.or(self.wsman_code);
        let number = code.map_or_else(String::new, |code| format!(" (0x{code:08X})"));
        let what = format!("{asked}: the host answered {message:?}{number}");
        let error = WmiError::new(kind_of_fault(self), what);
        match code {
            Some(code) => error.with_code(code),
            None => error,
        }
    }

    /// Makes the fault that tells of an error.
    pub fn of_error(error: &WmiError) -> Self {
        let FaultCodes {
            side,
            subcode,
            wsman_code,
            hresult,
        } = codes_of_error(error);
        Self {
            side,
            subcode: subcode.to_owned(),
            reason: "The WS-Management service cannot process the request.".to_owned(),
            wsman_code: Some(wsman_code),
            provider: ProviderFault {
                message: Some(error.to_string()),
                hresult,
                cim_status: None,
            },
        }
    }

    /// Writes the body of an answer; its action is [`names::ACTION_FAULT`]. `host` goes into the
    /// detail, as Windows does it.
    pub fn element(&self, host: &str) -> Element {
        let soap = |name: &str| Element::new(names::SOAP, name);
        let side = match self.side {
            FaultSide::Sender => "s:Sender",
            FaultSide::Receiver => "s:Receiver",
        };
        let mut code = soap("Code").with_child(soap("Value").with_text(side));
        if !self.subcode.is_empty() {
            let prefix = subcode_prefix(&self.subcode);
            let value = soap("Value").with_text(format!("{prefix}:{}", self.subcode));
            code = code.with_child(soap("Subcode").with_child(value));
        }
        let reason = soap("Text")
            .with_attribute(names::XML, "lang", "en-US")
            .with_text(&self.reason);
        soap("Fault")
            .with_child(code)
            .with_child(soap("Reason").with_child(reason))
            .with_child(soap("Detail").with_child(self.detail(host)))
    }

    fn detail(&self, host: &str) -> Element {
        let of = |name: &str| Element::new(names::WSMAN_FAULT, name);
        let code = self.wsman_code.unwrap_or_default().to_string();
        let fault = || {
            of("WSManFault")
                .with_attribute("", "Code", &code)
                .with_attribute("", "Machine", host)
        };
        let message = self.provider.message.as_deref().unwrap_or(&self.reason);
        let mut provider = of("ProviderFault")
            .with_attribute("", "provider", "WMI Provider")
            .with_attribute("", "path", r"%systemroot%\system32\WsmWmiPl.dll")
            .with_child(fault().with_child(of("Message").with_text(message)));
        if let Some(hresult) = self.provider.hresult {
            let namespace = format!("{}root/cimv2/__ExtendedStatus", names::WMI_RESOURCE);
            let property =
                |name: &str, text: &str| Element::new(namespace.as_str(), name).with_text(text);
            let status = Element::new(namespace.as_str(), "__ExtendedStatus")
                .with_child(property("Description", message))
                .with_child(property("ProviderName", "WinMgmt"))
                .with_child(property("StatusCode", &hresult.to_string()));
            provider = provider.with_child(of("ExtendedError").with_child(status));
        }
        fault().with_child(of("Message").with_child(provider))
    }
}

/// Returns the text of `s:Value` without its prefix.
fn local_value(holder: &Element) -> Option<&str> {
    let text = holder.child_text(names::SOAP, "Value")?;
    Some(text.rsplit_once(':').map_or(text, |(_, local)| local))
}

/// Returns the prefix of a subcode's namespace (DSP0226 section 14.6), bound in every envelope.
fn subcode_prefix(subcode: &str) -> &'static str {
    match subcode {
        "ActionNotSupported"
        | "DestinationUnreachable"
        | "EndpointUnavailable"
        | "InvalidMessageInformationHeader"
        | "MessageInformationHeaderRequired" => "a",
        "CannotProcessFilter"
        | "FilterDialectRequestedUnavailable"
        | "FilteringNotSupported"
        | "InvalidEnumerationContext" => "n",
        _ => "w",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WmiErrorKind;

    fn read(body: &str) -> Fault {
        let xml = format!(
            r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:e="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><s:Header/><s:Body>{body}</s:Body></s:Envelope>"#
        );
        Fault::read(&Envelope::parse(xml.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_fault_of_the_service_is_read() {
        let fault = read(
            r#"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>a:DestinationUnreachable</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">The WS-Management service cannot process the request. The service cannot find the resource identified by the resource URI and selectors. </s:Text></s:Reason><s:Detail><w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/InvalidResourceURI</w:FaultDetail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858752" Machine="HV1"><f:Message>The service cannot find the resource. </f:Message></f:WSManFault></s:Detail></s:Fault>"#,
        );
        assert_eq!(
            (fault.side, &*fault.subcode),
            (FaultSide::Sender, "DestinationUnreachable")
        );
        assert_eq!(fault.wsman_code, Some(0x8033_8000));
        let error = fault.to_error("getting Msvm_X of hv1");
        assert_eq!(error.kind(), WmiErrorKind::NotFound);
        assert_eq!(
            error.to_string(),
            "getting Msvm_X of hv1: the host answered \"The service cannot find the resource\" (0x80338000)"
        );
    }

    #[test]
    fn what_the_provider_said_counts_most() {
        let extended = read(
            r#"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code><s:Reason><s:Text>x</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150859010" Machine="HV1"><f:Message><f:ProviderFault provider="WMI Provider" path="%systemroot%\system32\WsmWmiPl.dll"><f:WSManFault Code="2150859010" Machine="HV1"><f:Message>The WMI provider could not.</f:Message></f:WSManFault><f:ExtendedError><p:__ExtendedStatus xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/wmi/__ExtendedStatus" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><p:Description>WDM specific return code: 4200</p:Description><p:StatusCode xsi:nil="true"/></p:__ExtendedStatus></f:ExtendedError></f:ProviderFault></f:Message></f:WSManFault></s:Detail></s:Fault>"#,
        );
        assert_eq!(extended.provider.hresult, None);
        let error = extended.to_error("x");
        assert_eq!(error.kind(), WmiErrorKind::Failed);
        assert!(
            error.to_string().contains("WDM specific return code: 4200"),
            "{error}"
        );

        let mi = read(
            r#"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code><s:Reason><s:Text>x</s:Text></s:Reason><s:Detail><p:MSFT_WmiError xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/MSFT_WmiError"><p:CIMStatusCode>5</p:CIMStatusCode><p:Message>Invalid class </p:Message><p:MessageID>HRESULT 0x80041010</p:MessageID><p:error_Code>2147749904</p:error_Code></p:MSFT_WmiError></s:Detail></s:Fault>"#,
        );
        assert_eq!(mi.provider.cim_status, Some(5));
        let error = mi.to_error("x");
        assert_eq!(error.kind(), WmiErrorKind::NoClass);
        assert_eq!(error.code(), Some(0x8004_1010));
    }

    #[test]
    fn kinds_of_errors_survive_the_way_through_a_fault() {
        for kind in [
            WmiErrorKind::Denied,
            WmiErrorKind::NoNamespace,
            WmiErrorKind::NoClass,
            WmiErrorKind::NotFound,
            WmiErrorKind::NoMethod,
            WmiErrorKind::BadQuery,
            WmiErrorKind::Timeout,
            WmiErrorKind::TooLarge,
            WmiErrorKind::Failed,
        ] {
            let fault = Fault::of_error(&WmiError::new(kind, "no <such> thing"));
            let envelope = Envelope {
                headers: Vec::new(),
                body: Some(fault.element("HV1")),
            };
            let read =
                Fault::read(&Envelope::parse(envelope.to_xml().as_bytes()).unwrap()).unwrap();
            assert_eq!(read, fault);
            let error = read.to_error("asking");
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains("no <such> thing"), "{error}");
        }
        let coded = WmiError::of_hresult(0x8004_1006, "asking");
        assert_eq!(
            Fault::of_error(&coded).to_error("x").code(),
            Some(0x8004_1006)
        );
    }
}
