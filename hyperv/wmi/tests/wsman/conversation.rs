//! What is asked, and that the answers arrive.

use wmi::wsman::WsmanSession;
use wmi::wsman::codec::{
    EnumerateRequest, EnumerationMode, EnumerationPage, MethodCall, PullRequest, instance_element,
    names, output_element,
};
use wmi::{
    Instance, MethodOutput, ObjectPath, VIRTUALIZATION, Value, WmiError, WmiErrorKind, WmiSession,
};

use super::scripted_host::{Answer, Host};

fn vm(name: &str) -> Instance {
    let mut instance = Instance::new("Msvm_ComputerSystem")
        .with("CreationClassName", "Msvm_ComputerSystem")
        .with("Name", name);
    instance.path = Some(path(name));
    instance
}

fn path(name: &str) -> ObjectPath {
    ObjectPath::new(VIRTUALIZATION, "Msvm_ComputerSystem")
        .with_key("CreationClassName", "Msvm_ComputerSystem")
        .with_key("Name", name)
}

#[test]
fn a_query_is_enumerated_and_pulled_to_its_end() {
    let mode = EnumerationMode::ObjectAndReference;
    let host = Host::start(move |heard| {
        assert_eq!(heard.header.target.class(), "*");
        assert_eq!(heard.header.target.namespace(), VIRTUALIZATION);
        assert_eq!(heard.header.envelope_bytes_max, Some(512_000));
        assert_eq!(heard.header.timeout.unwrap().as_secs(), 60);
        let mut page = EnumerationPage::default();
        if heard.header.action == names::ACTION_ENUMERATE {
            let request = EnumerateRequest::read(&heard.envelope).unwrap();
            assert_eq!(
                request.wql.as_deref(),
                Some("SELECT * FROM Msvm_ComputerSystem")
            );
            assert_eq!(request.mode, mode);
            assert_eq!(request.elements_max, Some(100));
            page.context = Some("uuid:1".to_owned());
            page.instances = vec![vm("1"), vm("2")];
            return Answer::Body(page.enumerate_response(VIRTUALIZATION, mode));
        }
        let request = PullRequest::read(&heard.envelope).unwrap();
        page.instances = vec![vm("3")];
        match request.context.as_str() {
            "uuid:1" => page.context = Some("uuid:2".to_owned()),
            _ => page.end = true,
        }
        Answer::Body(page.pull_response(VIRTUALIZATION, mode))
    });
    let session = host.connect().unwrap();
    let found = session.query_all(VIRTUALIZATION, "SELECT * FROM Msvm_ComputerSystem");
    assert_eq!(found.unwrap(), [vm("1"), vm("2"), vm("3"), vm("3")]);
    let pulls = [
        names::ACTION_ENUMERATE,
        names::ACTION_PULL,
        names::ACTION_PULL,
    ];
    assert_eq!(host.heard(), pulls);
}

#[test]
fn an_enumeration_that_is_given_up_is_released() {
    let host = Host::start(|_| {
        let page = EnumerationPage {
            context: Some("uuid:1".to_owned()),
            instances: vec![vm("1")],
            end: false,
        };
        Answer::Body(page.enumerate_response(VIRTUALIZATION, EnumerationMode::Object))
    });
    let session = host.connect().unwrap();
    let error = session.query(VIRTUALIZATION, "SELECT * FROM Msvm_X", &mut |_| {
        Err(WmiError::new(WmiErrorKind::Failed, "enough"))
    });
    assert_eq!(error.unwrap_err().to_string(), "enough");
    assert_eq!(
        host.heard(),
        [names::ACTION_ENUMERATE, names::ACTION_RELEASE]
    );
}

