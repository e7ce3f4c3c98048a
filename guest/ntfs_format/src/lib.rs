//! NTFS' structures as they lie on a volume: parsed from bytes, never trusted, never written.
//!
//! ```text
//!   boot sector ──► where the file table is ──► FileRecord ── attributes ──► Form::Resident
//!                                                                │               Form::Runs ── append_runs ──► Run
//!                                     attribute_list ◄───────────┤
//!   index_entries ◄── $INDEX_ROOT, INDX blocks ◄─────────────────┤
//!   decompress_lznt1, decompress_xpress_huffman, decompress_lzx ◄┘ content that is compressed
//! ```
//!
//! Nothing here reads a device: who reads, what is cached and how much is read is the caller's.
//! `skip_ranges` asks what may be left out of a backup, and takes nothing that is in doubt;
//! `guest_files` shows the files. Both parse with this.
//!
//! # Sources
//!
//! The structures as the Linux-NTFS documentation and libfsntfs' describe them; LZNT1 and XPRESS
//! Huffman by MS-XCA, LZX by MS-PATCH with the differences that Windows images (WIM) have; links by
//! MS-FSCC 2.1.2. Nothing is taken from the code of any.
//!
//! # Errors
//!
//! [`Malformed`] says what breaks the format's rules. Whatever the bytes are, nothing here panics,
//! loops without end or allocates more than a constant times what it was given.

#![forbid(unsafe_code)]

mod attribute;
mod attribute_list;
mod boot_sector;
mod compression;
pub mod fields;
mod file_name;
mod file_record;
mod index;
mod malformed;
mod mapping_pairs;
mod protection;
mod reparse_point;
mod restart_page;
mod upcase;

pub use attribute::{Attribute, AttributeKind, Form, StoredRuns};
pub use attribute_list::{ListedAttribute, attribute_list};
pub use boot_sector::BootSector;
pub use compression::{decompress_lznt1, decompress_lzx, decompress_xpress_huffman};
pub use file_name::{FileNameValue, NameSpace, is_called, record_number, record_sequence};
pub use file_record::FileRecord;
pub use index::{
    INDEX_BLOCK_HEADER, INDEX_ROOT_HEADER, IndexEntry, index_block_bytes, index_entries,
};
pub use malformed::{Malformed, Parsed};
pub use mapping_pairs::{RUNS_MAX, Run, append_runs};
pub use protection::repair;
pub use reparse_point::{ReparsePoint, WofAlgorithm, tags};
pub use restart_page::RestartPage;
pub use upcase::UpCase;
