//! Which VMs a run is for.

use std::error::Error;
use std::fmt;

use hyperv_host::{Inventory, VmEntry};

/// Why a selection names no set of VMs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectError {
    /// No VM is called so; these are there.
    NoSuchVm {
        /// What was asked for.
        asked: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Several VMs are called so.
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// Name and identity of each.
        candidates: Vec<String>,
    },
    /// Nothing was selected, or the host has nothing.
    Nothing,
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchVm { asked, known } if known.is_empty() => {
                write!(f, "there is no VM {asked}: the host has none")
            }
            Self::NoSuchVm { asked, known } => {
                write!(f, "there is no VM {asked}; there are {}", known.join(", "))
            }
            Self::Ambiguous { asked, candidates } => {
                write!(f, "{asked} may be {}", candidates.join(" or "))
            }
            Self::Nothing => f.write_str("there is no VM to back up"),
        }
    }
}

impl Error for SelectError {}

/// Chooses VMs by name, GUID or the beginning of an identity; all of them with `all`.
///
/// A name is compared without regard to case. An exact match beats the beginning of an identity.
/// Each VM comes once, in the order of the inventory.
pub fn select_vms(
    inventory: &Inventory,
    names: &[String],
    all: bool,
) -> Result<Vec<VmEntry>, SelectError> {
    let mut chosen = vec![all; inventory.vms.len()];
    for asked in names {
        let exact = |vm: &VmEntry| {
            vm.identity.eq_ignore_ascii_case(asked)
                || vm.name.to_lowercase() == asked.to_lowercase()
        };
        let prefix = |vm: &VmEntry| {
            asked.len() >= 4
                && vm
                    .identity
                    .to_lowercase()
                    .starts_with(&asked.to_lowercase())
        };
        let positions = |matches: &dyn Fn(&VmEntry) -> bool| -> Vec<usize> {
            (0..inventory.vms.len())
                .filter(|n| matches(&inventory.vms[*n]))
                .collect()
        };
        let mut found = positions(&exact);
        if found.is_empty() {
            found = positions(&prefix);
        }
        match found[..] {
            [] => {
                let known = inventory.vms.iter().map(|vm| vm.name.clone()).collect();
                return Err(SelectError::NoSuchVm {
                    asked: asked.clone(),
                    known,
                });
            }
            [one] => chosen[one] = true,
            _ => {
                let name = |n: &usize| {
                    let vm = &inventory.vms[*n];
                    format!("{} ({})", vm.name, vm.identity)
                };
                let candidates = found.iter().map(name).collect();
                return Err(SelectError::Ambiguous {
                    asked: asked.clone(),
                    candidates,
                });
            }
        }
    }
    let vms: Vec<VmEntry> = inventory
        .vms
        .iter()
        .zip(chosen)
        .filter(|(_, chosen)| *chosen)
        .map(|(vm, _)| vm.clone())
        .collect();
    if vms.is_empty() {
        Err(SelectError::Nothing)
    } else {
        Ok(vms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(vms: &[(&str, &str)]) -> Inventory {
        let vm = |(identity, name): &(&str, &str)| VmEntry {
            identity: (*identity).to_owned(),
            name: (*name).to_owned(),
            state: None,
            node: None,
            generation: None,
            version: None,
            disks: Vec::new(),
            checkpoints: 0,
            findings: Vec::new(),
        };
        Inventory {
            vms: vms.iter().map(vm).collect(),
            findings: Vec::new(),
        }
    }

    #[test]
    fn names_identities_and_beginnings_choose_and_doubt_is_an_error() {
        let host = inventory(&[("aaaa-1", "Web"), ("aaaa-2", "Db"), ("bbbb-1", "Db")]);
        let select = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let vms = select_vms(&host, &names, false)?;
            Ok::<_, SelectError>(vms.into_iter().map(|vm| vm.identity).collect::<Vec<_>>())
        };
        assert_eq!(select(&["web"]).unwrap(), ["aaaa-1"]);
        assert_eq!(select(&["BBBB", "web"]).unwrap(), ["aaaa-1", "bbbb-1"]);
        assert!(matches!(
            select(&["db"]),
            Err(SelectError::Ambiguous { .. })
        ));
        assert!(matches!(
            select(&["aaaa"]),
            Err(SelectError::Ambiguous { .. })
        ));
        assert!(matches!(
            select(&["aaa"]),
            Err(SelectError::NoSuchVm { .. })
        ));
        assert_eq!(select(&[]), Err(SelectError::Nothing));
        assert_eq!(select_vms(&host, &[], true).unwrap().len(), 3);
    }
}
