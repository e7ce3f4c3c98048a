//! What is asked of the server, and its signature.

use jiff::Timestamp;
use rusty_s3::{Bucket, Method, UrlStyle};
use url::Url;

use object_store::{StoreError, StoreErrorKind};

use crate::{S3Credentials, S3Options};

/// How long a signature is good for, in seconds: clocks differ, and large bodies take their time.
const SIGNATURE_LIFE_S: u64 = 3600;

/// One request, not signed yet.
#[derive(Debug, Clone)]
pub(crate) struct S3Request<'a> {
    pub(crate) method: Method,
    /// The object's name in the bucket; `None` asks the bucket.
    pub(crate) key: Option<String>,
    /// Of the URL, sorted by name.
    pub(crate) query: Vec<(&'static str, String)>,
    /// With lower-case names.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'a [u8],
    /// How long the answer's body may be.
    pub(crate) limit_bytes: u64,
}

/// Answers that are no object's bytes: listings of a thousand names, error messages.
pub(crate) const MESSAGE_BYTES_MAX: u64 = 8 << 20;

impl<'a> S3Request<'a> {
    pub(crate) fn new(method: Method, key: Option<String>) -> Self {
        Self {
            method,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            body: &[],
            limit_bytes: MESSAGE_BYTES_MAX,
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Names a version of the object, where there are versions.
    pub(crate) fn version(self, id: Option<&str>) -> Self {
        match id {
            Some(id) => self.query("versionId", id),
            None => self,
        }
    }

    /// Sends bytes, with a checksum that the server compares.
    pub(crate) fn body(self, body: &'a [u8]) -> Self {
        use base64::Engine as _;
        use md5::Digest as _;
        let sum = base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(body));
        Self { body, ..self }.header("content-md5", sum)
    }
}

/// Turns requests into URLs that the server accepts.
#[derive(Debug)]
pub(crate) struct Signer {
    bucket: Bucket,
    credentials: S3Credentials,
}

impl Signer {
    pub(crate) fn new(options: &S3Options) -> Result<Self, StoreError> {
        let style = match options.path_style {
            true => UrlStyle::Path,
            false => UrlStyle::VirtualHost,
        };
        let bucket = Bucket::new(
            options.endpoint.clone(),
            style,
            options.bucket.clone(),
            options.region.clone(),
        )
        .map_err(|error| {
            let what = format!("this endpoint and bucket make no URL: {error}");
            StoreError::new(StoreErrorKind::BadName, &options.bucket, what)
        })?;
        Ok(Self {
            bucket,
            credentials: options.credentials.clone(),
        })
    }

    /// Returns a URL that holds the signature of the request: a secret for as long as it is good.
    pub(crate) fn sign(&self, request: &S3Request<'_>, now: Timestamp) -> Url {
        let url = match &request.key {
            Some(key) => self.bucket.object_url(key),
            None => self.bucket.base_url().clone(),
        };
        let mut query: Vec<(&str, &str)> = pairs(&request.query).collect();
        query.sort_unstable();
        let mut headers: Vec<(&str, &str)> = pairs(&request.headers).collect();
        headers.sort_unstable();
        rusty_s3::signing::sign(
            &now,
            request.method,
            url,
            &self.credentials.key_id,
            &self.credentials.secret,
            self.credentials.token.as_ref().map(|token| token.as_str()),
            self.bucket.region(),
            SIGNATURE_LIFE_S,
            query.iter().copied(),
            headers.iter().copied(),
        )
    }
}

fn pairs<'a>(of: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    of.iter().map(|(name, value)| (*name, value.as_str()))
}
