//! Each operation, by a client that writes its messages by hand.

use std::sync::Arc;
use std::time::Duration;

use hyperv_sim::wsman::ServerOptions;
use jiff::Timestamp;
use wmi::wsman::codec::{
    Element, EnumerateRequest, EnumerationMode, EnumerationPage, MethodCall, ReleaseRequest, names,
    read_instance, read_output,
};
use wmi::{CIMV2, Clock, ObjectPath, VIRTUALIZATION, Value};

use super::plain_client::PlainClient;
use super::tiny_host::{MANY, SERVICE, TinyHost, options, start, start_basic};

fn object(class: &str) -> ObjectPath {
    ObjectPath::new(VIRTUALIZATION, class)
}

fn vm(name: &str) -> ObjectPath {
    object("Msvm_ComputerSystem")
        .with_key("CreationClassName", "Msvm_ComputerSystem")
        .with_key("Name", name)
}

#[test]
fn it_says_what_it_is_and_its_version_only_to_whom_it_knows() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let body = Element::new(names::IDENTITY, "Identify");
    let envelope = wmi::wsman::codec::Envelope {
        headers: Vec::new(),
        body: Some(body),
    };
    let xml = envelope.to_xml();
    let known = client.post(xml.as_bytes());
    assert_eq!(known.status, 200);
    assert!(known.text().contains("OS: 10.0.17763 SP: 0.0 Stack: 3.0"));
    let mut stranger = client.anonymous();
    assert_eq!(stranger.post(xml.as_bytes()).status, 401);
    let unknown = stranger.post_with("WSMANIDENTIFY: unauthenticated\r\n", xml.as_bytes());
    assert_eq!(unknown.status, 200);
    assert!(unknown.text().contains("OS: 0.0.0"), "{unknown:?}");
}

#[test]
fn a_class_is_enumerated_in_every_mode() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let expected = TinyHost::instances("Msvm_ComputerSystem").unwrap();
    for mode in [EnumerationMode::Object, EnumerationMode::ObjectAndReference] {
        let (instances, _) = client.all("Msvm_ComputerSystem", mode);
        assert_eq!(instances.len(), 3);
        for (came, own) in instances.iter().zip(&expected) {
            assert_eq!(came.text("ElementName"), own.text("ElementName"));
            assert_eq!(came.number::<u64>("ProcessID"), Some(u64::MAX));
            assert_eq!(came.numbers::<u16>("OperationalStatus"), [2, 11]);
            assert_eq!(came.value("Caption"), &Value::Null);
            assert_eq!(came.time("InstallDate"), own.time("InstallDate"));
            assert!(came.time("InstallDate").is_some());
            let path = (mode == EnumerationMode::ObjectAndReference)
                .then(|| own.object_path(VIRTUALIZATION).unwrap());
            assert_eq!(came.path, path);
        }
    }
    let (references, _) = client.all("Msvm_ComputerSystem", EnumerationMode::Reference);
    assert_eq!(references[2].path, Some(vm("B\\2")));
}

#[test]
fn items_come_in_the_numbers_that_are_asked_for() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let (instances, answers) = client.all("Msvm_Many", EnumerationMode::Object);
    let numbers: Vec<usize> = instances
        .iter()
        .map(|one| one.required_number("Number").unwrap())
        .collect();
    assert_eq!(numbers, (0..MANY).collect::<Vec<_>>());
    assert_eq!(answers, 1 + MANY.div_ceil(1000));

    let answer = client.enumerate("Msvm_Many", EnumerationMode::Object, Some(7));
    let page = EnumerationPage::read(&answer.envelope(), "Msvm_Many").unwrap();
    assert_eq!((page.instances.len(), page.end), (7, false));
    let context = page.context.unwrap();
    let page = client.pull(&context, None).envelope();
    let page = EnumerationPage::read(&page, "Msvm_Many").unwrap();
    assert_eq!(page.instances[0].number::<u32>("Number"), Some(7));
    assert_eq!(page.instances.len(), 1);

    let answer = client.enumerate("Msvm_ComputerSystem", EnumerationMode::Object, Some(50));
    let page = EnumerationPage::read(&answer.envelope(), "").unwrap();
    assert_eq!(
        (page.instances.len(), page.end, page.context),
        (3, true, None)
    );
    let (none, _) = client.all("Msvm_None", EnumerationMode::Object);
    assert!(none.is_empty());
}

