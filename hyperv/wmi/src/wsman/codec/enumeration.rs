//! Enumerations: Enumerate, Pull and Release (WS-Enumeration; DSP0226 section 8).

use super::{
    Element, Envelope, endpoint_element, endpoint_path, instance_element, malformed, names,
    read_instance,
};
use crate::{Instance, WmiError};

/// What the items of an enumeration are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EnumerationMode {
    /// Instances.
    #[default]
    Object,
    /// References.
    Reference,
    /// Both, so that every instance knows its path.
    ObjectAndReference,
}

impl EnumerationMode {
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Object => None,
            Self::Reference => Some("EnumerateEPR"),
            Self::ObjectAndReference => Some("EnumerateObjectAndEPR"),
        }
    }
}

/// An enumeration begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnumerateRequest {
    /// The query in WQL; without one, all instances of the class that the request names.
    pub wql: Option<String>,
    /// What the items are.
    pub mode: EnumerationMode,
    /// How many items the answer may hold already; `None` for none.
    pub elements_max: Option<u32>,
}

impl EnumerateRequest {
    /// Writes the body.
    pub fn element(&self) -> Element {
        let mut body = Element::new(names::ENUMERATION, "Enumerate");
        let mut add = |child: Element| body.children.push(child);
        if let Some(elements_max) = self.elements_max {
            add(Element::new(names::WSMAN, "OptimizeEnumeration"));
            add(max_elements(names::WSMAN, elements_max));
        }
        if let Some(wql) = &self.wql {
            add(Element::new(names::WSMAN, "Filter")
                .with_attribute("", "Dialect", names::WQL_DIALECT)
                .with_text(wql));
        }
        if let Some(mode) = self.mode.name() {
            add(Element::new(names::WSMAN, "EnumerationMode").with_text(mode));
        }
        body
    }

    /// Reads the body.
    ///
    /// Errors: `Protocol`, `BadQuery` for a filter that is not WQL.
    pub fn read(envelope: &Envelope) -> Result<Self, WmiError> {
        let body = envelope.expect_body(names::ENUMERATION, "Enumerate")?;
        let mut request = Self::default();
        if let Some(filter) = body.child(names::WSMAN, "Filter") {
            if filter.attribute("", "Dialect") != Some(names::WQL_DIALECT) {
                let what = "the dialect of the filter is not WQL";
                return Err(WmiError::new(crate::WmiErrorKind::BadQuery, what));
            }
            request.wql = Some(filter.text.trim().to_owned());
        }
        request.mode = match body.child_text(names::WSMAN, "EnumerationMode") {
            None => EnumerationMode::Object,
            Some("EnumerateEPR") => EnumerationMode::Reference,
            Some("EnumerateObjectAndEPR") => EnumerationMode::ObjectAndReference,
            Some(_) => return Err(malformed("the mode of the enumeration is not known")),
        };
        if body.child(names::WSMAN, "OptimizeEnumeration").is_some() {
            request.elements_max = Some(read_max_elements(body, names::WSMAN)?.unwrap_or(1));
        }
        Ok(request)
    }
}

/// More items are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The context that the last answer gave.
    pub context: String,
    /// How many items the answer may hold; a host takes `None` for one.
    pub elements_max: Option<u32>,
}

impl PullRequest {
    /// Writes the body.
    pub fn element(&self) -> Element {
        let mut body = Element::new(names::ENUMERATION, "Pull").with_child(context(&self.context));
        let most = self.elements_max;
        body.children
            .extend(most.map(|most| max_elements(names::ENUMERATION, most)));
        body
    }

    /// Reads the body.
    ///
    /// Errors: `Protocol`.
    pub fn read(envelope: &Envelope) -> Result<Self, WmiError> {
        let body = envelope.expect_body(names::ENUMERATION, "Pull")?;
        Ok(Self {
            context: read_context(body)?.ok_or_else(|| malformed("it names no context"))?,
            elements_max: read_max_elements(body, names::ENUMERATION)?,
        })
    }
}

/// An enumeration is no longer wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRequest {
    /// The context that the last answer gave.
    pub context: String,
}

impl ReleaseRequest {
    /// Writes the body.
    pub fn element(&self) -> Element {
        Element::new(names::ENUMERATION, "Release").with_child(context(&self.context))
    }

    /// Reads the body.
    ///
    /// Errors: `Protocol`.
    pub fn read(envelope: &Envelope) -> Result<Self, WmiError> {
        let body = envelope.expect_body(names::ENUMERATION, "Release")?;
        Ok(Self {
            context: read_context(body)?.ok_or_else(|| malformed("it names no context"))?,
        })
    }
}

/// What an answer to Enumerate or Pull holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnumerationPage {
    /// The context to go on with; none at the end.
    pub context: Option<String>,
    /// The items, with their paths where the mode asked for references.
    pub instances: Vec<Instance>,
    /// Nothing follows.
    pub end: bool,
}

