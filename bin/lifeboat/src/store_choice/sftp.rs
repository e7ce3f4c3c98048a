//! `sftp://USER@HOST:PORT/PATH`.

use std::sync::Arc;

use object_store::{ObjectStore, RetryPolicy, RetryingStore, Secret};
use sftp_store::{SftpCredentials, SftpOptions, SftpStore, read_url};
use url::Url;

use super::{Wanted, store_url};
use crate::cli_error::CliError;
use crate::store_credentials::StoreCredentials;

pub(super) fn open(
    url: &Url,
    credentials: &StoreCredentials,
    wanted: Wanted,
) -> Result<Arc<dyn ObjectStore>, CliError> {
    let (address, host_keys) =
        read_url(store_url(url)?).map_err(|error| CliError::usage(error.to_string()))?;
    let credentials = SftpCredentials::from_settings(&|name| {
        credentials
            .get(name)
            .map(|value| Secret::new(value.as_str().to_owned()))
    });
    let options = SftpOptions {
        host_keys,
        ..SftpOptions::default()
    };
    let store = match wanted {
        Wanted::Existing => {
            let store = SftpStore::open(address, credentials, options)?;
            store.sweep_temporary();
            store
        }
        Wanted::New => SftpStore::create(address, credentials, options)?,
    };
    Ok(Arc::new(RetryingStore::new(store, RetryPolicy::default())))
}
