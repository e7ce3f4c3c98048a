//! `s3://BUCKET/PREFIX`.

use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use super::{not_yet, options_of};
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
];

pub(super) fn open(
    url: &Url,
    _credentials: &StoreCredentials,
) -> Result<Arc<dyn ObjectStore>, CliError> {
    options_of(url, OPTIONS)?;
    not_yet("s3")
}
