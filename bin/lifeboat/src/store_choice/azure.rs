//! `azure://CONTAINER/PREFIX?account=NAME`: Azure Blob Storage.

use std::sync::Arc;

use cloud_store::{AzureCredentials, AzureOptions, CloudStore, Patience};
use object_store::{ObjectStore, RetryPolicy, RetryingStore, Secret};
use url::Url;

use super::{bucket_of, endpoint_of, options_of, prefix_of};
use crate::cli_error::CliError;
use crate::store_credentials::StoreCredentials;

/// What may stand behind the `?`.
const OPTIONS: &[&str] = &["account", "endpoint"];
/// What one of the account's keys is called.
const KEY: &str = "AZURE_STORAGE_KEY";
/// What a shared access signature is called, which goes before a key.
const SIGNATURE: &str = "AZURE_STORAGE_SAS_TOKEN";

pub(super) fn open(
    url: &Url,
    credentials: &StoreCredentials,
) -> Result<Arc<dyn ObjectStore>, CliError> {
    let store = CloudStore::open_azure(&read(url, credentials)?)?;
    Ok(Arc::new(RetryingStore::new(store, RetryPolicy::default())))
}

/// Understands the URL. Touches nothing.
fn read(url: &Url, credentials: &StoreCredentials) -> Result<AzureOptions, CliError> {
    let given = options_of(url, OPTIONS)?;
    let find = |wanted: &str| {
        let option = given.iter().find(|(name, _)| name == wanted);
        option.map(|(_, value)| value.to_string())
    };
    let container = bucket_of(url)?.to_owned();
    let endpoint = find("endpoint")
        .map(|endpoint| endpoint_of(&endpoint, KEY))
        .transpose()?;
    let secret = |value: &str| Secret::new(value.to_owned());
    let credentials = match credentials.get(SIGNATURE) {
        Some(token) => AzureCredentials::SharedAccessSignature(secret(&token)),
        None => AzureCredentials::AccountKey(secret(&credentials.must_get(KEY)?)),
    };
    Ok(AzureOptions {
        container,
        prefix: prefix_of(url)?,
        account: account_of(find("account"))?,
        endpoint: endpoint.map(|endpoint| endpoint.as_str().trim_end_matches('/').to_owned()),
        credentials,
        patience: Patience::default(),
    })
}

/// Names of storage accounts are part of a host's name: 3 to 24 lower-case letters and digits.
fn account_of(account: Option<String>) -> Result<String, CliError> {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    match account {
        Some(account) if (3..=24).contains(&account.len()) && account.bytes().all(good) => {
            Ok(account)
        }
        Some(_) => Err(CliError::usage(
            "account is the name of a storage account: 3 to 24 lower-case letters and digits",
        )),
        None => Err(
            CliError::usage("this azure:// URL names no storage account")
                .hint("write azure://CONTAINER/PREFIX?account=NAME"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, keys: &str) -> Result<AzureOptions, CliError> {
        let credentials = StoreCredentials::from_text(keys).unwrap();
        read(&Url::parse(url).unwrap(), &credentials)
    }

    #[test]
    fn azure_is_the_endpoint_where_none_is_named() {
        let url = "azure://backups/hyperv/one/?account=vault01";
        let found = options(url, "AZURE_STORAGE_KEY=aHVzaA==").unwrap();
        assert_eq!(
            (found.container.as_str(), found.prefix.as_str()),
            ("backups", "hyperv/one/")
        );
        assert_eq!((found.account.as_str(), found.endpoint), ("vault01", None));
        assert!(matches!(
            found.credentials,
            AzureCredentials::AccountKey(key) if key.reveal() == "aHVzaA=="
        ));
    }

    #[test]
    fn a_signature_goes_before_a_key_and_an_emulator_has_the_account_in_its_path() {
        let url =
            "azure://c?account=devstoreaccount1&endpoint=http://127.0.0.1:10000/devstoreaccount1";
        let keys = "AZURE_STORAGE_KEY=aHVzaA==\nAZURE_STORAGE_SAS_TOKEN=sv=1&sig=hush";
        let found = options(url, keys).unwrap();
        assert_eq!(
            found.endpoint.as_deref(),
            Some("http://127.0.0.1:10000/devstoreaccount1")
        );
        assert!(matches!(
            &found.credentials,
            AzureCredentials::SharedAccessSignature(token) if token.reveal() == "sv=1&sig=hush"
        ));
        assert!(!format!("{found:?}").contains("hush"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for url in [
            "azure:///prefix?account=vault01",
            "azure://c",
            "azure://c?account=No",
            "azure://c?account=vault01.evil.example",
            "azure://c/UPPER?account=vault01",
            "azure://c?account=vault01&sig=hush",
            "azure://c?account=vault01&endpoint=https://x/?sig=hush",
            "azure://c?account=vault01&endpoint=ftp://x",
        ] {
            let error = options(url, "AZURE_STORAGE_KEY=aHVzaA==").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{url}");
        }
    }
}
