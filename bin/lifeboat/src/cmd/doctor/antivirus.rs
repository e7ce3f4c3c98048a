//! `lifeboat doctor --antivirus`: what an antivirus program has to leave alone (requirement PRE-04).

use std::collections::BTreeSet;
use std::path::PathBuf;

use hyperv_host::VmEntry;
use serde_json::json;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::host_choice::{OpenHost, state_folder};
use crate::invocation::Invocation;
use crate::store_choice::StoreChoice;

/// Hyper-V's own processes.
const PROCESSES: [&str; 4] = [
    r"%SystemRoot%\System32\Vmms.exe",
    r"%SystemRoot%\System32\Vmwp.exe",
    r"%SystemRoot%\System32\Vmcompute.exe",
    r"%SystemRoot%\System32\Vmsp.exe",
];
/// Where Hyper-V keeps what was not told to go elsewhere.
const FOLDERS: [&str; 4] = [
    r"%ProgramData%\Microsoft\Windows\Hyper-V",
    r"%ProgramData%\Microsoft\Windows\Hyper-V\Snapshots",
    r"%Public%\Documents\Hyper-V\Virtual Hard Disks",
    r"%SystemDrive%\ClusterStorage",
];
/// Files of VMs.
const EXTENSIONS: [&str; 15] = [
    "vhd", "vhdx", "avhd", "avhdx", "vhds", "vhdpmem", "iso", "rct", "mrt", "vsv", "bin", "vmcx",
    "vmrs", "vmgs", "xml",
];

/// What is to be left alone.
#[derive(Debug, Default)]
struct Exclusions {
    program: String,
    own_folders: Vec<String>,
    vm_folders: BTreeSet<String>,
}

pub(super) fn run(invocation: &Invocation, host: Option<&OpenHost>) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let vms = match host {
        Some(host) => host.as_host().inventory()?.vms,
        None => Vec::new(),
    };
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("lifeboat.exe"));
    let repository = invocation.repository_place().ok();
    let own = state_folder().into_iter().chain(
        repository
            .as_ref()
            .and_then(StoreChoice::folder)
            .map(PathBuf::from),
    );
    let exclusions = Exclusions {
        program: program.display().to_string(),
        own_folders: own.map(|folder| folder.display().to_string()).collect(),
        vm_folders: vms.iter().flat_map(folders_of).collect(),
    };
    ui.record("antivirus", exclusions.to_json());
    for line in exclusions.text().lines() {
        ui.data(line);
    }
    ui.summary("success", ExitCode::Success, json!({}));
    Ok(ExitCode::Success)
}

/// Returns the folders of a VM's disks that are none of Hyper-V's own.
fn folders_of(vm: &VmEntry) -> impl Iterator<Item = String> {
    vm.disks.iter().filter_map(|disk| {
        let (folder, _) = disk.path.rsplit_once('\\')?;
        Some(folder.to_owned())
    })
}

impl Exclusions {
    fn folders(&self) -> impl Iterator<Item = &str> {
        let own = self.own_folders.iter().chain(&self.vm_folders);
        FOLDERS.into_iter().chain(own.map(String::as_str))
    }

    fn processes(&self) -> impl Iterator<Item = &str> {
        PROCESSES.into_iter().chain([self.program.as_str()])
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "An antivirus program on the host has to leave these alone. It would lock or change \
             files while they are frozen, and slow every read.\n\nProcesses\n",
        );
        let mut add = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        self.processes()
            .for_each(|process| add(format!("  {process}")));
        add("Folders, with those below".to_owned());
        self.folders().for_each(|folder| add(format!("  {folder}")));
        add("Files of VMs, wherever they are".to_owned());
        add(format!("  *.{}", EXTENSIONS.join(" *.")));
        add("\nWith Microsoft Defender, in an elevated PowerShell on the host:".to_owned());
        add(format!("  $processes = {}", list(self.processes())));
        add(format!("  $folders = {}", list(self.folders())));
        add("  $expand = { [Environment]::ExpandEnvironmentVariables($_) }".to_owned());
        add(
            "  Add-MpPreference -ExclusionProcess ($processes | ForEach-Object $expand)".to_owned(),
        );
        add("  Add-MpPreference -ExclusionPath ($folders | ForEach-Object $expand)".to_owned());
        add(format!(
            "  Add-MpPreference -ExclusionExtension {}",
            list(EXTENSIONS.into_iter())
        ));
        text
    }

    fn to_json(&self) -> serde_json::Value {
        json!({ "processes": self.processes().collect::<Vec<_>>(),
                "folders": self.folders().collect::<Vec<_>>(), "extensions": EXTENSIONS })
    }
}

/// Writes a list as PowerShell reads it.
fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = items
        .map(|item| format!("'{}'", item.replace('\'', "''")))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_reads_like_this() {
        let exclusions = Exclusions {
            program: r"C:\Program Files\Lifeboat\lifeboat.exe".to_owned(),
            own_folders: vec![
                r"C:\ProgramData\Lifeboat".to_owned(),
                r"E:\Bob's".to_owned(),
            ],
            vm_folders: [r"D:\VMs".to_owned()].into(),
        };
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/cmd/doctor/antivirus.golden.txt");
        if std::env::var_os("LIFEBOAT_BLESS").is_some() {
            std::fs::write(&golden, exclusions.text()).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap();
        assert_eq!(exclusions.text(), expected.replace("\r\n", "\n"));
    }
}