impl EnumerationPage {
    /// Writes the body of an answer to Enumerate. `namespace` is that of the instances.
    pub fn enumerate_response(&self, namespace: &str, mode: EnumerationMode) -> Element {
        self.element("EnumerateResponse", names::WSMAN, namespace, mode)
    }

    /// Writes the body of an answer to Pull. `namespace` is that of the instances.
    pub fn pull_response(&self, namespace: &str, mode: EnumerationMode) -> Element {
        self.element("PullResponse", names::ENUMERATION, namespace, mode)
    }

    fn element(&self, name: &str, holder: &str, wmi: &str, mode: EnumerationMode) -> Element {
        let mut body = Element::new(names::ENUMERATION, name);
        // An enumeration that ended has an empty context in the answer to Enumerate, as Windows
        // sends it, since the schema asks for one.
        match &self.context {
            Some(text) => body.children.push(context(text)),
            None if name == "EnumerateResponse" => body.children.push(context("")),
            None => {}
        }
        let mut items = Element::new(holder, "Items");
        for instance in &self.instances {
            items.children.push(item(instance, wmi, mode));
        }
        body.children.push(items);
        if self.end {
            body.children.push(Element::new(holder, "EndOfSequence"));
        }
        body
    }

    /// Reads the body of an answer to Enumerate or Pull. `asked_class` is the class of a
    /// projection.
    ///
    /// Errors: `Protocol`.
    pub fn read(envelope: &Envelope, asked_class: &str) -> Result<Self, WmiError> {
        let body = envelope
            .body
            .as_ref()
            .filter(|body| {
                body.is(names::ENUMERATION, "EnumerateResponse")
                    || body.is(names::ENUMERATION, "PullResponse")
            })
            .ok_or_else(|| malformed("its body is not one of an enumeration"))?;
        let holders = [names::WSMAN, names::ENUMERATION];
        let mut page = Self {
            context: read_context(body)?.filter(|context| !context.is_empty()),
            instances: Vec::new(),
            end: holders
                .iter()
                .any(|one| body.child(one, "EndOfSequence").is_some()),
        };
        let items = holders.iter().filter_map(|one| body.child(one, "Items"));
        for element in items.flat_map(|items| &items.children) {
            page.instances.push(read_item(element, asked_class)?);
        }
        Ok(page)
    }
}

fn item(instance: &Instance, namespace: &str, mode: EnumerationMode) -> Element {
    let reference = || {
        let element = Element::new(names::ADDRESSING, "EndpointReference");
        match instance.object_path(namespace) {
            Ok(path) => endpoint_element(element, &path),
            // What has no keys has an address without selectors.
            Err(_) => {
                endpoint_element(element, &crate::ObjectPath::new(namespace, &instance.class))
            }
        }
    };
    match mode {
        EnumerationMode::Object => instance_element(namespace, instance),
        EnumerationMode::Reference => reference(),
        EnumerationMode::ObjectAndReference => Element::new(names::WSMAN, "Item")
            .with_child(instance_element(namespace, instance))
            .with_child(reference()),
    }
}

fn read_item(element: &Element, asked_class: &str) -> Result<Instance, WmiError> {
    let is_reference = |one: &Element| one.is(names::ADDRESSING, "EndpointReference");
    if is_reference(element) {
        let path = endpoint_path(element)?;
        let mut instance = Instance::new(path.class());
        instance.path = Some(path);
        return Ok(instance);
    }
    if !element.is(names::WSMAN, "Item") {
        return read_instance(element, asked_class);
    }
    let object = element
        .children
        .iter()
        .find(|one| !is_reference(one))
        .ok_or_else(|| malformed("an item has no instance"))?;
    let mut instance = read_instance(object, asked_class)?;
    let reference = element.children.iter().find(|one| is_reference(one));
    // An object without keys has no path to be had again by.
    instance.path = reference
        .map(endpoint_path)
        .transpose()?
        .filter(|path| path.keys().next().is_some());
    Ok(instance)
}

fn context(text: &str) -> Element {
    Element::new(names::ENUMERATION, "EnumerationContext").with_text(text)
}

/// Bytes of a context. Windows' are names of 41 characters.
const CONTEXT_BYTES_MAX: usize = 4096;

fn read_context(body: &Element) -> Result<Option<String>, WmiError> {
    let context = body.child_text(names::ENUMERATION, "EnumerationContext");
    if context.is_some_and(|context| context.len() > CONTEXT_BYTES_MAX) {
        return Err(malformed("the context of the enumeration is too long"));
    }
    Ok(context.map(str::to_owned))
}

fn max_elements(namespace: &str, most: u32) -> Element {
    Element::new(namespace, "MaxElements").with_text(most.to_string())
}

