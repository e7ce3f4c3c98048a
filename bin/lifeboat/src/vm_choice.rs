//! Which VM of a repository a person means.

use repository::Catalog;

use crate::cli_error::CliError;

/// Letters that the beginning of an identity needs.
const IDENTITY_LETTERS_MIN: usize = 4;

/// A VM that has restore points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChosenVm {
    pub(crate) identity: String,
    pub(crate) name: String,
}

/// Finds the VM that is called so: by its name, its identity or the beginning of that.
pub(crate) fn find_vm(catalog: &Catalog, asked: &str) -> Result<ChosenVm, CliError> {
    choose(catalog.vms(), asked)
}

fn choose(vms: Vec<(String, String)>, asked: &str) -> Result<ChosenVm, CliError> {
    let lower = asked.to_lowercase();
    let is = |identity: &str, name: &str| {
        name.to_lowercase() == lower || identity.to_lowercase() == lower
    };
    let begins = |identity: &str| {
        asked.len() >= IDENTITY_LETTERS_MIN && identity.to_lowercase().starts_with(&lower)
    };
    let exact = vms.iter().filter(|(identity, name)| is(identity, name));
    let mut found: Vec<&(String, String)> = exact.collect();
    if found.is_empty() {
        found = vms
            .iter()
            .filter(|(identity, _)| begins(identity))
            .collect();
    }
    match found.as_slice() {
        [(identity, name)] => Ok(ChosenVm {
            identity: identity.clone(),
            name: name.clone(),
        }),
        [] => Err(
            CliError::usage(format!("there is no restore point of a VM {asked}"))
                .hint("`lifeboat point list` shows the VMs that have some"),
        ),
        [one, other, ..] => Err(CliError::usage(format!(
            "several VMs are called {asked}: {} and {}",
            one.0, other.0
        ))
        .hint("name it by its identity, or the beginning of that")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beats_the_beginning_of_an_identity_and_two_are_too_many() {
        let vm = |identity: &str, name: &str| (identity.to_owned(), name.to_owned());
        let vms = || vec![vm("abcd-1", "WEB"), vm("abcd-2", "SQL"), vm("ef00", "abcd")];
        let name = |asked| choose(vms(), asked).map(|found| found.name);
        assert_eq!(name("web").unwrap(), "WEB");
        assert_eq!(name("ABCD-2").unwrap(), "SQL");
        assert_eq!(name("abcd").unwrap(), "abcd");
        assert!(name("abcd-").is_err() && name("abc").is_err() && name("nobody").is_err());
    }
}
