//! The command line's shape.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::cmd::{
    backup, demo, disk, doctor, explain, files, host, point, prune, repo, restore, sim, verify,
    version, vm,
};
use crate::store_limits::StoreLimitArgs;
use crate::ui::ProgressMode;

/// Examples come first: most people look for them alone.
const HELP: &str = "{about}{after-help}\n\n{usage-heading} {usage}\n\n{all-args}";

const EXIT_CODES: &str = "

Exit codes:
    0  done, warnings allowed           20  blocked by a finding
    1  failed                           21  host cannot be reached
    2  wrong usage, ambiguous name      22  rights are missing
    3  finished, some VMs failed        23  VM is busy, retries used up
    4  warnings, with --strict          24  required consistency missed
   10  no repository                    25  something is left on the host
   12  wrong key or password            30  target exists
   13  repository damaged               31  target or version does not fit
   14  no space                         40  a proof failed
   15  repository's medium is absent   130  cancelled";

/// Backup and recovery for Microsoft Hyper-V.
#[derive(Debug, Parser)]
#[command(
    name = "lifeboat",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:
  lifeboat demo
  lifeboat repo init --repo /backup
  lifeboat backup --host dir:/srv/vms --all --repo /backup
  lifeboat restore disk SQL01@latest --disk 0 -o sql01.vhdx --repo /backup"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Returns the command line's shape, with help texts that lead with examples.
    pub(crate) fn shape() -> clap::Command {
        fn with_template(command: clap::Command) -> clap::Command {
            command.help_template(HELP).mut_subcommands(with_template)
        }
        with_template(Self::command()).help_template(format!("{HELP}{EXIT_CODES}"))
    }

    /// Reads the command line.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::shape().try_get_matches()?)
    }
}

/// Options that every command takes, before or after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Folder or URL of the repository
    #[arg(
        short,
        long,
        global = true,
        env = "LIFEBOAT_REPO",
        hide_env_values = true,
        value_name = "PLACE"
    )]
    pub(crate) repo: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: StoreLimitArgs,
    /// One JSON object per line on stdout, a summary last
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Tables with tabs between the fields and no heading
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    /// Say nothing but data, warnings and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Never ask
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// How progress is shown: auto, tty, lines, json or none
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub(crate) progress: ProgressMode,
    /// No colors
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Back VMs up into a repository
    Backup(backup::BackupArgs),
    /// Bring disks and VMs back
    #[command(subcommand)]
    Restore(restore::RestoreCommand),
    /// Read every byte of a restore point back, authenticated and hashed
    Verify(verify::VerifyArgs),
    /// Look at restore points
    #[command(subcommand)]
    Point(point::PointCommand),
    /// Find single files in restore points, and take them out
    #[command(subcommand)]
    Files(files::FilesCommand),
    /// Read a guest's files for the program that started this one, and be able to do nothing else
    #[command(hide = true)]
    GuestReader,
    /// Remove restore points that no rule keeps
    Prune(prune::PruneArgs),
    /// Make and look after a repository
    #[command(subcommand)]
    Repo(repo::RepoCommand),
    /// Look at what a host itself is set to, and make its switches anew
    #[command(subcommand)]
    Host(host::HostCommand),
    /// Look at the VMs of a host
    #[command(subcommand)]
    Vm(vm::VmCommand),
    /// Say what is wrong with a host, and clean up what dead runs left on it
    Doctor(doctor::DoctorArgs),
    /// Say what a code or a finding means, and what to do
    Explain(explain::ExplainArgs),
    /// Make and use a Hyper-V host that does not exist
    #[command(subcommand)]
    Sim(sim::SimCommand),
    /// Look at, check and convert VHD, VHDX and raw images
    #[command(subcommand)]
    Disk(disk::DiskCommand),
    /// Make a VM, back it up twice, restore both points and prove them
    Demo(demo::DemoArgs),
    /// Show the version
    Version(version::VersionArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(command: &clap::Command, path: &str, visit: &mut dyn FnMut(&str, &clap::Command)) {
        let mut any = false;
        for child in command
            .get_subcommands()
            .filter(|child| child.get_name() != "help")
        {
            any = true;
            leaves(child, &format!("{path} {}", child.get_name()), visit);
        }
        if !any {
            visit(path, command);
        }
    }

    #[test]
    fn the_tree_is_sound() {
        Cli::shape().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_that_parses() {
        let tree = Cli::shape();
        let mut count = 0;
        leaves(&tree, "lifeboat", &mut |path, command| {
            if command.is_hide_set() {
                return;
            }
            count += 1;
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples: Vec<&str> = help
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("lifeboat "))
                .collect();
            assert!(!examples.is_empty(), "{path} has no example");
            for example in examples {
                assert!(example.starts_with(path), "{path}: {example}");
                // What stands in quotes is one word.
                let parts = example.split('"').enumerate();
                let words = parts.flat_map(|(number, part)| -> Vec<&str> {
                    match number % 2 {
                        0 => part.split_whitespace().collect(),
                        _ => vec![part],
                    }
                });
                assert!(
                    Cli::try_parse_from(words).is_ok(),
                    "does not parse: {example}"
                );
            }
        });
        assert!(count > 12, "only {count} commands");
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            "lifeboat --json --repo r point list",
            "lifeboat point --json list -r r",
            "lifeboat point list --repo r --json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json, "{line}");
            assert_eq!(cli.global.repo.unwrap(), PathBuf::from("r"), "{line}");
        }
    }

    #[test]
    fn a_password_is_no_option() {
        let line = "lifeboat repo init --repo r --password secret";
        assert!(Cli::try_parse_from(line.split(' ')).is_err());
    }
}
