//! Clients that break the rules, byte by byte, without a socket.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use block_io::{
    BlockDevice, DiskError, DiskErrorKind, Extent, ExtentKind, MemoryDisk, check_range,
};
use proptest::prelude::*;

use super::*;
use crate::export::Export;
use crate::protocol::{Command, Request};

const GREETING: usize = 18;

fn exports() -> Vec<Export> {
    let disk = MemoryDisk::new((0..=255).cycle().take(1 << 20).collect());
    vec![Export::read_only("disk", "a disk", Arc::new(disk))]
}

fn option(number: u32, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    [
        b"IHAVEOPT",
        &number.to_be_bytes()[..],
        &len.to_be_bytes(),
        data,
    ]
    .concat()
}

fn go(name: &str) -> Vec<u8> {
    let len = u32::try_from(name.len()).unwrap();
    option(
        7,
        &[&len.to_be_bytes()[..], name.as_bytes(), &[0, 0]].concat(),
    )
}

/// What the server says to a client that says this, and what it settles on.
fn shake(flags: u32, options: &[Vec<u8>]) -> (Vec<u8>, Option<Session>) {
    let said = [&flags.to_be_bytes()[..], &options.concat()].concat();
    let mut answered = Vec::new();
    let session = handshake(&mut said.as_slice(), &mut answered, &exports());
    (answered.split_off(GREETING), session.ok().flatten())
}

/// The reply types in the server's answers.
fn reply_types(mut answers: &[u8]) -> Vec<u32> {
    let number = |at: &[u8]| u32::from_be_bytes(at[..4].try_into().unwrap());
    let mut types = Vec::new();
    while answers.len() >= 20 {
        types.push(number(&answers[12..]));
        let len = usize::try_from(number(&answers[16..])).unwrap();
        answers = &answers[20 + len..];
    }
    types
}

const ACK: u32 = 1;
const INFO: u32 = 3;
const UNSUPPORTED: u32 = (1 << 31) | 1;
const INVALID: u32 = (1 << 31) | 3;
const UNKNOWN: u32 = (1 << 31) | 6;
const TOO_BIG: u32 = (1 << 31) | 9;

#[test]
fn options_that_make_no_sense_are_answered_and_the_next_one_counts() {
    let (answers, session) = shake(
        3,
        &[
            option(5, b""),          // STARTTLS
            option(77, b"what"),     // nobody knows
            option(7, &[1; 70_000]), // more than there may be
            option(7, &[0xFF; 10]),  // a name of four gigabytes
            option(3, b"x"),         // LIST takes nothing
            option(8, b"x"),         // nor does STRUCTURED_REPLY
            option(10, &[0; 8]),     // contexts before structured replies
            go("nothing"),
            option(8, b""),
            option(10, &[&[0; 4][..], &[0xFF; 4]].concat()), // four thousand million queries
            go("disk"),
        ],
    );
    let wanted = [
        UNSUPPORTED,
        UNSUPPORTED,
        TOO_BIG,
        INVALID,
        INVALID,
        INVALID,
        INVALID,
        UNKNOWN,
        ACK,
        INVALID,
        INFO,
        ACK,
    ];
    assert_eq!(reply_types(&answers), wanted);
    let session = session.unwrap();
    assert!(session.structured && !session.block_status);
}

#[test]
fn a_context_counts_for_the_export_that_it_was_chosen_for() {
    let context = |name: &str| {
        let text = |text: &str| {
            let len = u32::try_from(text.len()).unwrap();
            [&len.to_be_bytes()[..], text.as_bytes()].concat()
        };
        let data = [text(name), vec![0, 0, 0, 1], text("base:allocation")];
        option(10, &data.concat())
    };
    let chosen = |options: &[Vec<u8>]| shake(3, options).1.unwrap().block_status;
    let structured = option(8, b"");
    assert!(chosen(&[structured.clone(), context("disk"), go("disk")]));
    assert!(chosen(&[structured.clone(), context(""), go("disk")]));
    // A choice that fails takes back the one before.
    assert!(!chosen(&[
        structured,
        context("disk"),
        context("other"),
        go("disk")
    ]));
}

#[test]
fn who_breaks_the_handshake_gets_nowhere() {
    assert!(shake(0xFFFF, &[go("disk")]).1.is_none());
    assert!(shake(3, &[b"NOTMAGIC".to_vec(), go("disk")]).1.is_none());
    assert!(shake(3, &[go("disk")[..10].to_vec()]).1.is_none());
    assert!(shake(3, &[option(1, b"other")]).1.is_none());
    assert!(shake(3, &[option(2, b""), go("disk")]).1.is_none());
    let endless = vec![option(3, b""); 300];
    assert!(shake(3, &[endless, vec![go("disk")]].concat()).1.is_none());
}

#[test]
fn the_old_way_to_choose_an_export_works_too() {
    for (flags, len) in [(1, 134), (3, 10)] {
        let (answer, session) = shake(flags, &[option(1, b"disk")]);
        assert_eq!(answer.len(), len);
        assert_eq!(answer[..8], (1_u64 << 20).to_be_bytes());
        assert!(!session.unwrap().structured);
    }
}

#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<u8>>>);