#[test]
fn fewer_items_come_where_more_do_not_fit() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    client.envelope_bytes_max = 20_000;
    let (instances, answers) = client.all("Msvm_Many", EnumerationMode::ObjectAndReference);
    assert_eq!(instances.len(), MANY);
    assert!(answers > 50, "{answers}");

    let answer = client.enumerate("Msvm_Large", EnumerationMode::Object, Some(10));
    assert_eq!(answer.fault().1, 0x8033_8048);
    let key = object("Msvm_Large").with_key("InstanceID", "1");
    let answer = client.ask(names::ACTION_GET, key.clone(), None);
    assert_eq!(answer.fault().1, 0x8033_8048);
    client.envelope_bytes_max = 200_000;
    assert_eq!(client.ask(names::ACTION_GET, key, None).status, 200);
    client.envelope_bytes_max = 8191;
    let answer = client.ask(names::ACTION_GET, vm("A-1"), None);
    assert_eq!(answer.fault().1, 0x8033_807E);
}

#[test]
fn queries_and_their_errors() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let mut ask = |namespace: &str, wql: &str| {
        let request = EnumerateRequest {
            wql: Some(wql.to_owned()),
            mode: EnumerationMode::ObjectAndReference,
            elements_max: Some(10),
        };
        let target = ObjectPath::new(namespace, "*");
        client.ask(names::ACTION_ENUMERATE, target, Some(request.element()))
    };
    let found = ask(
        VIRTUALIZATION,
        "SELECT * FROM Msvm_ComputerSystem WHERE Name = \"B\\\\2\"",
    );
    let page = EnumerationPage::read(&found.envelope(), "").unwrap();
    assert_eq!(page.instances[0].path, Some(vm("B\\2")));

    let (text, code) = ask(VIRTUALIZATION, "SELECT * FROM Msvm_Unknown").fault();
    assert_eq!(code, 0x8033_801A);
    assert!(
        text.contains("The class Msvm_Unknown does not exist"),
        "{text}"
    );
    let (text, _) = ask(CIMV2, "SELECT * FROM Win32_Volume").fault();
    assert!(
        text.contains("The CIM namespace root/CIMV2 is invalid"),
        "{text}"
    );
    let (text, _) = ask(VIRTUALIZATION, "nonsense").fault();
    assert!(text.contains("could not process the filter"), "{text}");
}

#[test]
fn an_enumeration_is_over_when_it_is_released_pulled_to_its_end_or_expired() {
    #[derive(Default)]
    struct HandClock(std::sync::Mutex<Duration>);
    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH + *self.0.lock().unwrap()
        }
        fn wait(&self, duration: Duration) {
            *self.0.lock().unwrap() += duration;
        }
    }
    let clock = Arc::new(HandClock::default());
    let server = start(ServerOptions {
        allow_basic: true,
        clock: clock.clone(),
        ..options()
    });
    let mut client = PlainClient::connect(server.local_addr());
    let begin = |client: &mut PlainClient| {
        let answer = client.enumerate("Msvm_Many", EnumerationMode::Object, None);
        let page = EnumerationPage::read(&answer.envelope(), "").unwrap();
        page.context.unwrap()
    };
    let context = begin(&mut client);
    let release = ReleaseRequest {
        context: context.clone(),
    };
    let target = object("Msvm_Many");
    let released = client.ask(
        names::ACTION_RELEASE,
        target.clone(),
        Some(release.element()),
    );
    assert_eq!(released.status, 200);
    assert_eq!(client.pull(&context, None).fault().1, 0x8033_801B);
    let again = client.ask(names::ACTION_RELEASE, target, Some(release.element()));
    assert_eq!(again.fault().1, 0x8033_801B);

    let context = begin(&mut client);
    clock.wait(Duration::from_secs(239));
    assert_eq!(client.pull(&context, None).status, 200);
    clock.wait(Duration::from_secs(239));
    assert_eq!(client.pull(&context, None).status, 200);
    clock.wait(Duration::from_secs(240));
    assert_eq!(client.pull(&context, None).fault().1, 0x8033_801B);

    let context = begin(&mut client);
    while !client
        .pull(&context, Some(u32::MAX))
        .text()
        .contains("EndOfSequence")
    {}
    assert_eq!(client.pull(&context, None).fault().1, 0x8033_801B);
}

