//! Instances and their properties (DSP0227; \[MS-WSMV\] section 2.2.4).

use super::datetime::{datetime_element, datetime_text};
use super::endpoint::is_endpoint;
use super::{Element, ResourceUri, endpoint_element, endpoint_path, malformed, names};
use crate::{Instance, Value, WmiError};

/// Properties of one instance, arrays counted as one. Windows' largest class has some 200.
const PROPERTIES_MAX: usize = 4096;

/// Writes an instance as the element of its class in `namespace`.
pub fn instance_element(namespace: &str, instance: &Instance) -> Element {
    let uri = ResourceUri::new(namespace, &instance.class).to_string();
    let mut element = Element::new(uri, &instance.class);
    for (name, value) in instance.properties() {
        element
            .children
            .extend(value_elements(&element, name, value));
    }
    element
}

/// Writes a property or a parameter inside `parent`: one element, for an array one for each value.
///
/// `Null` and an array without values are `xsi:nil`: WS-Man cannot tell them apart.
pub fn value_elements(parent: &Element, name: &str, value: &Value) -> Vec<Element> {
    let fresh = || Element::new(parent.namespace.clone(), name);
    let one = |value: &Value| match value {
        Value::Reference(path) => endpoint_element(fresh(), path),
        Value::Instance(inner) => nested(fresh(), inner),
        Value::Text(text) => match datetime_element(text) {
            Some(datetime) => fresh().with_child(datetime),
            None => fresh().with_text(text),
        },
        other => match other.to_text() {
            Some(text) => fresh().with_text(text),
            None => fresh().with_attribute(names::SCHEMA_INSTANCE, "nil", "true"),
        },
    };
    match value {
        Value::List(values) if !values.is_empty() => values.iter().map(one).collect(),
        value => vec![one(value)],
    }
}

/// Writes an instance inside a property. Its namespace is that of its path where it has one.
fn nested(property: Element, inner: &Instance) -> Element {
    let parent = ResourceUri::parse(&property.namespace).ok();
    let namespace = match (&inner.path, &parent) {
        (Some(path), _) if !path.namespace().is_empty() => path.namespace(),
        (_, Some(parent)) => &parent.namespace,
        _ => "",
    };
    property.with_child(instance_element(namespace, inner))
}

/// Reads an instance. Its class is the name of the element; the answer to a projection is a
/// `w:XmlFragment`, for which `asked_class` stands in.
///
/// Errors: `Protocol`.
pub fn read_instance(element: &Element, asked_class: &str) -> Result<Instance, WmiError> {
    let class = if element.is(names::WSMAN, "XmlFragment") {
        asked_class
    } else {
        &element.name
    };
    read_properties(class, element)
}

/// Reads an instance of `class` whose properties are directly inside `element`.
pub(super) fn read_properties(class: &str, element: &Element) -> Result<Instance, WmiError> {
    let mut instance = Instance::new(class);
    for (name, value) in read_values(element)? {
        instance.set(&name, value);
    }
    Ok(instance)
}

/// Reads all that an element holds by name, in order. Elements of the same name are an array.
pub(super) fn read_values(element: &Element) -> Result<Vec<(String, Value)>, WmiError> {
    let mut values: Vec<(String, Value)> = Vec::new();
    for child in &element.children {
        let value = read_value(child)?;
        // The elements of an array come one after another, so the last name is the only one to
        // look at: a host cannot make this quadratic.
        let full = values.len() >= PROPERTIES_MAX;
        match values.last_mut() {
            Some((name, Value::List(list))) if **name == *child.name => list.push(value),
            Some((name, first)) if **name == *child.name => {
                let first = std::mem::take(first);
                values.pop();
                values.push((child.name.to_string(), Value::List(vec![first, value])));
            }
            _ if full => return Err(malformed("an instance has too many properties")),
            _ => values.push((child.name.to_string(), value)),
        }
    }
    Ok(values)
}

/// Reads one value of a property or a parameter: nothing, a reference, an instance or a text.
///
/// Errors: `Protocol`.
pub fn read_value(element: &Element) -> Result<Value, WmiError> {
    if element.is_nil() {
        return Ok(Value::Null);
    }
    if let Some(text) = datetime_text(element) {
        return Ok(Value::Text(text.to_owned()));
    }
    if is_endpoint(element) {
        return Ok(Value::Reference(endpoint_path(element)?));
    }
    if element.children.is_empty() {
        return Ok(Value::Text(element.text.clone()));
    }
    Ok(Value::Instance(Box::new(read_nested(element)?)))
}

/// Reads an instance inside a property: an element of its own inside, or the properties directly
/// inside with the class told by `xsi:type="p:<Class>_Type"`.
fn read_nested(element: &Element) -> Result<Instance, WmiError> {
    if let Some(class) = typed_class(element) {
        return read_properties(class, element);
    }
    match &element.children[..] {
        [only] if ResourceUri::parse(&only.namespace).is_ok_and(|uri| uri.class == *only.name) => {
            read_properties(&only.name, only)
        }
        _ => read_properties(&element.name, element),
    }
}

