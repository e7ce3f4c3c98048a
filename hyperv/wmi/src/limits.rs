//! What a host may send at most.

/// Bytes of one WS-Man response. Windows' own limit is 500 KB unless it was raised.
pub const RESPONSE_BYTES_MAX: usize = 16 << 20;
/// Instances of one enumeration.
pub const INSTANCES_MAX: usize = 1_000_000;
/// Bytes of all instances of one enumeration.
pub const ENUMERATION_BYTES_MAX: usize = 1 << 30;
/// Bytes of one embedded instance.
pub const EMBEDDED_BYTES_MAX: usize = 4 << 20;
/// Elements inside each other, in any XML.
pub const DEPTH_MAX: usize = 64;
/// Properties of one instance, and values of one array.
pub const VALUES_MAX: usize = 1 << 20;
/// Bytes of an object path.
pub const PATH_BYTES_MAX: usize = 16 << 10;