impl Write for Answers {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn talk(device: Arc<dyn BlockDevice>, structured: bool, said: &[u8]) -> Vec<u8> {
    let session = Session {
        export: Export::read_only("disk", "", device),
        structured,
        block_status: structured,
    };
    let answers = Answers::default();
    let room = BufferRoom::new(4 << 20);
    transmit(&session, said, answers.clone(), &room, 4, &|| ());
    let bytes = answers.0.lock().unwrap();
    bytes.clone()
}

fn request(number: u16, flags: u16, offset: u64, len_bytes: u32) -> Vec<u8> {
    let command = Command::of(number);
    Request {
        flags,
        command,
        cookie: 7,
        offset,
        len_bytes,
    }
    .to_bytes(number)
}

/// The error numbers of simple replies without data.
fn errors(answers: &[u8]) -> Vec<u32> {
    let error = |reply: &[u8]| u32::from_be_bytes(reply[4..8].try_into().unwrap());
    answers.chunks(16).map(error).collect()
}

#[test]
fn requests_that_make_no_sense_are_answered_and_the_connection_goes_on() {
    let disk = Arc::new(MemoryDisk::new(vec![1; 1 << 20]));
    let one_at_a_time = [
        (request(0, 0, 1 << 20, 1), 22),         // behind the end
        (request(0, 0, u64::MAX, u32::MAX), 22), // wraps
        (request(0, 0, 0, 0), 22),               // nothing
        (request(0, 0xF0, 0, 1), 22),            // flags that nobody knows
        (request(7, 0, 0, 1), 22),               // a context that was not chosen
        (request(5, 0, 0, 1), 22),               // CACHE is not offered
        (request(99, 0, 0, 1), 22),
        ([request(1, 0, 0, 5), b"write".to_vec()].concat(), 1),
        (request(4, 0, 0, 4096), 1),
        (request(6, 0, 0, 4096), 1),
        (request(3, 0, 0, 0), 0),
    ];
    for (said, wanted) in &one_at_a_time {
        assert_eq!(
            errors(&talk(disk.clone(), false, said)),
            [*wanted],
            "{said:?}"
        );
    }
    let all: Vec<u8> = one_at_a_time
        .iter()
        .flat_map(|(said, _)| said.clone())
        .collect();
    let mut found = errors(&talk(disk, false, &all));
    found.sort_unstable();
    assert_eq!(found, [0, 1, 1, 1, 22, 22, 22, 22, 22, 22, 22]);
}

#[test]
fn nothing_is_answered_after_a_disconnect_or_a_wrong_magic_number() {
    let disk = Arc::new(MemoryDisk::new(vec![1; 1 << 20]));
    let flush = request(3, 0, 0, 0);
    for stop in [request(2, 0, 0, 0), vec![0; 28]] {
        let said = [stop, flush.clone()].concat();
        assert!(talk(disk.clone(), false, &said).is_empty());
    }
    assert!(talk(disk.clone(), false, &request(0, 0, 0, 1)[..20]).is_empty());
    // A write whose payload never comes.
    assert!(talk(disk, false, &request(1, 0, 0, u32::MAX)).is_empty());
}

/// A disk whose second half cannot be read.
struct HalfDisk;

impl BlockDevice for HalfDisk {
    fn size_bytes(&self) -> u64 {
        8 << 20
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.size_bytes(), offset, buf.len() as u64)?;
        if offset + buf.len() as u64 > 4 << 20 {
            return Err(DiskError::new(DiskErrorKind::Corrupt, "worn out"));
        }
        buf.fill(9);
        Ok(())
    }
    fn extent_at(&self, _: u64, max_bytes: u64) -> Result<Extent, DiskError> {
        let kind = ExtentKind::Data;
        Ok(Extent {
            kind,
            len_bytes: max_bytes,
        })
    }
}

#[test]
fn without_structured_replies_every_byte_comes() {
    let disk = Arc::new(MemoryDisk::new((0..=250).cycle().take(1 << 20).collect()));
    let answer = talk(disk.clone(), false, &request(0, 0, 500, 70_000));
    let mut data = vec![0; 70_000];
    disk.read_at(500, &mut data).unwrap();
    let head = [0x67, 0x44, 0x66, 0x98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    assert!(answer[..16] == head && answer[16..] == data);
}

#[test]
fn a_device_that_fails_is_an_answer() {
    let said = request(0, 0, 3 << 20, 2 << 20);
    assert_eq!(errors(&talk(Arc::new(HalfDisk), false, &said)), [5]);
    let answers = talk(Arc::new(HalfDisk), true, &said);
    // The megabyte that can be read, then why the next cannot.
    let (data, error) = answers.split_at(28 + (1 << 20));
    assert_eq!(data[4..8], [0, 0, 0, 1]);
    assert_eq!(error[4..8], [0, 1, 0x80, 1]);
    assert_eq!(error[20..24], [0, 0, 0, 5]);
    assert!(String::from_utf8_lossy(error).ends_with("worn out"));
    // Not to be cut, and too large for one piece.
    let answers = talk(Arc::new(HalfDisk), true, &request(0, 4, 0, 2 << 20));
    assert_eq!(answers[20..24], [0, 0, 0, 75]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_end_the_conversation_without_harm(
        flags in 0_u32..4,
        noise in prop::collection::vec(any::<u8>(), 0..200),
        requests in prop::collection::vec((0_u16..10, 0_u16..8, 0_u64..3 << 19, 0_u32..1 << 20), 0..8),
    ) {
        let _ = shake(flags, &[option(8, b""), noise.clone(), go("disk")]);
        let mut said: Vec<u8> = requests
            .iter()
            .filter(|(number, ..)| *number != 1)
            .flat_map(|(number, flags, offset, len)| request(*number, *flags, *offset, *len))
            .collect();
        said.extend(noise);
        let disk = Arc::new(MemoryDisk::new(vec![1; 1 << 20]));
        for structured in [false, true] {
            let answers = talk(disk.clone(), structured, &said);
            let asked = requests.iter().take_while(|(number, ..)| *number != 2);
            let asked = asked.filter(|(number, ..)| *number != 1).count();
            // Each is answered once at least.
            prop_assert!(answers.len() >= 16 * asked);
        }
    }
}
