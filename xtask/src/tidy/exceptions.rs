//! The one list of exceptions. Each has a reason; one that matches nothing must go.

use super::finding::{Finding, Weight};

/// Lets the findings of `rule` in `path` pass.
pub(crate) struct Exception {
    pub(crate) rule: &'static str,
    /// The finding's path, whole.
    pub(crate) path: &'static str,
    /// Why the rule does not serve its purpose here.
    pub(crate) reason: &'static str,
}

/// All exceptions of this project.
pub(crate) const LIST: &[Exception] = &[
    Exception {
        rule: "unsafe-code",
        path: "hyperv/wmi/src/lib.rs",
        reason: "COM is called in its module `com`, for Windows alone; everything else is denied",
    },
    Exception {
        rule: "unsafe-code",
        path: "hyperv/virtdisk/src/lib.rs",
        reason: "virtdisk.dll is called in its module `native`; everything else is denied",
    },
    Exception {
        rule: "file-length",
        path: "hyperv/vss/src/native/bindings.rs",
        reason: "windows-bindgen wrote it, and a test compares it with what it writes",
    },
    Exception {
        rule: "file-length",
        path: "hyperv/hyperv_sim/src/face/schema.rs",
        reason: "one table of the classes, with their properties and since which version",
    },
    Exception {
        rule: "unsafe-code",
        path: "hyperv/vss/src/lib.rs",
        reason: "VSS is called in its module `native`, for Windows alone; everything else is denied",
    },
    Exception {
        rule: "unsafe-code",
        path: "guest/reader_sandbox/src/lib.rs",
        reason: "jobs and tokens are called in its module `native`, for Windows alone; everything else is denied",
    },
];

/// Takes out what `list` excuses, and adds a finding for each entry that excuses nothing.
pub(crate) fn apply(list: &[Exception], findings: Vec<Finding>) -> Vec<Finding> {
    let excuses = |e: &Exception, f: &Finding| e.rule == f.rule && e.path == f.path;
    let stale = list
        .iter()
        .filter(|e| !findings.iter().any(|f| excuses(e, f)))
        .map(|e| Finding {
            rule: "stale-exception",
            weight: Weight::Failure,
            path: "xtask/src/tidy/exceptions.rs".into(),
            line: 1,
            what: format!(
                "`{}` in {} needs no exception ({})",
                e.rule, e.path, e.reason
            ),
            why: "a list of exceptions is read as a list of weak spots",
            remedy: "take the entry out",
        });
    let mut kept: Vec<Finding> = stale.collect();
    kept.extend(
        findings
            .into_iter()
            .filter(|f| !list.iter().any(|e| excuses(e, f))),
    );
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &'static str, path: &str) -> Finding {
        Finding {
            rule,
            weight: Weight::Failure,
            path: path.into(),
            line: 3,
            what: String::new(),
            why: "",
            remedy: "",
        }
    }

    #[test]
    fn an_exception_excuses_its_rule_in_its_file_only() {
        let list = [Exception {
            rule: "size",
            path: "a.rs",
            reason: "a table",
        }];
        let left = apply(
            &list,
            vec![finding("size", "a.rs"), finding("size", "b.rs")],
        );
        assert_eq!(left, vec![finding("size", "b.rs")]);
    }

    #[test]
    fn an_exception_that_excuses_nothing_is_a_finding() {
        let list = [Exception {
            rule: "size",
            path: "gone.rs",
            reason: "a table",
        }];
        let left = apply(&list, vec![]);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].rule, "stale-exception");
    }
}
