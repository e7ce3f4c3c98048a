//! Instances as text inside parameters: CIM-XML.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::limits::{DEPTH_MAX, EMBEDDED_BYTES_MAX, VALUES_MAX};
use crate::{Instance, Value, WmiError, WmiErrorKind};

/// Types of properties, as CIM-XML names them (DSP0201 section 5.2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CimType {
    /// `boolean`
    Boolean,
    /// `uint8`
    Uint8,
    /// `uint16`
    Uint16,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
    /// `string`
    String,
    /// `datetime`
    DateTime,
}

impl CimType {
    /// Returns the name in CIM-XML.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::String => "string",
            Self::DateTime => "datetime",
        }
    }
}

/// An instance that travels as CIM-XML text in a string parameter, such as `SnapshotSettings`.
///
/// The text is one `INSTANCE` without declarations around it, as `GetText` with
/// `WMI_OBJ_TEXT_CIM_DTD_2_0` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedInstance {
    class: String,
    properties: Vec<(String, CimType, Value)>,
}

impl EmbeddedInstance {
    /// Makes an instance without properties.
    pub fn new(class: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            properties: Vec::new(),
        }
    }

    /// Adds a property.
    #[must_use]
    pub fn with(mut self, name: &str, cim_type: CimType, value: impl Into<Value>) -> Self {
        self.properties
            .push((name.to_owned(), cim_type, value.into()));
        self
    }

    /// Writes the text.
    pub fn to_xml(&self) -> String {
        let mut xml = format!("<INSTANCE CLASSNAME=\"{}\">", escape(&self.class));
        for (name, cim_type, value) in &self.properties {
            let (name, cim_type) = (escape(name), cim_type.name());
            if let Value::List(values) = value {
                xml.push_str(&format!(
                    "<PROPERTY.ARRAY NAME=\"{name}\" TYPE=\"{cim_type}\"><VALUE.ARRAY>"
                ));
                for value in values {
                    write_value(&mut xml, value);
                }
                xml.push_str("</VALUE.ARRAY></PROPERTY.ARRAY>");
            } else {
                xml.push_str(&format!("<PROPERTY NAME=\"{name}\" TYPE=\"{cim_type}\">"));
                write_value(&mut xml, value);
                xml.push_str("</PROPERTY>");
            }
        }
        xml.push_str("</INSTANCE>");
        xml
    }
}

