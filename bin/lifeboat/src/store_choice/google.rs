//! `gs://BUCKET/PREFIX`: Google Cloud Storage.

use std::path::PathBuf;
use std::sync::Arc;

use cloud_store::{CloudStore, GoogleCredentials, GoogleOptions, Patience};
use object_store::{ObjectStore, RetryPolicy, RetryingStore};
use url::Url;

use super::{bucket_of, endpoint_of, options_of, prefix_of};
use crate::cli_error::CliError;
use crate::store_credentials::StoreCredentials;

/// What may stand behind the `?`.
const OPTIONS: &[&str] = &["endpoint"];
/// What names the file with a service account's key.
const KEY_FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

pub(super) fn open(
    url: &Url,
    credentials: &StoreCredentials,
) -> Result<Arc<dyn ObjectStore>, CliError> {
    let store = CloudStore::open_google(&read(url, credentials)?)?;
    Ok(Arc::new(RetryingStore::new(store, RetryPolicy::default())))
}

/// Understands the URL. Touches nothing.
fn read(url: &Url, credentials: &StoreCredentials) -> Result<GoogleOptions, CliError> {
    let given = options_of(url, OPTIONS)?;
    let endpoint = given
        .iter()
        .find(|(name, _)| name == "endpoint")
        .map(|(_, endpoint)| endpoint_of(endpoint, KEY_FILE))
        .transpose()?;
    let credentials = match credentials.get(KEY_FILE) {
        Some(path) => GoogleCredentials::KeyFile(PathBuf::from(path.as_str())),
        // An emulator asks for none.
        None if endpoint.is_some() => GoogleCredentials::None,
        None => GoogleCredentials::KeyFile(PathBuf::from(credentials.must_get(KEY_FILE)?.as_str())),
    };
    Ok(GoogleOptions {
        bucket: bucket_of(url)?.to_owned(),
        prefix: prefix_of(url)?,
        endpoint: endpoint.map(|endpoint| endpoint.as_str().trim_end_matches('/').to_owned()),
        credentials,
        patience: Patience::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, keys: &str) -> Result<GoogleOptions, CliError> {
        let credentials = StoreCredentials::from_text(keys).unwrap();
        read(&Url::parse(url).unwrap(), &credentials)
    }

    #[test]
    fn google_is_the_endpoint_where_none_is_named() {
        let keys = "GOOGLE_APPLICATION_CREDENTIALS=/etc/lifeboat/google.json";
        let found = options("gs://backups/hyperv", keys).unwrap();
        assert_eq!(
            (found.bucket.as_str(), found.prefix.as_str()),
            ("backups", "hyperv/")
        );
        assert_eq!(found.endpoint, None);
        assert!(matches!(
            found.credentials,
            GoogleCredentials::KeyFile(path) if path.as_os_str() == "/etc/lifeboat/google.json"
        ));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let keys = "GOOGLE_APPLICATION_CREDENTIALS=/etc/lifeboat/google.json";
        for url in [
            "gs:///prefix",
            "gs://b/UPPER",
            "gs://b?account=x",
            "gs://b?endpoint=https://me:hush@x",
        ] {
            let error = options(url, keys).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{url}");
        }
    }
}
