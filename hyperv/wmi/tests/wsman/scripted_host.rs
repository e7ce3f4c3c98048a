//! A host in this process that logs in with NTLM, seals, and otherwise does what a test says.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sspi::{
    AuthIdentity, BufferType, CredentialUse, DataRepresentation, EncryptionFlags, Ntlm,
    SecurityBuffer, SecurityBufferRef, SecurityStatus, ServerRequestFlags, Sspi, SspiImpl,
    Username,
};
use wmi::wsman::codec::{Element, Envelope, RequestHeader, ResponseHeader, names};
use wmi::wsman::sealed::{CONTENT_TYPE, Seal, SealedParts, seal_body, unseal_body};
use wmi::wsman::{WsmanOptions, WsmanSession};
use wmi::{WmiError, WmiErrorKind};

pub(super) const USER: &str = "bob";
pub(super) const PASSWORD: &str = "correct horse";

/// What the host does with a request.
pub(super) enum Answer {
    /// Answers with this body, as the protocol wants it.
    Body(Element),
    /// Answers with this message, sealed.
    Message(String),
    /// Answers with this body, but sends what the function makes of the sealed bytes.
    Bent(Element, fn(Vec<u8>) -> Vec<u8>),
    /// Sends these bytes and nothing more, and closes the connection.
    Raw(Vec<u8>),
    /// Sends a body that does not end, and as fast as it is read.
    Endless,
    /// Sends nothing at all, and keeps the connection open.
    Silence,
}

/// A request, as the host read it.
pub(super) struct Heard {
    pub(super) header: RequestHeader,
    pub(super) envelope: Envelope,
    /// Which connection it came on, from 0.
    pub(super) connection: usize,
}

type Script = Box<dyn FnMut(&Heard) -> Answer + Send>;

/// A host. It ends with this.
pub(super) struct Host {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Starts a host that logs in whoever knows the password and answers as scripted.
    pub(super) fn start(script: impl FnMut(&Heard) -> Answer + Send + 'static) -> Self {
        let mut script: Script = Box::new(script);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        Self::serve(heard, move |stream, connection| {
            let _ = Conversation::new(stream).run(connection, &mut script, &log);
        })
    }

    /// Starts a host that answers each request, whatever it is, with bytes.
    pub(super) fn raw(mut script: impl FnMut(usize) -> Vec<u8> + Send + 'static) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        Self::serve(heard, move |mut stream, _| {
            let mut buffer = Vec::new();
            while let Ok(request) = read_request(&mut stream, &mut buffer) {
                let mut log = log.lock().unwrap();
                log.push(request.head);
                let answer = script(log.len() - 1);
                drop(log);
                if stream.write_all(&answer).is_err() {
                    break;
                }
            }
        })
    }

    /// Starts a host that does with each connection what the function does.
    pub(super) fn serve(
        heard: Arc<Mutex<Vec<String>>>,
        mut each: impl FnMut(TcpStream, usize) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let limit = Some(Duration::from_secs(10));
                stream.set_read_timeout(limit).unwrap();
                stream.set_write_timeout(limit).unwrap();
                each(stream, connection);
            }
        });
        Self {
            port,
            heard,
            stop,
            thread: Some(thread),
        }
    }

    pub(super) fn options(&self, scheme: &str) -> WsmanOptions {
        let url = format!("{scheme}://{USER}@127.0.0.1:{}", self.port);
        WsmanOptions::new(&url, PASSWORD.to_owned().into()).unwrap()
    }

    pub(super) fn connect(&self) -> Result<WsmanSession, WmiError> {
        WsmanSession::connect(self.options("winrm"))
    }

    /// Returns what was asked: actions, or heads of requests.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

pub(super) struct HttpRequest {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl HttpRequest {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Reads a request; `buffer` keeps what came after it.
pub(super) fn read_request(
    stream: &mut impl Read,
    buffer: &mut Vec<u8>,
) -> io::Result<HttpRequest> {
    let mut more = |buffer: &mut Vec<u8>| {
        let mut part = [0; 4096];
        match stream.read(&mut part)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            length => {
                buffer.extend_from_slice(&part[..length]);
                Ok(())
            }
        }
    };
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        more(buffer)?;
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let mut request = HttpRequest {
        head,
        body: Vec::new(),
    };
    let length: usize = request
        .header("content-length")
        .map_or(0, |n| n.parse().unwrap());
    while buffer.len() < end + length {
        more(buffer)?;
    }
    request.body = buffer[end..end + length].to_vec();
    buffer.drain(..end + length);
    Ok(request)
}

/// Makes a whole answer of HTTP.
pub(super) fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The host's side of NTLM on one connection.
pub(super) struct Gate {
    ntlm: Ntlm,
    credentials: Option<sspi::AuthIdentityBuffers>,
}

impl Gate {
    pub(super) fn new() -> Self {
        let mut ntlm = Ntlm::new();
        let identity = AuthIdentity {
            username: Username::parse(USER).unwrap(),
            password: PASSWORD.to_owned().into(),
        };
        let credentials = ntlm
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Inbound)
            .with_auth_data(&identity)
            .execute(&mut ntlm)
            .unwrap()
            .credentials_handle;
        Self { ntlm, credentials }
    }

