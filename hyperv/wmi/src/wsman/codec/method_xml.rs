//! Method calls: `<Method>_INPUT` and `<Method>_OUTPUT` (DSP0227 section 7).

use super::instance_xml::{read_properties, read_values};
use super::{Element, ResourceUri, malformed, value_elements};
use crate::{MethodOutput, ObjectPath, Value, WmiError};

/// A method and its parameters, as the body of a request says them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodCall {
    /// The name of the method.
    pub method: String,
    /// The parameters that were given.
    pub parameters: Vec<(String, Value)>,
}

impl MethodCall {
    /// Returns the action of a call: the address of the class, then the method.
    pub fn action(target: &ObjectPath, method: &str) -> String {
        format!("{}/{method}", ResourceUri::of_path(target))
    }

    /// Returns the method that an action names, where it is one of the class of `target`.
    pub fn method_of_action<'a>(target: &ObjectPath, action: &'a str) -> Option<&'a str> {
        let uri = ResourceUri::of_path(target).to_string();
        let (start, rest) = action.split_at_checked(uri.len())?;
        let method = rest.strip_prefix('/')?;
        (start.eq_ignore_ascii_case(&uri) && !method.is_empty()).then_some(method)
    }

    /// Writes the body of a call. Parameters that are `Null`, or arrays without values, are left
    /// out.
    pub fn element(target: &ObjectPath, method: &str, parameters: &[(&str, Value)]) -> Element {
        let uri = ResourceUri::of_path(target).to_string();
        let mut input = Element::new(uri, &format!("{method}_INPUT"));
        for (name, value) in parameters {
            if !value.items().is_empty() {
                input.children.extend(value_elements(&input, name, value));
            }
        }
        input
    }

    /// Reads the body of a call; a method without parameters may come without one.
    ///
    /// Errors: `Protocol`.
    pub fn read(body: Option<&Element>, method: &str) -> Result<Self, WmiError> {
        let mut call = Self {
            method: method.to_owned(),
            parameters: Vec::new(),
        };
        if let Some(body) = body {
            if body.name.strip_suffix("_INPUT") != Some(method) {
                return Err(malformed(format!("its body is not that of {method}")));
            }
            call.parameters = read_values(body)?;
        }
        Ok(call)
    }
}

/// Writes the body of an answer.
pub fn output_element(target: &ObjectPath, method: &str, output: &MethodOutput) -> Element {
    let uri = ResourceUri::of_path(target).to_string();
    let mut element = Element::new(uri, &format!("{method}_OUTPUT"));
    let named = output.parameters.properties();
    for (name, value) in named.filter(|(name, _)| !name.eq_ignore_ascii_case("ReturnValue")) {
        element
            .children
            .extend(value_elements(&element, name, value));
    }
    let value = output.return_value.into();
    let returned = value_elements(&element, "ReturnValue", &value);
    element.children.extend(returned);
    element
}

/// Reads the body of an answer.
///
/// Errors: `Protocol`, also where there is no return value.
pub fn read_output(body: &Element, method: &str) -> Result<MethodOutput, WmiError> {
    if body.name.strip_suffix("_OUTPUT") != Some(method) {
        return Err(malformed(format!("its body is not the answer of {method}")));
    }
    let parameters = read_properties(&body.name, body)?;
    Ok(MethodOutput {
        return_value: parameters.required_number("ReturnValue")?,
        parameters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Instance, VIRTUALIZATION};

    fn service() -> ObjectPath {
        ObjectPath::new(VIRTUALIZATION, "Msvm_VirtualSystemSnapshotService")
            .with_key("Name", "vssvc")
    }

    #[test]
    fn a_call_is_written_as_hosts_accept_it_and_comes_back() {
        let vm = ObjectPath::new(VIRTUALIZATION, "Msvm_ComputerSystem").with_key("Name", "1");
        let given = [
            ("AffectedSystem", Value::from(vm.clone())),
            ("SnapshotSettings", "<INSTANCE CLASSNAME=\"X\"/>".into()),
            ("SnapshotType", 32_768_u16.into()),
            ("ResultingSnapshot", Value::Null),
            ("None", Value::List(Vec::new())),
        ];
        let body = MethodCall::element(&service(), "CreateSnapshot", &given);
        let xml = body.to_xml();
        let uri = ResourceUri::of_path(&service());
        assert!(
            xml.starts_with(&format!(
                "<p:CreateSnapshot_INPUT xmlns:p=\"{uri}\"><p:AffectedSystem><a:Address"
            )),
            "{xml}"
        );
        assert!(
            xml.contains("<p:SnapshotType>32768</p:SnapshotType>"),
            "{xml}"
        );
        let read = Element::parse(xml.as_bytes()).unwrap();
        let call = MethodCall::read(Some(&read), "CreateSnapshot").unwrap();
        assert_eq!(call.parameters.len(), 3);
        assert_eq!(call.parameters[0], ("AffectedSystem".to_owned(), vm.into()));
        assert!(MethodCall::read(Some(&read), "Create").is_err());
        assert!(
            MethodCall::read(None, "GetErrorEx")
                .unwrap()
                .parameters
                .is_empty()
        );
    }

    #[test]
    fn an_action_names_its_method() {
        let action = MethodCall::action(&service(), "CreateSnapshot");
        assert!(action.ends_with("/v2/Msvm_VirtualSystemSnapshotService/CreateSnapshot"));
        assert_eq!(
            MethodCall::method_of_action(&service(), &action),
            Some("CreateSnapshot")
        );
        assert_eq!(MethodCall::method_of_action(&service(), "urn:x/Y"), None);
    }

    #[test]
    fn an_answer_as_windows_sends_it_is_read() {
        let xml = r#"<p:CreateSnapshot_OUTPUT
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
            xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_VirtualSystemSnapshotService"
            xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
            xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
            <p:Job><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>
            <a:ReferenceParameters><w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_ConcreteJob</w:ResourceURI>
            <w:SelectorSet><w:Selector Name="InstanceID">7F0D</w:Selector></w:SelectorSet></a:ReferenceParameters></p:Job>
            <p:ResultingSnapshot xsi:nil="true"/><p:ReturnValue>4096</p:ReturnValue></p:CreateSnapshot_OUTPUT>"#;
        let output =
            read_output(&Element::parse(xml.as_bytes()).unwrap(), "CreateSnapshot").unwrap();
        assert_eq!(output.return_value, 4096);
        let job = output.parameters.value("Job").to_reference().unwrap();
        assert_eq!(job.key("InstanceID"), Some("7F0D"));
        assert_eq!(output.parameters.value("ResultingSnapshot"), &Value::Null);
    }

    #[test]
    fn answers_come_back_and_need_a_return_value() {
        let output = MethodOutput {
            return_value: 0,
            parameters: Instance::new("X").with("Offsets", vec![1_u64, 2]),
        };
        let element = output_element(&service(), "Get", &output);
        let read = read_output(&element, "Get").unwrap();
        assert_eq!(read.return_value, 0);
        assert_eq!(read.parameters.numbers::<u64>("Offsets"), [1, 2]);
        assert!(read_output(&Element::new("urn:x", "Get_OUTPUT"), "Get").is_err());
        assert!(read_output(&element, "Set").is_err());
    }
}
