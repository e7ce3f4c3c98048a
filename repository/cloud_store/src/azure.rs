//! Azure Blob Storage.

use object_store::{Secret, StoreError};
use opendal::Operator;
use opendal::services::Azblob;

use crate::failure::Failures;
use crate::store::CloudStore;
use crate::transport::Patience;

/// What lets somebody into a storage account.
#[derive(Debug, Clone)]
pub enum AzureCredentials {
    /// One of the account's two keys, in base64.
    AccountKey(Secret),
    /// A shared access signature, with or without the `?` before it.
    SharedAccessSignature(Secret),
}

/// Where a container is.
#[derive(Debug, Clone)]
pub struct AzureOptions {
    /// The container. It must be there.
    pub container: String,
    /// What stands before the names of all objects: empty, or ends with `/`.
    pub prefix: String,
    /// The storage account.
    pub account: String,
    /// The server, such as `http://127.0.0.1:10000/devstoreaccount1`; Azure's own where it is none.
    pub endpoint: Option<String>,
    /// What lets us in.
    pub credentials: AzureCredentials,
    /// How long is waited.
    pub patience: Patience,
}

impl AzureOptions {
    fn endpoint(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://{}.blob.core.windows.net", self.account),
        }
    }
}

impl CloudStore {
    /// Opens a container, which must be there.
    ///
    /// Fails with `NotFound` where it is not, and `Denied` where the credentials are wrong.
    pub fn open_azure(options: &AzureOptions) -> Result<Self, StoreError> {
        let builder = Azblob::default()
            .container(&options.container)
            .root(&options.prefix)
            .endpoint(&options.endpoint())
            .account_name(&options.account);
        let (builder, hidden) = match &options.credentials {
            AzureCredentials::AccountKey(key) => (builder.account_key(key.reveal()), key),
            AzureCredentials::SharedAccessSignature(token) => {
                let bare = token.reveal().trim_start_matches('?');
                (builder.sas_token(bare), token)
            }
        };
        let location = format!("azure://{}/{}", options.container, options.prefix);
        let failures = Failures::hiding(hidden);
        let operator = Operator::new(builder)
            .map_err(|error| failures.failed(&location, "cannot use these settings", &error))?;
        Self::open(operator, location, options.patience, failures)
    }
}
