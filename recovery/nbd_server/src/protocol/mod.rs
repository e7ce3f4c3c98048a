//! The bytes of the protocol: nothing here reads a device or knows a socket.

mod error_number;
mod option;
mod reply;
mod request;

pub(crate) use error_number::ErrorNumber;
pub(crate) use option::{
    CLIENT_FIXED_NEWSTYLE, CLIENT_NO_ZEROES, Fields, OptionKind, OptionReply, OptionRequest,
    SERVER_GREETING, export_flags, option_reply, read_u32, skip,
};
pub(crate) use reply::{
    CHUNK_DATA_ROOM, SIMPLE_ROOM, StatusExtent, block_status_reply, data_chunk_header, done_chunk,
    error_chunk, hole_chunk, simple_reply,
};
pub(crate) use request::{Command, NO_FRAGMENTS, ONE_EXTENT, Request};
