//! How tests get to a bucket.

use s3_store::{S3Credentials, S3Options};
use zeroize::Zeroizing;

pub(crate) fn options(endpoint: &str, bucket: &str) -> S3Options {
    let credentials = S3Credentials {
        key_id: "AKIDEXAMPLE".to_owned(),
        secret: Zeroizing::new("SeCrEt".to_owned()),
        token: None,
    };
    S3Options::new(endpoint.parse().unwrap(), bucket, credentials)
}
