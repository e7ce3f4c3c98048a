//! `s3://BUCKET/PREFIX`: AWS, Ceph, MinIO, Garage and their like.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::{ObjectStore, RetryPolicy, RetryingStore};
use s3_store::{LockMode, LockPeriod, S3Credentials, S3Options, S3Store};
use url::Url;

use super::{bucket_of, endpoint_of, options_of, prefix_of};
use crate::cli_error::CliError;
use crate::store_credentials::StoreCredentials;

/// What may stand behind the `?`.
const OPTIONS: &[&str] = &[
    "endpoint",
    "region",
    "path-style",
    "ca-file",
    "lock",
    "lock-days",
    "lock-epoch-days",
];
/// Where keys belong.
const KEYS: &str = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
/// How long objects are locked where `lock` says nothing else.
const LOCK_DAYS: u32 = 30;
/// A slip of the finger must not lock a bucket for a lifetime.
const LOCK_DAYS_MAX: u32 = 3_660;

pub(super) fn open(
    url: &Url,
    credentials: &StoreCredentials,
) -> Result<Arc<dyn ObjectStore>, CliError> {
    let store = S3Store::open(&read(url, credentials)?)?;
    Ok(Arc::new(RetryingStore::new(store, RetryPolicy::default())))
}

/// Understands the URL. Touches nothing.
fn read(url: &Url, credentials: &StoreCredentials) -> Result<S3Options, CliError> {
    let given = options_of(url, OPTIONS)?;
    let find = |wanted: &str| {
        let option = given.iter().find(|(name, _)| name == wanted);
        option.map(|(_, value)| value.to_string())
    };
    let bucket = bucket_of(url)?;
    let region = find("region")
        .or_else(|| {
            credentials
                .get("AWS_REGION")
                .map(|region| region.to_string())
        })
        .unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = match find("endpoint") {
        Some(endpoint) => endpoint_of(&endpoint, KEYS)?,
        None => endpoint_of(&format!("https://s3.{region}.amazonaws.com"), KEYS)?,
    };
    let keys = S3Credentials {
        key_id: credentials.must_get("AWS_ACCESS_KEY_ID")?.to_string(),
        secret: credentials.must_get("AWS_SECRET_ACCESS_KEY")?,
        token: credentials.get("AWS_SESSION_TOKEN"),
    };
    let mut options = S3Options::new(endpoint, bucket, keys);
    options.prefix = prefix_of(url)?;
    options.region = region;
    options.path_style = match find("path-style").as_deref() {
        None => options.path_style,
        Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(CliError::usage("path-style is true or false")),
    };
    options.ca_file = find("ca-file").map(PathBuf::from);
    options.lock = lock_of(&find)?;
    Ok(options)
}

fn lock_of(find: &dyn Fn(&str) -> Option<String>) -> Result<Option<LockPeriod>, CliError> {
    let mode = match find("lock").as_deref() {
        None if find("lock-days").is_some() => {
            return Err(CliError::usage(
                "lock-days needs lock=compliance or lock=governance",
            ));
        }
        None => return Ok(None),
        Some("compliance") => LockMode::Compliance,
        Some("governance") => LockMode::Governance,
        Some(_) => return Err(CliError::usage("lock is compliance or governance")),
    };
    let days = |name: &str, usual: u32| match find(name) {
        None => Ok(usual),
        Some(text) => match text.parse() {
            Ok(days) if (1..=LOCK_DAYS_MAX).contains(&days) => Ok(days),
            _ => Err(CliError::usage(format!(
                "{name} is a number of days from 1 to {LOCK_DAYS_MAX}"
            ))),
        },
    };
    Ok(Some(LockPeriod {
        mode,
        days: days("lock-days", LOCK_DAYS)?,
        epoch_days: days("lock-epoch-days", LockPeriod::EPOCH_DAYS)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str =
        "AWS_ACCESS_KEY_ID=AKIDEXAMPLE\nAWS_SECRET_ACCESS_KEY=hush\nAWS_REGION=eu-west-1";

    fn options(url: &str) -> Result<S3Options, CliError> {
        let credentials = StoreCredentials::from_text(GIVEN).unwrap();
        read(&Url::parse(url).unwrap(), &credentials)
    }

    #[test]
    fn amazon_is_the_endpoint_where_none_is_named() {
        let options = options("s3://backups/hyperv/one/").unwrap();
        assert_eq!(
            options.endpoint.as_str(),
            "https://s3.eu-west-1.amazonaws.com/"
        );
        assert_eq!(
            (options.bucket.as_str(), options.prefix.as_str()),
            ("backups", "hyperv/one/")
        );
        assert!(!options.path_style && options.lock.is_none());
    }

    #[test]
    fn options_are_read() {
        let options = options(
            "s3://backups?endpoint=http://127.0.0.1:9000&region=r&lock=governance&lock-days=14",
        )
        .unwrap();
        assert_eq!(options.endpoint.port(), Some(9000));
        assert!(options.path_style && options.prefix.is_empty());
        assert_eq!(options.region, "r");
        let lock = options.lock.unwrap();
        assert_eq!(
            (lock.mode, lock.days, lock.epoch_days),
            (LockMode::Governance, 14, 7)
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for url in [
            "s3:///prefix",
            "s3://b/UPPER",
            "s3://b?lock=forever",
            "s3://b?lock-days=3",
            "s3://b?lock=compliance&lock-days=0",
            "s3://b?lock=compliance&lock-days=99999",
            "s3://b?path-style=yes",
            "s3://b?endpoint=ftp://x",
            "s3://b?endpoint=https://key:hush@x",
            "s3://b?secret=hush",
        ] {
            let error = options(url).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
