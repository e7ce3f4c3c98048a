//! One invocation of the program: its global options, and what they lead to.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::PathBuf;

use repository::{Repository, Unlock};

use crate::arguments::GlobalArgs;
use crate::cli_error::CliError;
use crate::password::{self, Asked, password};
use crate::recovery_key_file;
use crate::store_choice::StoreChoice;
use crate::store_limits::StoreLimitArgs;
use crate::ui::{Ui, UiOptions};

/// One invocation of the program.
pub(crate) struct Invocation {
    pub(crate) ui: Ui,
    repo: Option<PathBuf>,
    limits: StoreLimitArgs,
    no_input: bool,
    yes: bool,
}

impl Invocation {
    pub(crate) fn new(global: GlobalArgs) -> Self {
        let ui = Ui::new(UiOptions {
            json: global.json,
            plain: global.plain,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            no_color: global.no_color,
            progress: global.progress,
        });
        Self {
            ui,
            repo: global.repo,
            limits: global.limits,
            no_input: global.no_input,
            yes: global.yes,
        }
    }

    /// Returns whether a repository is named.
    pub(crate) fn names_repository(&self) -> bool {
        self.repo.is_some()
    }

    /// Returns whether every question is answered with yes.
    pub(crate) fn says_yes(&self) -> bool {
        self.yes
    }

    /// Asks whether to go on. Where nobody can be asked, only --yes is a yes.
    pub(crate) fn agreed(&self, question: &str) -> Result<bool, CliError> {
        if self.yes {
            return Ok(true);
        }
        if self.no_input || !std::io::stdin().is_terminal() {
            return Err(CliError::usage("nobody can be asked whether to go on")
                .hint("look at the plan with --dry-run, then run it with --yes"));
        }
        self.ui.notice(&format!("{question} [y/N]"));
        let mut answer = String::new();
        let read = std::io::stdin().lock().take(16).read_line(&mut answer);
        Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Returns where the repository lies.
    pub(crate) fn repository_place(&self) -> Result<StoreChoice, CliError> {
        let Some(named) = &self.repo else {
            return Err(CliError::usage("no repository is given")
                .hint("name its folder or URL with --repo, or set LIFEBOAT_REPO"));
        };
        StoreChoice::read(named)
    }

    /// Opens the repository with the recovery key or the password.
    pub(crate) fn open_repository(&self) -> Result<Repository, CliError> {
        let store = self.limits.bound(self.repository_place()?.open()?);
        if let Some(file) = password::recovery_key_file() {
            let key = recovery_key_file::read(&file)?;
            return Ok(Repository::open(store, &Unlock::RecoveryKey(&key))?);
        }
        let password = password(&self.ui, self.no_input, Asked::Once)?;
        Ok(Repository::open(store, &Unlock::Password(&password))?)
    }

    /// Opens the repository where one is named; to plan, none is needed.
    pub(crate) fn open_repository_if_named(&self) -> Result<Option<Repository>, CliError> {
        self.repo
            .is_some()
            .then(|| self.open_repository())
            .transpose()
    }

    /// Returns the password for a new repository.
    pub(crate) fn new_password(&self) -> Result<password::Password, CliError> {
        password(&self.ui, self.no_input, Asked::Twice)
    }
}