fn write_value(xml: &mut String, value: &Value) {
    if let Some(text) = value.to_text() {
        xml.push_str(&format!("<VALUE>{}</VALUE>", escape(&text)));
    }
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

impl Instance {
    /// Reads an embedded instance: CIM DTD 2.0 or WMI DTD 2.0, with or without declarations around
    /// it. Values stay text; qualifiers and methods are passed over.
    ///
    /// Errors: `TooLarge`, `Protocol`.
    pub fn from_cim_xml(text: &str) -> Result<Self, WmiError> {
        if text.len() > EMBEDDED_BYTES_MAX {
            let what = format!("an embedded instance of {} bytes", text.len());
            return Err(WmiError::new(WmiErrorKind::TooLarge, what));
        }
        let mut reader = Reader::from_str(text);
        let mut state = CimXmlState::default();
        loop {
            match reader
                .read_event()
                .map_err(|error| malformed(&error.to_string()))?
            {
                Event::Start(element) => state.open(&element)?,
                Event::Empty(element) => {
                    state.open(&element)?;
                    state.close()?;
                }
                Event::End(_) => state.close()?,
                Event::Text(text) => state.text.push_str(&text.xml10_content()),
                Event::CData(text) => state.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => state.text.push(character(&reference)?),
                Event::DocType(_) => return Err(malformed("it has a document type")),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        state
            .instance
            .ok_or_else(|| malformed("it has no INSTANCE"))
    }
}

/// Returns the character of a numeric reference or of one of XML's own five; there are no others.
fn character(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, WmiError> {
    let number = reference
        .resolve_char_ref()
        .map_err(|error| malformed(&error.to_string()))?;
    if let Some(character) = number {
        return Ok(character);
    }
    let name = reference.xml10_content();
    quick_xml::escape::resolve_xml_entity(&name)
        .and_then(|text| text.chars().next())
        .ok_or_else(|| malformed(&format!("the entity {name} is not one of XML's own")))
}

fn malformed(why: &str) -> WmiError {
    WmiError::new(
        WmiErrorKind::Protocol,
        format!("an embedded instance cannot be read: {why}"),
    )
}

/// Where the reader is in the text.
#[derive(Default)]
struct CimXmlState {
    open: Vec<String>,
    text: String,
    instance: Option<Instance>,
    property: Option<(String, Vec<Value>)>,
    values: usize,
}

impl CimXmlState {
    fn open(&mut self, element: &quick_xml::events::BytesStart<'_>) -> Result<(), WmiError> {
        let name = element.local_name().as_ref().to_uppercase();
        let attribute = |wanted: &str| -> Result<String, WmiError> {
            for attribute in element.attributes() {
                let attribute = attribute.map_err(|error| malformed(&error.to_string()))?;
                if attribute.key.as_ref().eq_ignore_ascii_case(wanted) {
                    let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
                    let value = value.map_err(|error| malformed(&error.to_string()))?;
                    return Ok(value.into_owned());
                }
            }
            Err(malformed(&format!("{name} has no {wanted}")))
        };
        match name.as_str() {
            "INSTANCE" if self.instance.is_none() => {
                self.instance = Some(Instance::new(attribute("CLASSNAME")?));
            }
            // Of an instance inside this one nothing is read yet, and no class has one.
            "PROPERTY" | "PROPERTY.ARRAY" if self.instance.is_some() && self.property.is_none() => {
                self.property = Some((attribute("NAME")?, Vec::new()));
            }
            _ => {}
        }
        self.text.clear();
        self.open.push(name);
        if self.open.len() > DEPTH_MAX {
            return Err(malformed("its elements are nested too deeply"));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), WmiError> {
        let name = self
            .open
            .pop()
            .ok_or_else(|| malformed("an element ends that never began"))?;
        let inside_qualifier = self.open.iter().any(|name| name == "QUALIFIER");
        match (name.as_str(), &mut self.property, &mut self.instance) {
            ("VALUE", Some((_, values)), _) if !inside_qualifier => {
                self.values += 1;
                if self.values > VALUES_MAX {
                    return Err(malformed("it has too many values"));
                }
                values.push(Value::Text(std::mem::take(&mut self.text)));
            }
            ("PROPERTY", property, Some(instance)) => {
                if let Some((name, mut values)) = property.take() {
                    instance.set(&name, values.pop().unwrap_or(Value::Null));
                }
            }
            ("PROPERTY.ARRAY", property, Some(instance)) => {
                if let Some((name, values)) = property.take() {
                    instance.set(&name, Value::List(values));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_hosts_accept_and_comes_back() {
        let settings = EmbeddedInstance::new("Msvm_VirtualSystemSnapshotSettingData")
            .with("ConsistencyLevel", CimType::Uint8, 1_u8)
            .with("IgnoreNonSnapshottableDisks", CimType::Boolean, true)
            .with("ElementName", CimType::String, "a < b & \"c\"")
            .with(
                "HostResource",
                CimType::String,
                vec!["C:\\a.vhdx", "D:\\b.vhdx"],
            );
        let xml = settings.to_xml();
        assert!(xml.starts_with(
            "<INSTANCE CLASSNAME=\"Msvm_VirtualSystemSnapshotSettingData\">\
             <PROPERTY NAME=\"ConsistencyLevel\" TYPE=\"uint8\"><VALUE>1</VALUE></PROPERTY>\
             <PROPERTY NAME=\"IgnoreNonSnapshottableDisks\" TYPE=\"boolean\"><VALUE>true</VALUE></PROPERTY>"
        ));
        let read = Instance::from_cim_xml(&xml).unwrap();
        assert_eq!(read.class, "Msvm_VirtualSystemSnapshotSettingData");
        assert_eq!(read.number::<u8>("ConsistencyLevel"), Some(1));
        assert!(read.flag("IgnoreNonSnapshottableDisks"));
        assert_eq!(read.text("ElementName").as_deref(), Some("a < b & \"c\""));
        assert_eq!(read.texts("HostResource"), ["C:\\a.vhdx", "D:\\b.vhdx"]);
    }

    #[test]
    fn the_wmi_document_type_is_read_too() {
        let text = "<DECLARATIONS><DECLGROUP.WITHPATH><VALUE.OBJECTWITHPATH><INSTANCEPATH/>\
            <INSTANCE CLASSNAME=\"X\"><QUALIFIER NAME=\"dynamic\" TYPE=\"boolean\"><VALUE>TRUE</VALUE></QUALIFIER>\
            <PROPERTY NAME=\"A\" CLASSORIGIN=\"Y\" TYPE=\"string\">\
            <QUALIFIER NAME=\"key\"><VALUE>FALSE</VALUE></QUALIFIER><VALUE><![CDATA[1&2]]></VALUE></PROPERTY>\
            <PROPERTY NAME=\"B\" TYPE=\"uint16\"></PROPERTY></INSTANCE>\
            </VALUE.OBJECTWITHPATH></DECLGROUP.WITHPATH></DECLARATIONS>";
        let read = Instance::from_cim_xml(text).unwrap();
        assert_eq!(read.text("A").as_deref(), Some("1&2"));
        assert!(read.has("B"));
        assert_eq!(read.value("B"), &Value::Null);
    }

    #[test]
    fn hostile_texts_are_refused() {
        let deep = "<A>".repeat(100);
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><INSTANCE CLASSNAME=\"&a;\"/>";
        for text in [
            "",
            "<A/>",
            "<INSTANCE/>",
            "</INSTANCE>",
            "<INSTANCE CLASSNAME=\"X\"",
            &deep,
            bomb,
        ] {
            assert!(Instance::from_cim_xml(text).is_err(), "{text}");
        }
    }
}
