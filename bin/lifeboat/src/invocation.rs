//! One invocation of the program: its global options, and what they lead to.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use repository::Repository;

use crate::arguments::GlobalArgs;
use crate::cli_error::CliError;
use crate::opened_by::{OpenedBy, Purpose};
use crate::password::{self, Asked, password};
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

    /// Asks for a name to be typed, where something is destroyed. Nobody to ask is a no: there
    /// --yes does not do.
    pub(crate) fn typed(&self, name: &str) -> Result<bool, CliError> {
        if self.no_input || !std::io::stdin().is_terminal() {
            return Ok(false);
        }
        self.ui.notice(&format!("Type {name} to go on:"));
        let mut answer = String::new();
        let read = std::io::stdin().lock().take(1024).read_line(&mut answer);
        read.map_err(|error| CliError::io("standard input", error))?;
        Ok(answer.trim() == name)
    }

    /// Returns where the repository lies.
    pub(crate) fn repository_place(&self) -> Result<StoreChoice, CliError> {
        let Some(named) = &self.repo else {
            return Err(CliError::usage("no repository is given")
                .hint("name its folder or URL with --repo, or set LIFEBOAT_REPO"));
        };
        StoreChoice::read(named)
    }

    /// Opens the repository, for whatever can be done with one.
    pub(crate) fn open_repository(&self) -> Result<Repository, CliError> {
        self.open_for(Purpose::Everything)
    }

    /// Opens the repository to add restore points, or to look at what there is: a write-only host
    /// can do that too.
    pub(crate) fn open_repository_to_add_points(&self) -> Result<Repository, CliError> {
        self.open_for(Purpose::AddPoints)
    }

    fn open_for(&self, purpose: Purpose) -> Result<Repository, CliError> {
        // Before anything is asked of the store.
        let opened_by = OpenedBy::find(&self.ui, self.no_input, purpose)?;
        let store = self.limits.bound(self.repository_place()?.open()?);
        Ok(Repository::open(store, &opened_by.unlock())?)
    }

    /// Opens the repository that restore points are copied to.
    pub(crate) fn open_target_repository(&self, named: &Path) -> Result<Repository, CliError> {
        let opened_by = match OpenedBy::find_for_target()? {
            Some(own) => own,
            None => OpenedBy::find(&self.ui, self.no_input, Purpose::Everything)?,
        };
        let store = self.limits.bound(StoreChoice::read(named)?.open()?);
        Ok(Repository::open(store, &opened_by.unlock())?)
    }

    /// Opens the repository to add restore points, where one is named; to plan, none is needed.
    pub(crate) fn open_repository_if_named(&self) -> Result<Option<Repository>, CliError> {
        self.repo
            .is_some()
            .then(|| self.open_repository_to_add_points())
            .transpose()
    }

    /// Returns the password for a new repository.
    pub(crate) fn new_password(&self) -> Result<password::Password, CliError> {
        password(&self.ui, self.no_input, Asked::Twice)
    }

    /// Returns a password that is to open this repository from now on.
    pub(crate) fn changed_password(&self) -> Result<password::Password, CliError> {
        password::new_password(self.no_input)
    }
}
