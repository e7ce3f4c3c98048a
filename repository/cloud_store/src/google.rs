//! Google Cloud Storage.

use std::path::PathBuf;

use object_store::{StoreError, StoreErrorKind};
use opendal::Operator;
use opendal::services::Gcs;

use crate::failure::Failures;
use crate::store::CloudStore;
use crate::transport::Patience;

/// What lets somebody into a bucket.
#[derive(Debug, Clone)]
pub enum GoogleCredentials {
    /// The JSON file with a service account's key, as Google gives it.
    KeyFile(PathBuf),
    /// Nothing: for emulators, which ask for nothing.
    None,
}

/// Where a bucket is.
#[derive(Debug, Clone)]
pub struct GoogleOptions {
    /// The bucket. It must be there.
    pub bucket: String,
    /// What stands before the names of all objects: empty, or ends with `/`.
    pub prefix: String,
    /// The server; Google's own where it is none.
    pub endpoint: Option<String>,
    /// What lets us in.
    pub credentials: GoogleCredentials,
    /// How long is waited.
    pub patience: Patience,
}

impl CloudStore {
    /// Opens a bucket, which must be there.
    ///
    /// Fails with `NotFound` where it is not, and `Denied` where the credentials are wrong.
    pub fn open_google(options: &GoogleOptions) -> Result<Self, StoreError> {
        let location = format!("gs://{}/{}", options.bucket, options.prefix);
        // Only what was named is used: no other identity that this machine may have.
        let builder = Gcs::default()
            .bucket(&options.bucket)
            .root(&options.prefix)
            .endpoint(options.endpoint.as_deref().unwrap_or_default())
            .disable_config_load()
            .disable_vm_metadata();
        let builder = match &options.credentials {
            GoogleCredentials::KeyFile(path) => {
                let path = path.to_str().ok_or_else(|| {
                    let text = "the path of the key file is not Unicode";
                    StoreError::new(StoreErrorKind::Unsupported, &location, text)
                })?;
                builder.credential_path(path)
            }
            GoogleCredentials::None => builder.skip_signature(),
        };
        let failures = Failures::default();
        let operator = Operator::new(builder)
            .map_err(|error| failures.failed(&location, "cannot use these settings", &error))?;
        Self::open(operator, location, options.patience, failures)
    }
}