    /// Takes a token; returns the answer to it, and whether the login is complete.
    pub(super) fn step(&mut self, token: &[u8]) -> Result<(Vec<u8>, bool), sspi::Error> {
        let mut input = vec![SecurityBuffer::new(token.to_vec(), BufferType::Token)];
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let builder = self
            .ntlm
            .accept_security_context()
            .with_credentials_handle(&mut self.credentials)
            .with_context_requirements(ServerRequestFlags::CONFIDENTIALITY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let result = self
            .ntlm
            .accept_security_context_impl(builder)?
            .resolve_to_result()?;
        let complete = result.status == SecurityStatus::CompleteNeeded;
        if complete {
            self.ntlm.complete_auth_token(&mut output)?;
        }
        Ok((output.remove(0).buffer, complete))
    }

    /// Answers a request of the login; `None` once the user is in.
    pub(super) fn answer(&mut self, request: &HttpRequest) -> (Vec<u8>, bool) {
        let offer = "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: Kerberos\r\n";
        let refused = http("401 Unauthorized", offer, b"");
        let token = request
            .header("authorization")
            .and_then(|header| header.strip_prefix("Negotiate "))
            .map(|token| STANDARD.decode(token).unwrap());
        match token.map(|token| self.step(&token)) {
            Some(Ok((_, true))) => (http("200 OK", "", b""), true),
            Some(Ok((challenge, false))) => {
                let token = STANDARD.encode(challenge);
                let header = format!("WWW-Authenticate: Negotiate {token}\r\n");
                (http("401 Unauthorized", &header, b""), false)
            }
            _ => (refused, false),
        }
    }
}

fn failed(error: &sspi::Error) -> WmiError {
    WmiError::new(WmiErrorKind::Protocol, error.to_string())
}

impl Seal for Gate {
    fn seal(&mut self, plain: &[u8]) -> Result<SealedParts, WmiError> {
        let (mut signature, mut sealed) = (vec![0; 16], plain.to_vec());
        let mut buffers = [
            SecurityBufferRef::token_buf(&mut signature),
            SecurityBufferRef::data_buf(&mut sealed),
        ];
        let sealing = self
            .ntlm
            .encrypt_message(EncryptionFlags::empty(), &mut buffers);
        sealing.map_err(|error| failed(&error))?;
        Ok(SealedParts { signature, sealed })
    }

    fn unseal(&mut self, mut parts: SealedParts) -> Result<Vec<u8>, WmiError> {
        let mut buffers = [
            SecurityBufferRef::token_buf(&mut parts.signature),
            SecurityBufferRef::data_buf(&mut parts.sealed),
        ];
        let unsealing = self.ntlm.decrypt_message(&mut buffers);
        unsealing.map_err(|error| failed(&error))?;
        Ok(parts.sealed)
    }
}

/// Reads the message of a request.
pub(super) fn hear(message: &[u8], connection: usize) -> Heard {
    let envelope = Envelope::parse(message).unwrap();
    Heard {
        header: RequestHeader::read(&envelope).unwrap(),
        envelope,
        connection,
    }
}

/// Returns the action of the answer to a request.
pub(super) fn answer_action(heard: &Heard) -> String {
    format!("{}Response", heard.header.action)
}

/// Makes the whole message that answers a request.
pub(super) fn message(heard: &Heard, body: Element) -> String {
    let fault = body.is(names::SOAP, "Fault");
    let action = answer_action(heard);
    let header = ResponseHeader {
        action: if fault {
            names::ACTION_FAULT.to_owned()
        } else {
            action
        },
        message_id: "uuid:00000000-0000-0000-0000-000000000001".to_owned(),
        relates_to: heard.header.message_id.clone(),
    };
    header.envelope(Some(body)).to_xml()
}

/// One connection: login, then sealed requests.
struct Conversation {
    stream: TcpStream,
    buffer: Vec<u8>,
    gate: Gate,
}

impl Conversation {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            gate: Gate::new(),
        }
    }

    fn run(
        &mut self,
        connection: usize,
        script: &mut Script,
        log: &Mutex<Vec<String>>,
    ) -> io::Result<()> {
        loop {
            let request = read_request(&mut self.stream, &mut self.buffer)?;
            let (answer, inside) = self.gate.answer(&request);
            self.stream.write_all(&answer)?;
            if inside {
                break;
            }
        }
        loop {
            let request = read_request(&mut self.stream, &mut self.buffer)?;
            assert_eq!(request.header("authorization"), None);
            let content_type = request.header("content-type").unwrap();
            let plain = unseal_body(content_type, &request.body, &mut self.gate).unwrap();
            let heard = hear(&plain, connection);
            log.lock().unwrap().push(heard.header.action.clone());
            let answer = script(&heard);
            if !self.send(&heard, answer)? {
                return Ok(());
            }
        }
    }

    /// Sends an answer; returns whether the connection goes on.
    fn send(&mut self, heard: &Heard, answer: Answer) -> io::Result<bool> {
        let header = format!("Content-Type: {CONTENT_TYPE}\r\n");
        let mut sealed = |text: &str| seal_body(text.as_bytes(), &mut self.gate).unwrap();
        let body = match answer {
            Answer::Body(body) => sealed(&message(heard, body)),
            Answer::Message(text) => sealed(&text),
            Answer::Bent(body, bend) => bend(sealed(&message(heard, body))),
            Answer::Raw(bytes) => {
                self.stream.write_all(&bytes)?;
                return Ok(false);
            }
            Answer::Endless => {
                let head = format!("HTTP/1.1 200 OK\r\n{header}Transfer-Encoding: chunked\r\n\r\n");
                self.stream.write_all(head.as_bytes())?;
                let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
                loop {
                    self.stream.write_all(&chunk)?;
                }
            }
            Answer::Silence => {
                // Until the client has had enough.
                let mut rest = Vec::new();
                self.stream.read_to_end(&mut rest)?;
                return Ok(false);
            }
        };
        self.stream.write_all(&http("200 OK", &header, &body))?;
        Ok(true)
    }
}
