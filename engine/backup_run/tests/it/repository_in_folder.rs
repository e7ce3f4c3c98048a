//! Repositories for tests.

use std::path::Path;
use std::sync::Arc;

use object_store::FolderStore;
use repository::{InitOptions, PasswordCost, Repository, Unlock};
use store_faults::{Fault, FaultySystem};

/// Makes a repository that costs no time to open, in a folder that is there or is made.
pub(crate) fn repository(folder: &Path) -> Repository {
    std::fs::create_dir_all(folder).unwrap();
    let system = FaultySystem::new(Fault::None);
    let store = Arc::new(FolderStore::with_system(folder, system).unwrap());
    let options = InitOptions {
        password_cost: PasswordCost {
            memory_kib: 64,
            passes: 1,
        },
        ..InitOptions::default()
    };
    Repository::init(store, &[Unlock::Password("correct horse")], options).unwrap()
}
