//! A client that writes HTTP by hand and sends its password in the clear.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wmi::wsman::codec::{
    Element, EnumerateRequest, EnumerationMode, EnumerationPage, Envelope, PullRequest,
    RequestHeader, names,
};
use wmi::{Instance, ObjectPath, VIRTUALIZATION};

use super::tiny_host::{PASSWORD, USER};

/// An answer of HTTP.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl HttpAnswer {
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn envelope(&self) -> Envelope {
        Envelope::parse(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the text of the fault, and the code that Windows gives it.
    pub(crate) fn fault(&self) -> (String, u32) {
        let envelope = self.envelope();
        let fault = wmi::wsman::codec::Fault::read(&envelope);
        let fault = fault.unwrap_or_else(|| panic!("no fault: {self:?}"));
        assert_eq!(self.status, 500, "{self:?}");
        let code = fault.provider.hresult.or(fault.wsman_code);
        (fault.reason, code.unwrap())
    }
}

pub(crate) struct PlainClient {
    pub(crate) stream: TcpStream,
    authorization: String,
    /// Bytes that an answer may have.
    pub(crate) envelope_bytes_max: u32,
}

impl PlainClient {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::connect_as(address, USER, PASSWORD)
    }

    pub(crate) fn connect_as(address: SocketAddr, user: &str, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        Self {
            stream: TcpStream::connect(address).unwrap(),
            authorization: format!("Authorization: Basic {credentials}\r\n"),
            envelope_bytes_max: 512_000,
        }
    }

    /// Leaves the password out.
    pub(crate) fn anonymous(mut self) -> Self {
        self.authorization.clear();
        self
    }

    pub(crate) fn post(&mut self, body: &[u8]) -> HttpAnswer {
        self.post_with("Content-Type: application/soap+xml;charset=UTF-8\r\n", body)
    }

    pub(crate) fn post_with(&mut self, headers: &str, body: &[u8]) -> HttpAnswer {
        let head = format!(
            "POST /wsman HTTP/1.1\r\nHost: h\r\n{}{headers}Content-Length: {}\r\n\r\n",
            self.authorization,
            body.len()
        );
        let message = [head.as_bytes(), body].concat();
        self.stream.write_all(&message).unwrap();
        read_answer(&mut self.stream).unwrap()
    }

    pub(crate) fn header(&self, action: &str, target: ObjectPath) -> RequestHeader {
        RequestHeader {
            to: "http://h/wsman".to_owned(),
            action: action.to_owned(),
            message_id: "uuid:1".to_owned(),
            target,
            envelope_bytes_max: Some(self.envelope_bytes_max),
            timeout: None,
        }
    }

    pub(crate) fn ask(
        &mut self,
        action: &str,
        target: ObjectPath,
        body: Option<Element>,
    ) -> HttpAnswer {
        let envelope = self.header(action, target).envelope(body);
        let answer = self.post(envelope.to_xml().as_bytes());
        assert_eq!(
            answer
                .envelope()
                .header_text(names::ADDRESSING, "RelatesTo"),
            Some("uuid:1")
        );
        answer
    }

    /// Begins an enumeration of a class.
    pub(crate) fn enumerate(
        &mut self,
        class: &str,
        mode: EnumerationMode,
        elements_max: Option<u32>,
    ) -> HttpAnswer {
        let request = EnumerateRequest {
            wql: None,
            mode,
            elements_max,
        };
        let target = ObjectPath::new(VIRTUALIZATION, class);
        self.ask(names::ACTION_ENUMERATE, target, Some(request.element()))
    }

    pub(crate) fn pull(&mut self, context: &str, elements_max: Option<u32>) -> HttpAnswer {
        let request = PullRequest {
            context: context.to_owned(),
            elements_max,
        };
        let target = ObjectPath::new(VIRTUALIZATION, "*");
        self.ask(names::ACTION_PULL, target, Some(request.element()))
    }

    /// Enumerates a class to its end; returns the instances and the number of answers.
    pub(crate) fn all(&mut self, class: &str, mode: EnumerationMode) -> (Vec<Instance>, usize) {
        let answer = self.enumerate(class, mode, None);
        let mut page = EnumerationPage::read(&answer.envelope(), class).unwrap();
        let mut instances = page.instances;
        let mut answers = 1;
        while let Some(context) = page.context.filter(|_| !page.end) {
            let answer = self.pull(&context, Some(1000));
            assert!(answer.body.len() <= usize::try_from(self.envelope_bytes_max).unwrap());
            page = EnumerationPage::read(&answer.envelope(), class).unwrap();
            instances.append(&mut page.instances);
            answers += 1;
        }
        (instances, answers)
    }
}

/// Reads an answer; none where the connection ends without one.
pub(crate) fn read_answer(stream: &mut TcpStream) -> Option<HttpAnswer> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut answer = HttpAnswer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head,
        body: Vec::new(),
    };
    let length = answer.header("content-length").first()?.parse().ok()?;
    answer.body.resize(length, 0);
    stream.read_exact(&mut answer.body).ok()?;
    Some(answer)
}
