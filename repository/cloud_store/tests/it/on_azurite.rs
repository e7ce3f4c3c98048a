//! The conformance suite on Microsoft's own emulator, which checks signatures.

use std::time::Duration;

use azurite_server::{ACCOUNT, ACCOUNT_KEY, Azurite};
use cloud_store::{AzureCredentials, AzureOptions, CloudStore, Patience};
use object_store::{ObjectStore as _, Secret, StoreErrorKind};
use store_conformance::{SuiteOptions, run_suite};

fn options(azurite: &Azurite, container: &str) -> AzureOptions {
    AzureOptions {
        container: container.to_owned(),
        prefix: String::new(),
        account: ACCOUNT.to_owned(),
        endpoint: Some(azurite.endpoint()),
        credentials: AzureCredentials::AccountKey(Secret::new(ACCOUNT_KEY.to_owned())),
        patience: Patience::default(),
    }
}

fn must_conform(options: &AzureOptions, suite: SuiteOptions) {
    let open = || CloudStore::open_azure(options).unwrap();
    let report = run_suite(&open(), &open(), suite, &mut |_| ()).unwrap();
    let failed: Vec<_> = report
        .cases
        .iter()
        .filter(|case| case.outcome.is_failure())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!((report.left_objects, report.left_why), (0, None));
}

#[test]
fn a_container_passes_with_the_accounts_key() {
    let Some(azurite) = Azurite::shared() else {
        return;
    };
    azurite.make_container("all-key");
    let mut options = options(azurite, "all-key");
    options.prefix = "some/where/".to_owned();
    let suite = SuiteOptions {
        listed_objects: 60,
        large_object_bytes: 12 << 20,
        listing_lag_max: Duration::from_secs(5),
    };
    must_conform(&options, suite);
}

#[test]
fn a_container_passes_with_a_shared_access_signature() {
    let Some(azurite) = Azurite::shared() else {
        return;
    };
    azurite.make_container("all-signature");
    let mut options = options(azurite, "all-signature");
    let signature = format!("?{}", azurite.signature("rwdl"));
    options.credentials = AzureCredentials::SharedAccessSignature(Secret::new(signature));
    must_conform(&options, SuiteOptions::quick());
}

#[test]
fn a_wrong_key_and_a_missing_container_are_told_apart_without_the_key() {
    let Some(azurite) = Azurite::shared() else {
        return;
    };
    let error = CloudStore::open_azure(&options(azurite, "nothing-here")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("ContainerNotFound"), "{error}");

    azurite.make_container("wrong-key");
    let mut wrong = options(azurite, "wrong-key");
    let key = "aHVudGVyMiBodW50ZXIyIGh1bnRlcjI=";
    wrong.credentials = AzureCredentials::AccountKey(Secret::new(key.to_owned()));
    let error = CloudStore::open_azure(&wrong).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{error}");
    assert!(!format!("{wrong:?} {error:?}").contains(key), "{error:?}");

    let forged = azurite.signature("rwdl").replace("sig=", "sig=hunter2");
    wrong.credentials = AzureCredentials::SharedAccessSignature(Secret::new(forged));
    let error = CloudStore::open_azure(&wrong).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{error}");
    assert!(
        !format!("{wrong:?} {error:?}").contains("hunter2"),
        "{error:?}"
    );
}

#[test]
fn a_signature_without_the_right_to_remove_adds_and_replaces_nothing() {
    let Some(azurite) = Azurite::shared() else {
        return;
    };
    azurite.make_container("adds-only");
    let mut options = options(azurite, "adds-only");
    // `c` makes new blobs, `w` would put over old ones too.
    let signature = azurite.signature("rcl");
    options.credentials = AzureCredentials::SharedAccessSignature(Secret::new(signature));
    let store = CloudStore::open_azure(&options).unwrap();
    store.put_new("packs/aa/one", b"as it was").unwrap();
    let error = store.put_new("packs/aa/one", b"another").unwrap_err();
    assert!(
        matches!(
            error.kind(),
            StoreErrorKind::Exists | StoreErrorKind::Denied
        ),
        "{error}"
    );
    let error = store.remove("packs/aa/one").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{error}");
    assert_eq!(store.get("packs/aa/one", 100).unwrap(), b"as it was");
}
