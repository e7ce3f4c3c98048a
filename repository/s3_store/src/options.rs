//! Which bucket, where, and with what keys.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use crate::LockPeriod;

/// Which bucket, and how to get there.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The server, `https://…` or `http://…`.
    pub endpoint: Url,
    /// The bucket.
    pub bucket: String,
    /// What stands before the names of all objects: empty, or a path that ends with `/`.
    pub prefix: String,
    /// The region that signatures name.
    pub region: String,
    /// Whether the bucket stands in the path, not in the host's name.
    pub path_style: bool,
    /// Who asks.
    pub credentials: S3Credentials,
    /// A PEM file of certificates that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// How new objects are locked, where they are.
    pub lock: Option<LockPeriod>,
    /// How the store waits and cuts; the default is right but for tests.
    pub limits: S3Limits,
}

impl S3Options {
    /// Makes options for a bucket, with `path_style` where the endpoint is not Amazon's.
    pub fn new(endpoint: Url, bucket: &str, credentials: S3Credentials) -> Self {
        let amazon = endpoint
            .host_str()
            .is_some_and(|host| host.ends_with(".amazonaws.com"));
        Self {
            // A name with dots is not covered by Amazon's certificates.
            path_style: !amazon || bucket.contains('.'),
            endpoint,
            bucket: bucket.to_owned(),
            prefix: String::new(),
            region: "us-east-1".to_owned(),
            credentials,
            ca_file: None,
            lock: None,
            limits: S3Limits::default(),
        }
    }
}

/// How the store waits and cuts.
#[derive(Debug, Clone, Copy)]
pub struct S3Limits {
    /// How long to wait for a connection, and for the next bytes of anything.
    pub idle: Duration,
    /// Names that a page of a listing has at most; S3 gives no more than 1,000.
    pub page_names: u16,
    /// Objects that are larger are uploaded in parts of this size. At least 5 MiB, as S3 wants it.
    pub part_bytes: usize,
    /// How often a part is tried.
    pub part_attempts: u32,
    /// The wait before a part is tried for the second time; it doubles from there.
    pub part_wait: Duration,
}

impl Default for S3Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            page_names: 1_000,
            part_bytes: 64 << 20,
            part_attempts: 5,
            part_wait: Duration::from_secs(1),
        }
    }
}

/// The keys of an account.
#[derive(Clone)]
pub struct S3Credentials {
    /// The access key's id, which is no secret.
    pub key_id: String,
    /// The secret access key.
    pub secret: Zeroizing<String>,
    /// The token of a session that ends, where it is one.
    pub token: Option<Zeroizing<String>>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