fn typed_class(element: &Element) -> Option<&str> {
    let name = element.attribute(names::SCHEMA_INSTANCE, "type")?;
    let local = name.rsplit_once(':').map_or(name, |(_, local)| local);
    local
        .strip_suffix("_Type")
        .filter(|class| !class.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ObjectPath, VIRTUALIZATION};

    #[test]
    fn an_instance_as_windows_sends_it_is_read() {
        let xml = r#"<p:Msvm_VirtualSystemSettingData
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
            xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_VirtualSystemSettingData"
            xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common"
            xsi:type="p:Msvm_VirtualSystemSettingData_Type">
            <p:AllowFullSCSICommandSet>false</p:AllowFullSCSICommandSet>
            <p:BootOrder>2</p:BootOrder><p:BootOrder>0</p:BootOrder><p:BootOrder>1</p:BootOrder>
            <p:Caption xsi:nil="true"/>
            <p:CreationTime><cim:Datetime>2026-11-20T22:01:02.123456Z</cim:Datetime></p:CreationTime>
            <p:AutomaticStartupActionDelay><cim:Interval>P0DT0H0M5S</cim:Interval></p:AutomaticStartupActionDelay>
            <p:ElementName>Büro &amp; Co</p:ElementName>
            <p:Notes><![CDATA[<INSTANCE CLASSNAME="X"/>]]></p:Notes>
            <p:Empty></p:Empty>
            </p:Msvm_VirtualSystemSettingData>"#;
        let element = Element::parse(xml.as_bytes()).unwrap();
        let instance = read_instance(&element, "").unwrap();
        assert_eq!(instance.class, "Msvm_VirtualSystemSettingData");
        assert!(!instance.flag("AllowFullSCSICommandSet"));
        assert_eq!(instance.numbers::<u16>("BootOrder"), [2, 0, 1]);
        assert!(instance.has("Caption"));
        assert_eq!(instance.value("Caption"), &Value::Null);
        let time = instance.time("CreationTime").unwrap();
        assert_eq!(time.to_string(), "2026-11-20T22:01:02.123456Z");
        assert_eq!(
            instance.text("AutomaticStartupActionDelay").as_deref(),
            Some("P0DT0H0M5S")
        );
        assert_eq!(instance.text("ElementName").as_deref(), Some("Büro & Co"));
        assert_eq!(
            instance.text("Notes").as_deref(),
            Some("<INSTANCE CLASSNAME=\"X\"/>")
        );
        assert_eq!(instance.value("Empty"), &Value::Text(String::new()));
    }

    #[test]
    fn a_projection_is_an_instance_of_the_class_asked_for() {
        let xml = r#"<w:XmlFragment xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
            <Name>A</Name><InstallDate><Datetime>2026-01-01T00:00:00Z</Datetime></InstallDate>
            </w:XmlFragment>"#;
        let element = Element::parse(xml.as_bytes()).unwrap();
        let instance = read_instance(&element, "Win32_X").unwrap();
        assert_eq!(instance.class, "Win32_X");
        assert_eq!(instance.text("Name").as_deref(), Some("A"));
        assert!(instance.time("InstallDate").is_some());
    }

    #[test]
    fn instances_inside_are_read_in_both_forms() {
        let typed = r#"<p:P xmlns:p="urn:p" xmlns:q="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Y"
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="q:Win32_Y_Type"><q:A>1</q:A></p:P>"#;
        let inside = r#"<p:P xmlns:p="urn:p" xmlns:q="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Y"><q:Win32_Y><q:A>1</q:A></q:Win32_Y></p:P>"#;
        for xml in [typed, inside] {
            let value = read_value(&Element::parse(xml.as_bytes()).unwrap()).unwrap();
            let Value::Instance(instance) = value else {
                panic!("{value:?}");
            };
            assert_eq!(*instance, Instance::new("Win32_Y").with("A", "1"));
        }
    }

    /// What a value is after it was text once.
    fn flattened(value: &Value) -> Value {
        match value {
            Value::Bool(_) | Value::Integer(_) => Value::Text(value.to_text().unwrap()),
            Value::List(values) => match &values[..] {
                [] => Value::Null,
                [only] => flattened(only),
                many => Value::List(many.iter().map(flattened).collect()),
            },
            Value::Instance(inner) => Value::Instance(Box::new(
                inner
                    .properties()
                    .fold(Instance::new(&inner.class), |all, (name, value)| {
                        all.with(name, flattened(value))
                    }),
            )),
            other => other.clone(),
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let reference = "[ -~]{0,9}"
            .prop_map(|id| ObjectPath::new(VIRTUALIZATION, "Msvm_J").with_key("InstanceID", id));
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "[ -~\n\t\r]{0,30}".prop_map(Value::from),
            reference.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let properties = proptest::collection::vec(("[A-C]", inner.clone()), 1..3);
            let instance = properties.prop_map(|all| {
                let of = |all: Instance, (name, value): (String, Value)| all.with(&name, value);
                Value::Instance(Box::new(all.into_iter().fold(Instance::new("Msvm_In"), of)))
            });
            let no_list = inner.prop_filter("no list in a list", |value| {
                !matches!(value, Value::List(_))
            });
            prop_oneof![
                proptest::collection::vec(no_list, 0..3).prop_map(Value::List),
                instance
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn instances_come_back(a in any_value(), b in any_value()) {
            let instance = Instance::new("Msvm_X").with("A", a).with("B", b);
            let xml = instance_element(VIRTUALIZATION, &instance).to_xml();
            let read = read_instance(&Element::parse(xml.as_bytes()).unwrap(), "").unwrap();
            let Value::Instance(expected) = flattened(&Value::Instance(Box::new(instance))) else {
                unreachable!();
            };
            prop_assert_eq!(read, *expected, "{}", xml);
        }
    }
}