#[test]
fn open_enumerations_are_bounded_in_number_and_bytes() {
    let server = start(ServerOptions {
        allow_basic: true,
        enumerations_max: 3,
        ..options()
    });
    let mut client = PlainClient::connect(server.local_addr());
    for _ in 0..3 {
        let answer = client.enumerate("Msvm_Many", EnumerationMode::Object, None);
        assert_eq!(answer.status, 200);
    }
    let refused = client.enumerate("Msvm_Many", EnumerationMode::Object, None);
    assert_eq!(refused.fault().1, 0x8033_81A6);
    let short = client.enumerate("Msvm_None", EnumerationMode::Object, Some(1));
    assert_eq!(short.status, 200);

    let server = start(ServerOptions {
        allow_basic: true,
        enumeration_bytes_max: 1_000_000,
        ..options()
    });
    let mut client = PlainClient::connect(server.local_addr());
    let begin = |client: &mut PlainClient| {
        let answer = client.enumerate("Msvm_Many", EnumerationMode::Object, None);
        answer.status
    };
    assert_eq!(begin(&mut client), 200);
    assert_eq!(begin(&mut client), 500);
}

#[test]
fn an_object_is_got_by_its_keys_or_by_as_many_as_it_takes() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let mut get = |path: ObjectPath| client.ask(names::ACTION_GET, path, None);
    let answer = get(vm("B\\2")).envelope();
    let instance = read_instance(answer.body.as_ref().unwrap(), "").unwrap();
    assert_eq!(instance.text("Name").as_deref(), Some("B\\2"));

    let some = object("Msvm_ComputerSystem").with_key("Name", "A-1");
    assert_eq!(get(some).status, 200);
    assert_eq!(get(object(SERVICE)).status, 200);
    assert_eq!(get(object("Msvm_ComputerSystem")).fault().1, 0x8033_80FA);
    let all = object("Msvm_ComputerSystem").with_key("CreationClassName", "Msvm_ComputerSystem");
    assert_eq!(get(all).fault().1, 0x8033_805E);
    let (text, code) = get(vm("gone")).fault();
    assert_eq!(code, 0x8033_8000);
    assert!(text.contains("cannot find the resource"), "{text}");
    let odd = object("Msvm_ComputerSystem").with_key("a = 1 OR b", "1");
    assert_eq!(get(odd).fault().1, 0x8033_803B);
}

#[test]
fn a_method_gets_its_parameters_and_gives_back_its_own() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let target = object(SERVICE).with_key("CreationClassName", SERVICE);
    let settings = "<INSTANCE CLASSNAME=\"X\"><P a='1'>&amp; \n</P></INSTANCE>";
    let parameters = [
        ("AffectedSystem", Value::from(vm("A-1"))),
        ("SnapshotSettings", settings.into()),
        ("Paths", vec!["C:\\a b", "D:\\"].into()),
    ];
    let mut invoke = |method: &str, parameters: &[(&str, Value)]| {
        let body = MethodCall::element(&target, method, parameters);
        let action = MethodCall::action(&target, method);
        client.ask(&action, target.clone(), Some(body))
    };
    let answer = invoke("CreateSnapshot", &parameters).envelope();
    assert!(
        answer
            .action()
            .unwrap()
            .ends_with("/CreateSnapshotResponse")
    );
    let output = read_output(answer.body.as_ref().unwrap(), "CreateSnapshot").unwrap();
    assert_eq!(output.return_value, 4096);
    let given = output.parameters;
    assert_eq!(given.value("Affected").to_reference(), Some(vm("A-1")));
    assert_eq!(given.text("Settings").as_deref(), Some(settings));
    assert_eq!(given.texts("Paths"), ["C:\\a b", "D:\\"]);
    let job = given.value("Job").to_reference().unwrap();
    assert_eq!(job.key("InstanceID"), Some("JOB-1"));

    let (text, code) = invoke("Deny", &[]).fault();
    assert_eq!(code, 0x8033_8104);
    assert!(text.contains("'access denied'"), "{text}");
    let (text, code) = invoke("Break", &[]).fault();
    assert_eq!(code, 0x8007_0020);
    assert!(text.contains("HRESULT 0x80070020"), "{text}");
    assert_eq!(invoke("Unknown", &[]).fault().1, 0x8033_8013);
    let large = [("Count", Value::from(100_000_u32))];
    assert_eq!(invoke("GetChanges", &large).fault().1, 0x8033_8048);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let server = start_basic();
    let mut client = PlainClient::connect(server.local_addr());
    let put = format!("{}/Put", names::TRANSFER);
    let body = Element::new("urn:x", "X");
    let answer = client.ask(&put, vm("A-1"), Some(body.clone()));
    assert_eq!(answer.fault().1, 0x8033_8013);

    let mut filter = EnumerateRequest {
        wql: Some("x".to_owned()),
        ..EnumerateRequest::default()
    }
    .element();
    filter.children[0].attributes[0].value = "http://www.w3.org/TR/1999/REC-xpath-19991116".into();
    let answer = client.ask(names::ACTION_ENUMERATE, object("*"), Some(filter));
    assert_eq!(answer.fault().1, 0x8033_8019);

    let mut post = |change: &dyn Fn(&mut wmi::wsman::codec::Envelope)| {
        let mut envelope = client.header(names::ACTION_GET, vm("A-1")).envelope(None);
        change(&mut envelope);
        client.post(envelope.to_xml().as_bytes())
    };
    let without = |name: &'static str| {
        move |envelope: &mut wmi::wsman::codec::Envelope| {
            envelope.headers.retain(|header| &*header.name != name);
        }
    };
    assert_eq!(post(&without("Action")).fault().1, 0x8033_8011);
    assert_eq!(post(&without("MessageID")).fault().1, 0x8033_8011);
    assert_eq!(post(&without("ResourceURI")).fault().1, 0x8033_803B);
    let shell = post(&|envelope| {
        let uri = envelope
            .headers
            .iter_mut()
            .find(|one| &*one.name == "ResourceURI");
        uri.unwrap().text = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd".into();
    });
    assert_eq!(shell.fault().1, 0x8033_803B);
    let elsewhere = post(&|envelope| {
        let set = envelope
            .headers
            .iter_mut()
            .find(|one| &*one.name == "SelectorSet");
        let selector = Element::new(names::WSMAN, "Selector")
            .with_attribute("", "Name", "__cimnamespace")
            .with_text("root/cimv2");
        set.unwrap().children.push(selector);
    });
    assert_eq!(elsewhere.fault().1, 0x8033_813B);
}

