//! Nodes of a cluster compared (requirements PRE-05, PRE-34).

use std::collections::BTreeSet;

use hyperv_host::{Finding, Severity};

/// Says that nodes have different versions of this program. `versions`: a node and the version on
/// it, `None` where there is none. Nodes without it are no trouble: they are reached from elsewhere.
pub fn version_mixed(versions: &[(String, Option<String>)]) -> Option<Finding> {
    let with = versions
        .iter()
        .filter_map(|(node, version)| Some((node, version.as_ref()?)));
    let different: BTreeSet<&String> = with.clone().map(|(_, version)| version).collect();
    if different.len() < 2 {
        return None;
    }
    let list: Vec<String> = with
        .map(|(node, version)| format!("{version} on {node}"))
        .collect();
    let text = format!(
        "the nodes have different versions of lifeboat: {}",
        list.join(", ")
    );
    Some(
        Finding::new("HOST-VERSION-MIXED", Severity::Warn, text)
            .cure("bring every node to the same version: a VM that moves takes its backup along"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_versions_are_told_and_missing_ones_are_not() {
        let node =
            |name: &str, version: Option<&str>| (name.to_owned(), version.map(str::to_owned));
        let mixed = [
            node("N1", Some("1.0")),
            node("N2", Some("1.1")),
            node("N3", None),
        ];
        let finding = version_mixed(&mixed).unwrap();
        assert_eq!(finding.id, "HOST-VERSION-MIXED");
        assert!(
            finding.text.ends_with("1.0 on N1, 1.1 on N2"),
            "{}",
            finding.text
        );
        assert_eq!(version_mixed(&mixed[1..]), None);
        assert_eq!(version_mixed(&[]), None);
    }
}
