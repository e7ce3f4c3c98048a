//! The headers of a request.

use std::time::Duration;

use jiff::SignedDuration;

use super::endpoint::path_of;
use super::{Element, Envelope, ResourceUri, malformed, names, selector_element};
use crate::{ObjectPath, WmiError};

/// What a request says above its body (\[MS-WSMV\] section 2.2.4, DSP0226 section 5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// The address of the service, `http://host:5985/wsman`.
    pub to: String,
    /// What is asked: one of the actions of [`names`], or the method's.
    pub action: String,
    /// A name for this request, `uuid:…`; the answer repeats it.
    pub message_id: String,
    /// What it is asked of: a class where there are no keys, else an object.
    pub target: ObjectPath,
    /// Bytes that the answer may have.
    pub envelope_bytes_max: Option<u32>,
    /// How long the host may take.
    pub timeout: Option<Duration>,
}

impl RequestHeader {
    /// Makes the whole request.
    pub fn envelope(&self, body: Option<Element>) -> Envelope {
        let text =
            |namespace: &str, name: &str, text: &str| Element::new(namespace, name).with_text(text);
        let must = |element: Element| element.with_attribute(names::SOAP, "mustUnderstand", "true");
        let uri = ResourceUri::of_path(&self.target).to_string();
        let reply_to = Element::new(names::ADDRESSING, "ReplyTo").with_child(must(text(
            names::ADDRESSING,
            "Address",
            names::ANONYMOUS,
        )));
        let mut headers = vec![
            text(names::ADDRESSING, "To", &self.to),
            must(text(names::WSMAN, "ResourceURI", &uri)),
            reply_to,
            must(text(names::ADDRESSING, "Action", &self.action)),
            text(names::ADDRESSING, "MessageID", &self.message_id),
        ];
        if let Some(bytes) = self.envelope_bytes_max {
            let size = text(names::WSMAN, "MaxEnvelopeSize", &bytes.to_string());
            headers.push(must(size));
        }
        for (namespace, name) in [(names::WSMAN, "Locale"), (names::MICROSOFT, "DataLocale")] {
            // English, so that an operator's report can be looked up.
            headers.push(
                Element::new(namespace, name)
                    .with_attribute(names::XML, "lang", "en-US")
                    .with_attribute(names::SOAP, "mustUnderstand", "false"),
            );
        }
        if let Some(timeout) = self.timeout {
            let seconds = format!("PT{}.{:03}S", timeout.as_secs(), timeout.subsec_millis());
            headers.push(text(names::WSMAN, "OperationTimeout", &seconds));
        }
        headers.extend(selector_element(&self.target));
        Envelope { headers, body }
    }

    /// Reads the headers of a request.
    ///
    /// Errors: `Protocol` where one that is needed is missing or cannot be read.
    pub fn read(envelope: &Envelope) -> Result<Self, WmiError> {
        let wanted = |namespace, name| {
            envelope
                .header_text(namespace, name)
                .ok_or_else(|| malformed(format!("the request has no {name}")))
        };
        let uri = ResourceUri::parse(wanted(names::WSMAN, "ResourceURI")?)?;
        let size = envelope.header_text(names::WSMAN, "MaxEnvelopeSize");
        let timeout = envelope.header_text(names::WSMAN, "OperationTimeout");
        Ok(Self {
            to: wanted(names::ADDRESSING, "To")?.to_owned(),
            action: envelope.action()?.to_owned(),
            message_id: wanted(names::ADDRESSING, "MessageID")?.to_owned(),
            target: path_of(&uri, envelope.header(names::WSMAN, "SelectorSet"))?,
            envelope_bytes_max: size
                .map(|text| {
                    text.parse()
                        .map_err(|_| malformed("MaxEnvelopeSize is no number"))
                })
                .transpose()?,
            timeout: timeout.map(read_duration).transpose()?,
        })
    }
}

fn read_duration(text: &str) -> Result<Duration, WmiError> {
    let duration: Option<SignedDuration> = text.parse().ok();
    duration
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| malformed("OperationTimeout is no duration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> RequestHeader {
        RequestHeader {
            to: "http://hv1:5985/wsman".to_owned(),
            action: names::ACTION_GET.to_owned(),
            message_id: "uuid:6A2C3F0E-0000-4000-8000-000000000001".to_owned(),
            target: ObjectPath::new(crate::CIMV2, "Win32_Volume")
                .with_key("DeviceID", r"\\?\V{1}\"),
            envelope_bytes_max: Some(512_000),
            timeout: Some(Duration::from_millis(60_500)),
        }
    }

    #[test]
    fn a_request_comes_back() {
        let xml = header().envelope(None).to_xml();
        let read = Envelope::parse(xml.as_bytes()).unwrap();
        assert_eq!(RequestHeader::read(&read).unwrap(), header());
        assert!(read.body.is_none());
        assert!(
            xml.contains("<w:OperationTimeout>PT60.500S</w:OperationTimeout>"),
            "{xml}"
        );
    }

    #[test]
    fn a_request_of_another_client_is_read() {
        // As pywinrm writes it: other prefixes, other order.
        let xml = r#"<?xml version="1.0" encoding="utf-8"?><env:Envelope
            xmlns:env="http://www.w3.org/2003/05/soap-envelope"
            xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
            xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><env:Header>
            <a:To>http://windows-host:5985/wsman</a:To>
            <a:ReplyTo><a:Address mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>
            <w:MaxEnvelopeSize mustUnderstand="true">153600</w:MaxEnvelopeSize>
            <a:MessageID>uuid:11111111-1111-1111-1111-111111111111</a:MessageID>
            <w:Locale mustUnderstand="false" xml:lang="en-US"/>
            <w:OperationTimeout>PT20S</w:OperationTimeout>
            <w:ResourceURI mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*</w:ResourceURI>
            <a:Action mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate</a:Action>
            </env:Header><env:Body/></env:Envelope>"#;
        let read = RequestHeader::read(&Envelope::parse(xml.as_bytes()).unwrap()).unwrap();
        assert_eq!(read.action, names::ACTION_ENUMERATE);
        assert_eq!(read.target.class(), "*");
        assert_eq!(read.target.namespace(), r"root\cimv2");
        assert_eq!(read.timeout, Some(Duration::from_secs(20)));
        assert_eq!(read.envelope_bytes_max, Some(153_600));
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut envelope = header().envelope(None);
        envelope
            .headers
            .retain(|header| &*header.name != "MessageID");
        let error = RequestHeader::read(&envelope).unwrap_err();
        assert!(error.to_string().contains("MessageID"), "{error}");
    }
}