#[test]
fn a_caller_may_ask_something_else_in_the_middle_of_a_query() {
    let host = Host::start(|heard| match heard.header.action.as_str() {
        names::ACTION_GET => Answer::Body(instance_element(VIRTUALIZATION, &vm("1"))),
        _ => {
            let page = EnumerationPage {
                context: None,
                instances: vec![vm("1")],
                end: true,
            };
            Answer::Body(page.enumerate_response(VIRTUALIZATION, EnumerationMode::Object))
        }
    });
    let session = host.connect().unwrap();
    let mut got = Vec::new();
    session
        .query(VIRTUALIZATION, "SELECT * FROM Msvm_X", &mut |instance| {
            got.push(session.get(&instance.object_path(VIRTUALIZATION)?)?);
            Ok(())
        })
        .unwrap();
    assert_eq!(got, [vm("1")]);
}

#[test]
fn a_host_without_references_is_asked_for_objects() {
    let host = Host::start(|heard| {
        let request = EnumerateRequest::read(&heard.envelope).unwrap();
        if request.mode != EnumerationMode::Object {
            let error = WmiError::new(WmiErrorKind::Failed, "no").with_code(0x8033_8086);
            let fault = wmi::wsman::codec::Fault::of_error(&error);
            return Answer::Body(fault.element("HV1"));
        }
        let page = EnumerationPage {
            context: None,
            instances: vec![vm("1")],
            end: true,
        };
        Answer::Body(page.enumerate_response(VIRTUALIZATION, EnumerationMode::Object))
    });
    let session = host.connect().unwrap();
    let found = session
        .query_all(VIRTUALIZATION, "SELECT * FROM Msvm_X")
        .unwrap();
    assert_eq!(found[0].path, None);
    assert_eq!(found[0].object_path(VIRTUALIZATION).unwrap(), path("1"));
}

fn call(session: &WsmanSession) -> Result<MethodOutput, WmiError> {
    let settings = "<INSTANCE CLASSNAME=\"X\"/>\r\n";
    let parameters = [
        ("AffectedSystem", Value::from(path("2"))),
        ("Settings", settings.into()),
        ("Nothing", Value::Null),
    ];
    session.invoke(&path("1"), "Change", &parameters)
}

#[test]
fn a_method_is_called_once_with_what_was_given() {
    let host = Host::start(|heard| {
        assert_eq!(heard.header.target, path("1"));
        let action = &heard.header.action;
        let method = MethodCall::method_of_action(&heard.header.target, action).unwrap();
        let call = MethodCall::read(heard.envelope.body.as_ref(), method).unwrap();
        assert_eq!(call.parameters.len(), 2);
        assert_eq!(call.parameters[0].1, path("2").into());
        assert_eq!(
            call.parameters[1].1.to_text().unwrap(),
            "<INSTANCE CLASSNAME=\"X\"/>\r\n"
        );
        let output = MethodOutput {
            return_value: 4096,
            parameters: Instance::new("X").with("Job", path("job")),
        };
        Answer::Body(output_element(&heard.header.target, method, &output))
    });
    let session = host.connect().unwrap();
    let output = call(&session).unwrap();
    assert_eq!(output.return_value, 4096);
    assert_eq!(
        output.parameters.value("Job").to_reference(),
        Some(path("job"))
    );
    assert_eq!(host.heard().len(), 1);
}

#[test]
fn faults_are_errors_that_name_what_was_asked() {
    let host = Host::start(|_| {
        let error = WmiError::new(WmiErrorKind::Denied, "not you");
        Answer::Body(wmi::wsman::codec::Fault::of_error(&error).element("HV1"))
    });
    let session = host.connect().unwrap();
    let error = call(&session).unwrap_err();
    assert_eq!(error.kind(), WmiErrorKind::Denied);
    let text = error.to_string();
    assert!(text.contains("Msvm_ComputerSystem.Change"), "{text}");
    assert!(text.contains("not you"), "{text}");
    // The connection goes on after a fault.
    assert!(call(&session).is_err());
    assert_eq!(host.heard().len(), 2);
}

#[test]
fn a_path_without_namespace_is_refused_before_it_is_sent() {
    let host = Host::start(|_| Answer::Silence);
    let session = host.connect().unwrap();
    let relative = ObjectPath::new("", "Msvm_X").with_key("InstanceID", "1");
    assert_eq!(
        session.get(&relative).unwrap_err().kind(),
        WmiErrorKind::BadQuery
    );
    assert!(host.heard().is_empty());
}