fn read_max_elements(body: &Element, namespace: &str) -> Result<Option<u32>, WmiError> {
    let text = body.child_text(namespace, "MaxElements");
    text.map(|text| {
        text.parse()
            .map_err(|_| malformed("MaxElements is no number"))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ObjectPath, VIRTUALIZATION};

    fn wrapped(body: Element) -> Envelope {
        let envelope = Envelope {
            headers: Vec::new(),
            body: Some(body),
        };
        Envelope::parse(envelope.to_xml().as_bytes()).unwrap()
    }

    #[test]
    fn requests_come_back() {
        let enumerate = EnumerateRequest {
            wql: Some("SELECT * FROM Msvm_X WHERE A < \"1\"".to_owned()),
            mode: EnumerationMode::ObjectAndReference,
            elements_max: Some(50),
        };
        assert_eq!(
            EnumerateRequest::read(&wrapped(enumerate.element())).unwrap(),
            enumerate
        );
        let plain = EnumerateRequest::default();
        assert_eq!(
            EnumerateRequest::read(&wrapped(plain.element())).unwrap(),
            plain
        );
        let pull = PullRequest {
            context: "uuid:1".to_owned(),
            elements_max: Some(9),
        };
        assert_eq!(PullRequest::read(&wrapped(pull.element())).unwrap(), pull);
        let release = ReleaseRequest {
            context: "uuid:1".to_owned(),
        };
        assert_eq!(
            ReleaseRequest::read(&wrapped(release.element())).unwrap(),
            release
        );
        assert!(ReleaseRequest::read(&wrapped(pull.element())).is_err());
    }

    #[test]
    fn other_dialects_are_refused() {
        let mut body = EnumerateRequest {
            wql: Some("x".to_owned()),
            ..Default::default()
        }
        .element();
        body.children[0].attributes[0].value =
            "http://www.w3.org/TR/1999/REC-xpath-19991116".to_owned();
        let error = EnumerateRequest::read(&wrapped(body)).unwrap_err();
        assert_eq!(error.kind(), crate::WmiErrorKind::BadQuery);
    }

    #[test]
    fn pages_come_back_in_each_mode() {
        let path = ObjectPath::new(VIRTUALIZATION, "Msvm_X").with_key("InstanceID", "1");
        let mut instance = Instance::new("Msvm_X")
            .with("InstanceID", "1")
            .with("B", "2");
        instance.path = Some(path.clone());
        for mode in [EnumerationMode::Object, EnumerationMode::ObjectAndReference] {
            let page = EnumerationPage {
                context: Some("uuid:2".to_owned()),
                instances: vec![instance.clone(); 2],
                end: false,
            };
            for body in [
                page.enumerate_response(VIRTUALIZATION, mode),
                page.pull_response(VIRTUALIZATION, mode),
            ] {
                let mut read = EnumerationPage::read(&wrapped(body), "").unwrap();
                if mode == EnumerationMode::Object {
                    assert_eq!(read.instances[0].path, None);
                    read.instances
                        .iter_mut()
                        .for_each(|one| one.path = Some(path.clone()));
                }
                assert_eq!(read, page);
            }
        }
        let last = EnumerationPage {
            end: true,
            instances: vec![instance],
            context: None,
        };
        let body = last.enumerate_response(VIRTUALIZATION, EnumerationMode::Reference);
        let read = EnumerationPage::read(&wrapped(body), "").unwrap();
        assert!(read.end && read.context.is_none());
        assert_eq!(read.instances[0].path, Some(path));
    }

    #[test]
    fn an_optimised_answer_as_windows_sends_it_is_read() {
        let xml = r#"<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"><s:Header><a:Action>http://schemas.xmlsoap.org/ws/2004/09/enumeration/EnumerateResponse</a:Action><a:MessageID>uuid:D9</a:MessageID><a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To><a:RelatesTo>uuid:1</a:RelatesTo></s:Header><s:Body><n:EnumerateResponse><n:EnumerationContext/><w:Items><w:Item><p:Msvm_ComputerSystem xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_ComputerSystem" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="p:Msvm_ComputerSystem_Type"><p:CreationClassName>Msvm_ComputerSystem</p:CreationClassName><p:ElementName>vm1</p:ElementName><p:EnabledState>2</p:EnabledState><p:Name>5E0E</p:Name><p:OperationalStatus>2</p:OperationalStatus></p:Msvm_ComputerSystem><a:EndpointReference><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address><a:ReferenceParameters><w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_ComputerSystem</w:ResourceURI><w:SelectorSet><w:Selector Name="CreationClassName">Msvm_ComputerSystem</w:Selector><w:Selector Name="Name">5E0E</w:Selector></w:SelectorSet></a:ReferenceParameters></a:EndpointReference></w:Item></w:Items><w:EndOfSequence/></n:EnumerateResponse></s:Body></s:Envelope>"#;
        let page = EnumerationPage::read(&Envelope::parse(xml.as_bytes()).unwrap(), "").unwrap();
        assert!(page.end && page.context.is_none());
        let [vm] = &page.instances[..] else {
            panic!("one item expected");
        };
        assert_eq!(vm.text("ElementName").as_deref(), Some("vm1"));
        assert_eq!(vm.numbers::<u16>("OperationalStatus"), [2]);
        assert_eq!(vm.path.as_ref().unwrap().key("Name"), Some("5E0E"));
    }
}
