//! A reader that lies: whatever it says that is not the protocol ends the conversation by name.

use std::io::{self, Read, sink};

use block_io::MemoryDisk;
use serde::Serialize;

use super::*;
use crate::message::Question;
use crate::remote_volume::RemoteVolume;

const DISK_BYTES: usize = 1 << 20;

fn framed(message: &impl Serialize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::write(&mut frame, message, bytes).unwrap();
    frame
}

fn with(reader: impl Read + Send + 'static) -> Conversation {
    let disks: Vec<Arc<dyn BlockDevice>> = vec![Arc::new(MemoryDisk::new(vec![0; DISK_BYTES]))];
    Conversation::over(reader, sink(), None, disks, || false)
}

/// Asks for the end of a file, with a reader that says this.
fn answer_to(said: Vec<u8>) -> (Conversation, String) {
    let conversation = with(io::Cursor::new(said));
    let request = Request::Files {
        volume: 0,
        question: Question::ReadFile {
            file: 1,
            offset: 0,
            len_bytes: 16,
        },
    };
    let mut bytes = Vec::new();
    let answer = conversation.ask_for(request, &mut bytes, &mut no_parts, |answer| match answer {
        Answer::Read => Some(()),
        _ => None,
    });
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::Unreadable);
    assert!(
        bytes.capacity() <= 2 * frame::BYTES_MAX,
        "{}",
        bytes.capacity()
    );
    (conversation, error.to_string())
}

#[test]
fn each_lie_ends_the_conversation_and_is_named() {
    let answer = |answer| framed(&FromReader::Answer(Ok(answer)), &[]);
    let read = |disk, len_bytes| {
        let ask = FromReader::ReadDisk {
            disk,
            offset: 0,
            len_bytes,
        };
        framed(&ask, &[])
    };
    let extent = FromReader::Extent {
        disk: 9,
        offset: 0,
        max_bytes: 1,
    };
    let long = framed(&FromReader::Answer(Ok(Answer::Read)), &[7; 17]);
    let huge = [u32::MAX.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    let huge_bytes = [1_u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
    // The discriminant of no message.
    let nonsense = [&1_u32.to_le_bytes()[..], &[0; 4], &[99]].concat();
    let lies = [
        (answer(Answer::Listed), "something else than it was asked"),
        (
            answer(Answer::Used(None)),
            "something else than it was asked",
        ),
        (long, "17 bytes, and 16 were asked for"),
        (read(1, 512), "disk 1, which there is not"),
        (read(u32::MAX, 512), "disk 4294967295, which there is not"),
        (read(0, (1 << 20) + 1), "1048577 bytes at once"),
        (framed(&extent, &[]), "disk 9, which there is not"),
        (
            framed(&FromReader::Entries(Vec::new()), &[]).repeat(2),
            "a list that is over",
        ),
        (huge, "4294967295 bytes"),
        (huge_bytes, "4294967295 bytes"),
        (nonsense, ""),
        (Vec::new(), ""),
        (vec![3], ""),
    ];
    for (said, named) in lies {
        let (conversation, error) = answer_to(said);
        assert!(error.contains(named), "{error} has no {named:?}");
        assert!(conversation.is_over(), "{error}");
        let again = conversation.ask(Request::Open { volume: 0 }, |_| Some(()));
        assert_eq!(again.unwrap_err().to_string(), error);
    }
}

/// Says the same for ever.
struct Endless {
    frame: Vec<u8>,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.frame.get(self.at..).unwrap_or(&[]);
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.at = (self.at + len) % self.frame.len();
        Ok(len)
    }
}

#[test]
fn a_list_without_end_is_ended_by_who_reads_it() {
    let id = NodeId { tree: 0, number: 1 };
    let entries = vec![(FileName::new(b"again").unwrap(), id); 100];
    let frame = framed(&FromReader::Entries(entries), &[]);
    let conversation = with(Endless { frame, at: 0 });
    let mut parts = 0;
    let mut count = |_| {
        parts += 1;
        parts < 50
    };
    let request = Request::Files {
        volume: 0,
        question: Question::List(id),
    };
    let answer = conversation.ask_for(request, &mut Vec::new(), &mut count, |_| Some(()));
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("a list that is over"), "{error}");
    assert_eq!(parts, 50);
}

#[test]
fn a_reader_that_reads_for_ever_ends_when_the_person_asks() {
    let read = FromReader::ReadDisk {
        disk: 0,
        offset: 0,
        len_bytes: 512,
    };
    let frame = framed(&read, &[]);
    let disks: Vec<Arc<dyn BlockDevice>> = vec![Arc::new(MemoryDisk::new(vec![0; DISK_BYTES]))];
    let endless = Endless { frame, at: 0 };
    let conversation = Conversation::over(endless, sink(), None, disks, || true);
    let answer = conversation.ask(Request::Open { volume: 0 }, |_| Some(()));
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("did not come to an end"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_hangs_is_ended_when_the_person_asks() {
    let mut command = Command::new("sleep");
    command.arg("600");
    let conversation = Conversation::start(command, Vec::new(), || true).unwrap();
    let error = conversation.greet(&Secrets::default()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("did not answer when the program was asked to stop"),
        "{error}"
    );
}

#[test]
fn a_volume_of_another_size_or_with_sectors_of_no_disk_is_not_believed() {
    let facts = |size_bytes, sector_bytes, physical_sector_bytes| DiskFacts {
        size_bytes,
        sector_bytes,
        physical_sector_bytes,
    };
    let opened = |facts| {
        let answer = framed(&FromReader::Answer(Ok(Answer::Volume(facts))), &[]);
        let conversation = Arc::new(with(io::Cursor::new(answer)));
        RemoteVolume::open(conversation, 0, 4096)
    };
    for lie in [
        facts(4096, 0, 4096),
        facts(4096, 512, 0),
        facts(4096, 520, 4096),
        facts(u64::MAX, 512, 4096),
    ] {
        let error = opened(lie).err().unwrap();
        assert_eq!(error.kind(), FileErrorKind::Unreadable, "{lie:?}");
    }
    let volume = opened(facts(4096, 512, 4096)).unwrap();
    assert_eq!((volume.size_bytes(), volume.sector_bytes()), (4096, 512));
}
