//! The project as the rules see it: crates, their dependencies, and every file's text.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// A workspace, read whole.
#[derive(Default)]
pub(crate) struct Project {
    pub(crate) crates: Vec<Crate>,
    /// Every file of the project, sorted by path.
    pub(crate) files: Vec<ProjectFile>,
}

/// A member of the workspace.
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Folder below the workspace root: `disk/block_io`.
    pub(crate) folder: String,
    /// What it uses of the same workspace.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A use of one member by another.
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// For tests, examples and benchmarks alone.
    pub(crate) dev: bool,
}

/// A file and what is in it.
pub(crate) struct ProjectFile {
    /// Path below the workspace root, with `/`.
    pub(crate) path: String,
    /// Empty for a file that is not UTF-8.
    pub(crate) text: String,
}

impl Crate {
    /// The folder that holds the crate's folder: the layer, or the crate's own folder at the root.
    pub(crate) fn layer(&self) -> &str {
        self.folder.split('/').next().unwrap_or_default()
    }
}

impl ProjectFile {
    /// Whether the path ends in `.extension`.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path
            .rsplit_once('.')
            .is_some_and(|(_, found)| found == extension)
    }

    /// Whether this is Rust that ships: not a test, an example or a fuzz target.
    pub(crate) fn is_production_rust(&self) -> bool {
        let folders = ["tests", "testing", "fuzz", "examples", "benches"];
        let stem = self.path.rsplit('/').next().unwrap_or_default();
        self.has_extension("rs")
            && !self.path.split('/').any(|part| folders.contains(&part))
            && stem != "tests.rs"
            && !stem.ends_with("_tests.rs")
    }

    /// The lines before the inline tests, which stand last in a file.
    pub(crate) fn production_lines(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]"
                && pair[1].trim_start().starts_with("mod ")
                && pair[1].ends_with('{')
        });
        lines[..tests.unwrap_or(lines.len())].to_vec()
    }
}

impl Project {
    /// Reads the workspace under `root`.
    pub(crate) fn read(root: &Path) -> Result<Project, String> {
        let mut files = Vec::new();
        collect_files(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Project {
            crates: read_crates(root)?,
            files,
        })
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&ProjectFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The member called `name`.
    pub(crate) fn member(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|member| member.name == name)
    }
}

/// Folders that hold what was built or downloaded, not what was written.
fn is_skipped(name: &str) -> bool {
    name == ".git" || name.starts_with("target") || matches!(name, "corpus" | "artifacts" | "work")
}

fn collect_files(folder: &Path, prefix: &str, files: &mut Vec<ProjectFile>) -> Result<(), String> {
    let describe = |error| format!("cannot read {}: {error}", folder.display());
    for entry in folder.read_dir().map_err(describe)? {
        let entry = entry.map_err(describe)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(describe)?;
        if kind.is_dir() && !is_skipped(&name) {
            collect_files(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            // A file may vanish between listing and reading: an editor's temporary file, say.
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            files.push(ProjectFile {
                path,
                text: String::from_utf8(bytes).unwrap_or_default(),
            });
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<PackageDependency>,
}

#[derive(Deserialize)]
struct PackageDependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

fn read_crates(root: &Path) -> Result<Vec<Crate>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start cargo metadata: {error}"))?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata failed: {}", messages.trim()));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata printed what is not its JSON: {error}"))?;
    Ok(metadata
        .packages
        .into_iter()
        .map(|package| member(root, package))
        .collect())
}

fn member(root: &Path, package: Package) -> Crate {
    let manifest = Path::new(&package.manifest_path);
    let folder = manifest
        .parent()
        .and_then(|folder| folder.strip_prefix(root).ok());
    let folder = folder
        .unwrap_or(Path::new(""))
        .to_string_lossy()
        .replace('\\', "/");
    let local = package
        .dependencies
        .into_iter()
        .filter(|dependency| dependency.path.is_some());
    let dependencies = local
        .map(|d| Dependency {
            name: d.name,
            dev: d.kind.as_deref() == Some("dev"),
        })
        .collect();
    Crate {
        name: package.name,
        folder,
        dependencies,
    }
}

/// Made-up projects for the rules' tests.
#[cfg(test)]
pub(crate) mod fake {
    use super::*;

    /// A crate in `folder`, named after its last part; a dependency that starts with `dev:` is one
    /// for tests.
    pub(crate) fn member(folder: &str, dependencies: &[&str]) -> Crate {
        let dependency = |text: &&str| {
            let dev = text.strip_prefix("dev:");
            Dependency {
                name: dev.unwrap_or(text).into(),
                dev: dev.is_some(),
            }
        };
        Crate {
            name: folder.rsplit('/').next().unwrap().into(),
            folder: folder.into(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    /// A file.
    pub(crate) fn file(path: &str, text: &str) -> ProjectFile {
        ProjectFile {
            path: path.into(),
            text: text.into(),
        }
    }

    /// A project of crates alone.
    pub(crate) fn crates(crates: Vec<Crate>) -> Project {
        Project {
            crates,
            files: Vec::new(),
        }
    }

    /// A project of files alone.
    pub(crate) fn files(files: Vec<ProjectFile>) -> Project {
        Project {
            crates: Vec::new(),
            files,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_tests_are_not_production_lines() {
        let text = "one\n#[cfg(test)]\nmod shape;\ntwo\n\n#[cfg(test)]\nmod tests {\nthree\n}\n";
        let lines = fake::file("disk/a/src/lib.rs", text)
            .production_lines()
            .len();
        assert_eq!(lines, 5);
    }

    #[test]
    fn test_folders_and_test_files_are_not_production() {
        assert!(fake::file("disk/a/src/lib.rs", "").is_production_rust());
        for path in [
            "disk/a/tests/x.rs",
            "disk/a/src/tests.rs",
            "testing/m/src/lib.rs",
            "a.md",
        ] {
            assert!(!fake::file(path, "").is_production_rust(), "{path}");
        }
    }

    #[test]
    fn a_workspace_is_read_with_its_crates_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let manifest = |name: &str, rest: &str| {
            format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n{rest}")
        };
        put(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"disk/*\"]\n",
        );
        put("disk/low/Cargo.toml", &manifest("low", ""));
        put("disk/low/src/lib.rs", "");
        put(
            "disk/high/Cargo.toml",
            &manifest("high", "[dependencies]\nlow = { path = \"../low\" }\n"),
        );
        put("disk/high/src/lib.rs", "//! High.\n");
        put("target/debug/built.rs", "");
        let project = Project::read(folder.path()).unwrap();
        let high = project.member("high").unwrap();
        assert_eq!((high.folder.as_str(), high.layer()), ("disk/high", "disk"));
        assert_eq!(high.dependencies[0].name, "low");
        assert_eq!(
            project.file("disk/high/src/lib.rs").unwrap().text,
            "//! High.\n"
        );
        assert!(project.file("target/debug/built.rs").is_none());
    }
}
