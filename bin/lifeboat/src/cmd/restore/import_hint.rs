//! How a VM that was restored as files is taken by a host (requirement REST-13).

use std::path::Path;

use vm_restore::VmRestorePlan;

/// Returns the PowerShell that imports a restored folder; `None` where it has no definition file.
pub(super) fn import_commands(plan: &VmRestorePlan, folder: &Path) -> Option<Vec<String>> {
    let definition = plan.files.iter().find(|file| {
        let extension = file.path.extension().unwrap_or_default();
        let is_definition =
            extension.eq_ignore_ascii_case("vmcx") || extension.eq_ignore_ascii_case("xml");
        let parent = file.path.parent().and_then(Path::file_name);
        is_definition && parent.is_some_and(|name| name == "Virtual Machines")
    })?;
    let definition = quoted(&definition.path.display().to_string());
    let disks = folder.join("Virtual Hard Disks").display().to_string();
    let disks = quoted(&disks);
    Some(vec![
        format!("Compare-VM -Path {definition} -VhdSourcePath {disks}"),
        format!("Import-VM -Path {definition} -Copy -GenerateNewId -VhdSourcePath {disks}"),
    ])
}

/// Quotes a path for PowerShell: nothing in it is expanded.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_quotes() {
        assert_eq!(quoted(r"D:\it's $(x)"), r"'D:\it''s $(x)'");
    }
}
