//! What happens where the guest does not do what it is asked for.

use hyperv_host::{
    BackupRequest, Consistency, Finding, HostError, HostErrorKind, OnMissed, Reached, Severity,
};

/// Decides whether a VM whose guest did not take part gets a crash-consistent point: the level and
/// a finding, or an error.
pub(crate) fn without_guest(
    expected: &Reached,
    why: &str,
    request: &BackupRequest,
) -> Result<(Reached, Option<Finding>), HostError> {
    let reached = Reached {
        level: Consistency::Crash,
        reason: format!("the guest did not take part: {why}"),
    };
    let missed = request.require.is_some_and(|level| level > reached.level);
    let text = format!(
        "{} consistency was expected, and crash consistency reached: {why}",
        expected.level.name()
    );
    match request.on_missed {
        OnMissed::Fail if missed => {
            let level = request.require.unwrap_or(expected.level).name();
            let text = format!("{level} consistency is required, and the guest failed: {why}");
            Err(HostError::new(HostErrorKind::ConsistencyMissed, text).hint(
                "look at the VSS writers in the guest (vssadmin list writers), or require less: \
                 --require, --on-missed",
            ))
        }
        OnMissed::Accept => Ok((reached, None)),
        OnMissed::Fail | OnMissed::Warn => {
            let finding = Finding::new("VM-CONSISTENCY", Severity::Warn, text).cure(
                "look at the VSS writers in the guest (vssadmin list writers) and at the event \
                 log Hyper-V-VMMS/Admin on the host",
            );
            Ok((reached, Some(finding)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_decides() {
        let expected = Reached {
            level: Consistency::Application,
            reason: "x".to_owned(),
        };
        let request = |require, on_missed| BackupRequest {
            require,
            on_missed,
            ..BackupRequest::default()
        };
        let ask = |require, on_missed| {
            without_guest(&expected, "a writer failed", &request(require, on_missed))
                .map(|(reached, finding)| {
                    assert_eq!(reached.level, Consistency::Crash);
                    finding.map(|finding| finding.severity)
                })
                .map_err(|error| error.kind())
        };
        let application = Some(Consistency::Application);
        let missed = Err(HostErrorKind::ConsistencyMissed);
        let warned = Ok(Some(Severity::Warn));
        assert_eq!(ask(application, OnMissed::Fail), missed);
        assert_eq!(ask(application, OnMissed::Warn), warned);
        assert_eq!(ask(application, OnMissed::Accept), Ok(None));
        assert_eq!(ask(None, OnMissed::Fail), warned);
        assert_eq!(ask(Some(Consistency::Crash), OnMissed::Fail), warned);
        assert_eq!(ask(Some(Consistency::FileSystem), OnMissed::Fail), missed);
    }
}