#[test]
fn only_the_right_password_is_taken_and_only_where_basic_is_allowed() {
    let server = start_basic();
    let address = server.local_addr();
    let xml = |client: &PlainClient| {
        let envelope = client.header(names::ACTION_GET, vm("A-1")).envelope(None);
        envelope.to_xml().into_bytes()
    };
    for (user, password, status) in [
        ("backup", super::tiny_host::PASSWORD, 200),
        ("HV1\\BACKUP", super::tiny_host::PASSWORD, 200),
        ("backup", "wrong", 401),
        ("backup", "", 401),
        ("other", super::tiny_host::PASSWORD, 401),
    ] {
        let mut client = PlainClient::connect_as(address, user, password);
        let body = xml(&client);
        assert_eq!(client.post(&body).status, status, "{user} {password}");
    }
    let mut client = PlainClient::connect(address).anonymous();
    let body = xml(&client);
    let answer = client.post(&body);
    let challenges = answer.header("www-authenticate");
    assert_eq!(challenges, ["Negotiate", "Basic realm=\"WSMAN\""]);

    let server = start(options());
    let mut client = PlainClient::connect(server.local_addr());
    let answer = client.post(&body);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), ["Negotiate"]);
    let open = ServerOptions {
        listen: "0.0.0.0:0".parse().unwrap(),
        allow_basic: true,
        ..options()
    };
    let refused = hyperv_sim::wsman::serve(Arc::new(TinyHost::default()), open);
    assert_eq!(
        refused.unwrap_err().kind(),
        std::io::ErrorKind::InvalidInput
    );
}

#[test]
fn a_hundred_thousand_numbers_come_where_the_envelope_is_large_enough() {
    let server = start(ServerOptions {
        allow_basic: true,
        envelope_bytes_max: 16 << 20,
        ..options()
    });
    let mut client = PlainClient::connect(server.local_addr());
    client.envelope_bytes_max = 16 << 20;
    let target = object(SERVICE).with_key("CreationClassName", SERVICE);
    let parameters = [("Count", Value::from(100_000_u32))];
    let body = MethodCall::element(&target, "GetChanges", &parameters);
    let action = MethodCall::action(&target, "GetChanges");
    let answer = client.ask(&action, target, Some(body)).envelope();
    let output = read_output(answer.body.as_ref().unwrap(), "GetChanges").unwrap();
    let offsets = output.parameters.numbers::<u64>("ChangedByteOffsets");
    assert!(offsets.iter().copied().eq((0..100_000).map(|at| at << 20)));
}
