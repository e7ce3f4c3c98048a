//! Large objects, part by part: a part that fails is sent again, not the whole.

use std::fmt::Write as _;
use std::thread;

use object_store::{StoreError, StoreErrorKind};
use rusty_s3::Method;

use crate::S3Limits;
use crate::answer::Answer;
use crate::failure::{ServerError, refused};
use crate::http_client::HttpClient;
use crate::request::S3Request;
use crate::xml;

/// S3 takes so many parts, and no smaller ones but the last.
const PARTS_MAX: usize = 10_000;
const PART_BYTES_MIN: usize = 5 << 20;

/// An object that is uploaded in parts.
pub(crate) struct PartUpload<'a> {
    pub(crate) client: &'a HttpClient,
    pub(crate) limits: S3Limits,
    /// The name, for errors.
    pub(crate) object: &'a str,
    pub(crate) key: String,
    /// How the object is locked.
    pub(crate) lock_headers: Vec<(&'static str, String)>,
    /// What the last request says so that nothing is replaced.
    pub(crate) condition: Option<(&'static str, String)>,
}

impl PartUpload<'_> {
    /// Uploads the object. After a failure nothing of it is left, as far as the server lets us.
    pub(crate) fn run(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let id = self.begin()?;
        let result = self.upload(&id, bytes);
        if result.is_err() {
            // Parts that stay cost money and are seen by nobody; a rule of the bucket ends them.
            let request = S3Request::new(Method::Delete, Some(self.key.clone()));
            drop(self.client.send(
                self.object,
                "cannot give the upload up",
                &request.query("uploadId", &id),
            ));
        }
        result
    }

    fn begin(&self) -> Result<String, StoreError> {
        let what = "cannot begin the upload";
        let mut request = S3Request::new(Method::Post, Some(self.key.clone())).query("uploads", "");
        request.headers.extend(self.lock_headers.iter().cloned());
        let answer = self.again(|| {
            succeeded(
                self.object,
                what,
                self.client.send(self.object, what, &request)?,
            )
        })?;
        let id = xml::parse(&answer.body)
            .ok()
            .and_then(|root| root.text_of("UploadId").map(str::to_owned));
        id.filter(|id| !id.is_empty() && id.len() <= 8192)
            .ok_or_else(|| {
                let message = format!("{what}: the server names no upload");
                StoreError::new(StoreErrorKind::Io, self.object, message)
            })
    }

    fn upload(&self, id: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let part_bytes = self
            .limits
            .part_bytes
            .max(PART_BYTES_MIN)
            .max(bytes.len().div_ceil(PARTS_MAX));
        let mut list = String::from("<CompleteMultipartUpload>");
        for (part, number) in bytes.chunks(part_bytes).zip(1u32..) {
            let tag = self.part(id, number, part)?;
            // Writing to a string cannot fail.
            let _ = write!(
                list,
                "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>",
                escaped(&tag)
            );
        }
        list.push_str("</CompleteMultipartUpload>");
        self.complete(id, &list)
    }

    /// Sends one part and returns what the server calls it.
    fn part(&self, id: &str, number: u32, bytes: &[u8]) -> Result<String, StoreError> {
        let what = format!("cannot write part {number}");
        let request = S3Request::new(Method::Put, Some(self.key.clone()))
            .query("partNumber", number.to_string())
            .query("uploadId", id)
            .body(bytes);
        let answer = self.again(|| {
            succeeded(
                self.object,
                &what,
                self.client.send(self.object, &what, &request)?,
            )
        })?;
        match answer.header("etag") {
            Some(tag) => Ok(tag.to_owned()),
            None => {
                let message = format!("{what}: the server does not name it");
                Err(StoreError::new(StoreErrorKind::Io, self.object, message))
            }
        }
    }

    fn complete(&self, id: &str, list: &str) -> Result<(), StoreError> {
        let what = "cannot end the upload";
        let mut request = S3Request::new(Method::Post, Some(self.key.clone()))
            .query("uploadId", id)
            .header("content-type", "application/xml");
        request.headers.extend(self.condition.iter().cloned());
        request.body = list.as_bytes();
        let answer = succeeded(
            self.object,
            what,
            self.client.send(self.object, what, &request)?,
        )?;
        // A success may still turn out to be none: the server says so in the body.
        let error = ServerError::read(&answer.body);
        match error.code.is_empty() {
            true => Ok(()),
            false => {
                let answer = Answer {
                    status: 500,
                    ..answer
                };
                Err(refused(self.object, what, &answer))
            }
        }
    }

    /// Tries something as often as is allowed, while the server is not available.
    fn again(
        &self,
        attempt: impl Fn() -> Result<Answer, StoreError>,
    ) -> Result<Answer, StoreError> {
        let mut wait = self.limits.part_wait;
        for _ in 1..self.limits.part_attempts {
            match attempt() {
                Err(error) if error.kind() == StoreErrorKind::Unavailable => {}
                result => return result,
            }
            thread::sleep(wait);
            wait = wait.saturating_mul(2);
        }
        attempt()
    }
}

fn succeeded(object: &str, what: &str, answer: Answer) -> Result<Answer, StoreError> {
    match answer.is_success() {
        true => Ok(answer),
        false => Err(refused(object, what, &answer)),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
