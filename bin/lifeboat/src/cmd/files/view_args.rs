//! Which restore points are shown as folders, and how they are opened.

use std::sync::Arc;

use clap::Args;
use file_view::{FileView, Layout, OpenView, OpenedPoint, ViewPoint};
use repository::{Consistency, PointVm, Repository};

use super::open_point::{GuestArgs, OpenPoint};
use crate::cli_error::CliError;
use crate::invocation::Invocation;

#[derive(Debug, Args)]
pub(crate) struct ViewArgs {
    /// All restore points: a folder for each VM, in it one for each of its points, and `latest`
    #[arg(long)]
    all: bool,
    /// All restore points of this VM: its name, or the beginning of its identity
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    #[command(flatten)]
    guest: GuestArgs,
}

impl ViewArgs {
    /// Makes a tree of the points that were asked for; none is opened yet.
    pub(super) fn view(
        &self,
        invocation: &Invocation,
        points: &[String],
    ) -> Result<FileView, CliError> {
        let is_many = self.all || self.vm.is_some();
        if is_many != points.is_empty() {
            return Err(CliError::usage(
                "name restore points, or all of them with --all or --vm, not both",
            ));
        }
        let repository = invocation.open_repository()?;
        let (points, layout) = if is_many {
            (self.many(&repository)?, Layout::ByVm)
        } else {
            (self.named(&repository, points)?, Layout::Points)
        };
        let opener = self.opener(invocation, repository);
        Ok(FileView::new(points, layout, opener))
    }

    fn named(
        &self,
        repository: &Repository,
        points: &[String],
    ) -> Result<Vec<ViewPoint>, CliError> {
        let mut named: Vec<ViewPoint> = Vec::new();
        for name in points {
            let point = repository.find_point(name)?;
            if named.iter().any(|other| other.id == point.id) {
                continue;
            }
            named.push(ViewPoint {
                id: point.id,
                vm_identity: point.vm.identity,
                vm_name: point.vm.name,
                started: point.started,
                consistency: format!(
                    "{}: {}",
                    consistency(point.consistency),
                    point.consistency_reason
                ),
                checkpoint: self.guest.checkpoint.clone(),
            });
        }
        Ok(named)
    }

    fn many(&self, repository: &Repository) -> Result<Vec<ViewPoint>, CliError> {
        let asked = self.vm.as_ref().map(|vm| vm.to_lowercase());
        let catalog = repository.catalog()?;
        let summaries = catalog.points.into_iter().map(|point| point.summary);
        let points = summaries
            .filter(|point| asked.as_ref().is_none_or(|asked| is_of(&point.vm, asked)))
            .map(|point| ViewPoint {
                id: point.id,
                vm_identity: point.vm.identity,
                vm_name: point.vm.name,
                started: point.started,
                consistency: consistency(point.consistency).to_owned(),
                checkpoint: self.guest.checkpoint.clone(),
            });
        let points: Vec<ViewPoint> = points.collect();
        match &self.vm {
            Some(vm) if points.is_empty() => Err(CliError::usage(format!(
                "there is no restore point of a VM {vm}"
            ))
            .hint("`lifeboat point list` lists all of them")),
            _ => Ok(points),
        }
    }

    /// Returns what opens a point, whenever somebody enters it.
    fn opener(&self, invocation: &Invocation, repository: Repository) -> Arc<OpenView> {
        let (ui, args) = (invocation.ui.clone(), self.guest.clone());
        Arc::new(move |point: &ViewPoint| {
            let opened = repository
                .find_point(&point.id)
                .map_err(CliError::from)
                .and_then(|point| OpenPoint::of(&ui, &repository, point, &args));
            let (guest, names) = opened.map_err(|error| why(&error))?.into_parts();
            Ok(OpenedPoint { guest, names })
        })
    }
}

/// Says why a point cannot be opened, in one line.
fn why(error: &CliError) -> String {
    let lines = error.to_lines().into_iter();
    let lines = lines.map(|line| {
        let line = line.trim();
        let mut words = ["error: ", "cause: "].iter();
        let said = words.find_map(|word| line.strip_prefix(word));
        said.unwrap_or(line).to_owned()
    });
    lines.collect::<Vec<_>>().join(": ")
}

fn is_of(vm: &PointVm, asked: &str) -> bool {
    let identity = vm.identity.to_lowercase();
    vm.name.to_lowercase() == asked || (asked.len() >= 4 && identity.starts_with(asked))
}

fn consistency(level: Consistency) -> &'static str {
    match level {
        Consistency::Application => "application (programs in the guest took part)",
        Consistency::FileSystem => "file system (flushed and frozen)",
        Consistency::Crash => "crash (as after a power cut)",
    }
}
