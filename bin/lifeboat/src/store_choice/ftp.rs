//! `ftps://USER@HOST:PORT/PATH` and `ftp://`.

use std::sync::Arc;

use ftp_store::{FtpOptions, FtpStore, read_url};
use object_store::{ObjectStore, RetryPolicy, RetryingStore, Secret};
use url::Url;

use super::{Wanted, store_url};
use crate::cli_error::CliError;
use crate::store_credentials::StoreCredentials;

/// What the user's password is called.
const PASSWORD: &str = "LIFEBOAT_FTP_PASSWORD";

pub(super) fn open(
    url: &Url,
    credentials: &StoreCredentials,
    wanted: Wanted,
) -> Result<Arc<dyn ObjectStore>, CliError> {
    let (address, encryption) =
        read_url(store_url(url)?).map_err(|error| CliError::usage(error.to_string()))?;
    let password = Secret::new(credentials.must_get(PASSWORD)?.as_str().to_owned());
    let options = FtpOptions {
        encryption,
        ..FtpOptions::default()
    };
    let store = match wanted {
        Wanted::Existing => {
            let store = FtpStore::open(address, password, options)?;
            store.sweep_temporary();
            store
        }
        Wanted::New => FtpStore::create(address, password, options)?,
    };
    Ok(Arc::new(RetryingStore::new(store, RetryPolicy::default())))
}
