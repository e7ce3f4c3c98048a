//! Why a command failed, as people and programs are told.

use std::error::Error;
use std::fmt;

use backup_run::SelectError;
use block_io::DiskError;
use hyperv_host::{HostError, HostErrorKind};
use object_store::StoreError;
use repository::RepositoryError;
use serde_json::{Value, json};
use vm_restore::RestoreError;

use crate::exit_code::ExitCode;

/// Why a command failed: the program's own reason, or a library's error with its causes.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The program's own reason.
    Own {
        code: ExitCode,
        kind: &'static str,
        message: String,
        hint: Option<String>,
    },
    /// The error of a library.
    Library(Box<dyn Error + Send + Sync>),
}

impl CliError {
    pub(crate) fn new(code: ExitCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self::Own {
            code,
            kind,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, "usage", message)
    }

    #[must_use]
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Own { hint, .. } = &mut self {
            hint.get_or_insert(text.into());
        }
        self
    }

    /// Wraps a failed system call on a file of our own.
    pub(crate) fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        let (file, message) = (what.into(), "cannot be read or written");
        Self::Library(Box::new(DiskError::io(&file, message, error)))
    }

    /// Returns what the program ends with: the first cause that is specific decides.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Own { code, .. } => *code,
            Self::Library(error) => exit_code_of(error.as_ref()),
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::Own { kind, .. } => (*kind).to_owned(),
            Self::Library(error) => {
                // Where no cause has a code of its own, the innermost knows best what happened.
                let causes = || chain(error.as_ref());
                causes()
                    .find(|cause| code_of_one(*cause).is_some_and(ExitCode::is_specific))
                    .and_then(kind_of_one)
                    .or_else(|| causes().filter_map(kind_of_one).last())
                    .unwrap_or_else(|| "failed".to_owned())
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Own { message, .. } => message.clone(),
            Self::Library(error) => error.to_string(),
        }
    }

    /// Returns the causes that say something new, outermost first.
    fn causes(&self) -> Vec<String> {
        let Self::Library(error) = self else {
            return Vec::new();
        };
        let mut said = vec![error.to_string()];
        for cause in chain(error.as_ref()).skip(1) {
            let text = cause.to_string();
            if !said.iter().any(|before| before.contains(&text)) {
                said.push(text);
            }
        }
        said.remove(0);
        said
    }

    fn hint_text(&self) -> Option<String> {
        let own = match self {
            Self::Own { hint, .. } => hint.clone(),
            Self::Library(error) => chain(error.as_ref()).find_map(hint_of_one),
        };
        own.or_else(|| usual_hint(self.exit_code()).map(str::to_owned))
    }

    /// Returns the code of what went wrong with a host, by which `lifeboat explain` tells more.
    fn catalog_code(&self) -> Option<&'static str> {
        let Self::Library(error) = self else {
            return None;
        };
        chain(error.as_ref())
            .find_map(|cause| cause.downcast_ref::<HostError>())
            .and_then(|error| catalog_code(Some(error.kind()), &error.to_string()))
    }

    /// Returns the text for people, in lines.
    pub(crate) fn to_lines(&self) -> Vec<String> {
        let code = self.catalog_code();
        let code = code.map_or_else(String::new, |code| format!("{code} "));
        let mut lines = vec![format!("error: {code}{}", self.message())];
        lines.extend(self.causes().iter().map(|text| format!("  cause: {text}")));
        lines.extend(self.hint_text().map(|text| format!("  do: {text}")));
        lines
    }

    /// Returns the fields for programs.
    pub(crate) fn to_json(&self) -> Value {
        let mut fields = json!({
            "code": self.catalog_code(),
            "exit": self.exit_code(),
            "kind": self.kind(),
            "text": self.message(),
            "causes": self.causes(),
            "hint": self.hint_text(),
        });
        if let (Self::Library(error), Value::Object(map)) = (self, &mut fields) {
            let disk = chain(error.as_ref()).find_map(|cause| cause.downcast_ref::<DiskError>());
            if let Some(disk) = disk {
                map.insert("file".into(), json!(disk.file()));
                map.insert("offset".into(), json!(disk.offset()));
            }
        }
        fields
    }
}

/// Returns the exit code of an error: that of the first cause which is specific.
pub(crate) fn exit_code_of(error: &(dyn Error + 'static)) -> ExitCode {
    chain(error)
        .filter_map(code_of_one)
        .find(|code| code.is_specific())
        .unwrap_or(ExitCode::Failed)
}

/// Returns the code of a failure: that of the finding which its message names, of what the host
/// said in words or numbers that are known, or of the host's kind of failure.
pub(crate) fn catalog_code(kind: Option<HostErrorKind>, message: &str) -> Option<&'static str> {
    let named = message.split(':').next().and_then(finding_catalog::find);
    // A sort of failure that has a page of its own says more than a number among its words.
    let said = || {
        let vague = matches!(
            kind,
            None | Some(HostErrorKind::Refused | HostErrorKind::Disk)
        );
        let found = finding_catalog::recognize(message);
        found.first().filter(|_| vague).map(|found| found.page)
    };
    named
        .or_else(said)
        .or_else(|| kind.and_then(finding_catalog::of_error))
        .map(|page| page.code)
}

fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    // Nobody nests errors this deep; a cycle must not hang the program.
    std::iter::successors(Some(error), |&error| error.source()).take(32)
}

fn code_of_one(error: &(dyn Error + 'static)) -> Option<ExitCode> {
    if let Some(error) = error.downcast_ref::<RepositoryError>() {
        return Some(ExitCode::of_repository(error.kind()));
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return Some(ExitCode::of_store(error.kind()));
    }
    if let Some(error) = error.downcast_ref::<DiskError>() {
        return Some(ExitCode::of_disk(error.kind()));
    }
    if let Some(error) = error.downcast_ref::<HostError>() {
        return Some(ExitCode::of_host(error.kind()));
    }
    let wrong_name = error.is::<SelectError>()
        || matches!(
            error.downcast_ref::<RestoreError>(),
            Some(RestoreError::NoSuchDisk { .. } | RestoreError::Checkpoint { .. })
        );
    wrong_name.then_some(ExitCode::Usage)
}

fn kind_of_one(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<RepositoryError>() {
        return Some(error.kind().name().to_owned());
    }
    if let Some(error) = error.downcast_ref::<DiskError>() {
        return Some(error.kind().name().to_owned());
    }
    if let Some(error) = error.downcast_ref::<HostError>() {
        return Some(error.kind().name().to_owned());
    }
    match error.downcast_ref::<SelectError>() {
        Some(SelectError::Ambiguous { .. }) => return Some("ambiguous-vm".to_owned()),
        Some(_) => return Some("no-such-vm".to_owned()),
        None => {}
    }
    let kind = match error.downcast_ref::<RestoreError>()? {
        RestoreError::NoSuchDisk { .. } => "no-such-disk",
        RestoreError::Checkpoint { .. } => "no-such-checkpoint",
        _ => return None,
    };
    Some(kind.to_owned())
}

fn hint_of_one(error: &(dyn Error + 'static)) -> Option<String> {
    let repository = error.downcast_ref::<RepositoryError>();
    let disk = error.downcast_ref::<DiskError>();
    let host = error.downcast_ref::<HostError>();
    repository
        .and_then(RepositoryError::hint_text)
        .or_else(|| disk.and_then(DiskError::hint_text))
        .or_else(|| host.and_then(HostError::hint_text))
        .map(str::to_owned)
}

/// Returns what helps most often, where the error itself says nothing.
fn usual_hint(code: ExitCode) -> Option<&'static str> {
    Some(match code {
        ExitCode::WrongKey => {
            "check LIFEBOAT_PASSWORD_FILE, or open with the recovery key: \
             LIFEBOAT_RECOVERY_KEY_FILE=FILE"
        }
        ExitCode::Damaged => "run `lifeboat repo check --read-data` to see what is affected",
        ExitCode::NoSpace => "make room and run the command again; what was finished is kept",
        ExitCode::TargetExists => "choose another name, or move what is there out of the way",
        ExitCode::Cancelled => "run the command again; a backup goes on from what it stored",
        _ => return None,
    })
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::Library(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use block_io::DiskErrorKind;
    use repository::RepositoryErrorKind;

    use super::*;

    #[test]
    fn the_first_specific_cause_decides() {
        let damaged = RepositoryError::damaged("packs/aa", "the frame does not authenticate");
        let disk = DiskError::new(DiskErrorKind::Io, "reading failed").caused_by(damaged);
        let host = HostError::new(HostErrorKind::Disk, "disk 0 cannot be read").caused_by(disk);
        let error = CliError::from(host);
        assert_eq!(error.exit_code(), ExitCode::Damaged);
        assert_eq!(error.to_json()["kind"], "damaged");
        let lines = error.to_lines();
        assert!(lines[0].starts_with("error: LB-"), "{lines:?}");
        assert!(lines[0].ends_with(" disk 0 cannot be read"), "{lines:?}");
        assert_eq!(lines[1], "  cause: reading failed");
        assert!(lines[2].contains("packs/aa"), "{lines:?}");
        assert!(lines[3].starts_with("  do: "), "{lines:?}");
    }

    #[test]
    fn a_full_disk_behind_a_poisoned_writer_is_a_full_disk() {
        let full = DiskError::new(DiskErrorKind::NoSpace, "no space left on device");
        let error = RepositoryError::new(RepositoryErrorKind::Poisoned, "an earlier write failed")
            .caused_by(full);
        assert_eq!(CliError::from(error).exit_code(), ExitCode::NoSpace);
    }

    #[test]
    fn a_cause_that_repeats_the_message_is_not_said_twice() {
        let disk = DiskError::corrupt("a.vhdx", 512, "expected \"head\", found zeros");
        let host = HostError::new(HostErrorKind::Disk, disk.to_string()).caused_by(disk);
        let error = CliError::from(host);
        assert_eq!(error.to_lines().len(), 1, "{:?}", error.to_lines());
        assert_eq!(error.to_json()["offset"], 512);
        assert_eq!(error.to_json()["kind"], "corrupt");
    }
}
