//! Where a repository lies: a folder, or a URL of something further away.
//!
//! | Form | Store |
//! |---|---|
//! | `DIR`, `file:///DIR` | a folder, a mounted share, a removable disk |
//! | `label:NAME/PATH`, `id:PREFIX` | a folder on a medium, wherever it is mounted |
//! | `s3://BUCKET/PREFIX?endpoint=…&region=…` | S3 and what speaks like it |
//! | `sftp://USER@HOST/PATH` | SSH |
//! | `ftps://USER@HOST/PATH`, `ftp://…` | FTP under TLS, without where that is said |
//! | `azure://CONTAINER/PREFIX?account=…` | Azure Blob Storage |
//! | `gs://BUCKET/PREFIX` | Google Cloud Storage |
//!
//! A URL never holds a secret: those come from [`StoreCredentials`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::{FolderStore, MediumPath, ObjectStore, OsMounts, StoreUrl, check_object_name};
use repository::{RepositoryError, RepositoryErrorKind};
use url::Url;

use crate::cli_error::CliError;
use crate::store_credentials::StoreCredentials;

mod azure;
mod ftp;
mod google;
mod s3;
mod sftp;

/// The place of a repository, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreChoice {
    /// A folder.
    Folder(PathBuf),
    /// A folder on a medium that is looked for when it is opened.
    Medium(MediumPath),
    /// Something with a URL of a scheme that is known, without a password.
    Remote(Url),
}

impl StoreChoice {
    /// Understands what was named. Touches nothing.
    pub(crate) fn read(named: &Path) -> Result<Self, CliError> {
        if let Some(text) = named.to_str().filter(|text| MediumPath::is_meant(text)) {
            let medium = text.parse().map_err(|error| {
                CliError::usage(format!("the repository's medium is not named: {error}"))
            })?;
            return Ok(Self::Medium(medium));
        }
        let text = named.to_str().filter(|text| text.contains("://"));
        let Some(text) = text else {
            return Ok(Self::Folder(named.to_owned()));
        };
        // What cannot be read may hold a password anywhere: nothing of it is repeated.
        let url = Url::parse(text).map_err(|error| {
            CliError::usage(format!("the repository's URL cannot be read: {error}"))
        })?;
        if url.password().is_some() {
            let message = format!("a password does not belong into a {}:// URL", url.scheme());
            return Err(CliError::usage(message).hint(
                "put it into the environment, or into the file that \
                 LIFEBOAT_STORE_CREDENTIALS_FILE names: docs/operate/storage.md says under which name",
            ));
        }
        match url.scheme() {
            "file" => match url.to_file_path() {
                Ok(path) => Ok(Self::Folder(path)),
                Err(()) => Err(CliError::usage(
                    "a file:// URL names a folder of this machine: file:///backup",
                )),
            },
            "s3" | "sftp" | "ftp" | "ftps" | "azure" | "gs" => Ok(Self::Remote(url)),
            other => Err(
                CliError::usage(format!("a repository on {other}:// is not supported")).hint(
                    "name a folder, or a URL that begins with s3, sftp, ftps, ftp, azure or gs",
                ),
            ),
        }
    }

    /// Returns the folder, where it is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Medium(_) | Self::Remote(_) => None,
        }
    }

    /// Opens a store that is there.
    pub(crate) fn open(&self) -> Result<Arc<dyn ObjectStore>, CliError> {
        match self {
            Self::Folder(folder) => open_folder(folder),
            Self::Medium(medium) => open_folder(&find(medium)?),
            Self::Remote(url) => open_remote(url, Wanted::Existing),
        }
    }

    /// Opens a store to put a new repository there; makes a folder, but never a bucket.
    pub(crate) fn create(&self) -> Result<Arc<dyn ObjectStore>, CliError> {
        match self {
            Self::Folder(folder) => Ok(Arc::new(FolderStore::create(folder)?)),
            Self::Medium(medium) => Ok(Arc::new(FolderStore::create(&find(medium)?)?)),
            Self::Remote(url) => open_remote(url, Wanted::New),
        }
    }
}

impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Medium(medium) => write!(f, "{medium}"),
            Self::Remote(url) => write!(f, "{url}"),
        }
    }
}

fn open_folder(folder: &Path) -> Result<Arc<dyn ObjectStore>, CliError> {
    let store = FolderStore::open(folder).map_err(|error| {
        let message = format!("there is no repository at {}", folder.display());
        RepositoryError::new(RepositoryErrorKind::NotFound, message)
            .hint("make one with `lifeboat repo init --repo PLACE`")
            .caused_by(error)
    })?;
    store.sweep_temporary();
    Ok(Arc::new(store))
}

/// Returns where a medium's folder is now.
fn find(medium: &MediumPath) -> Result<PathBuf, CliError> {
    Ok(medium.find(&OsMounts, &|folder| {
        let store = FolderStore::open(folder).ok()?;
        repository::repository_id(&store).ok()
    })?)
}

/// Whether a store is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Existing,
    /// Its folder is made.
    New,
}

/// Reads a URL for a store that takes it apart itself.
fn store_url(url: &Url) -> Result<StoreUrl, CliError> {
    url.as_str()
        .parse()
        .map_err(|error| CliError::usage(format!("the repository's URL cannot be read: {error}")))
}

/// Opens the store of a URL that [`StoreChoice::read`] let pass.
fn open_remote(url: &Url, wanted: Wanted) -> Result<Arc<dyn ObjectStore>, CliError> {
    let credentials = StoreCredentials::read()?;
    match url.scheme() {
        "s3" => s3::open(url, &credentials),
        "sftp" => sftp::open(url, &credentials, wanted),
        "ftp" | "ftps" => ftp::open(url, &credentials, wanted),
        "azure" => azure::open(url, &credentials),
        "gs" => google::open(url, &credentials),
        other => Err(CliError::usage(format!(
            "a repository on {other}:// is not supported"
        ))),
    }
}

/// Returns the options behind the `?` of a URL; one that is not among `known` is refused by name.
fn options_of(url: &Url, known: &[&str]) -> Result<Vec<(String, String)>, CliError> {
    let options: Vec<_> = url.query_pairs().into_owned().collect();
    for (name, _) in &options {
        if !known.contains(&name.as_str()) {
            let message = format!("{}:// has no option {name:?}", url.scheme());
            return Err(
                CliError::usage(message).hint(format!("its options are: {}", known.join(", ")))
            );
        }
    }
    Ok(options)
}

/// Returns the bucket or container that a URL names.
fn bucket_of(url: &Url) -> Result<&str, CliError> {
    let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
    bucket.ok_or_else(|| {
        let scheme = url.scheme();
        CliError::usage(format!("this {scheme}:// URL names no bucket"))
            .hint(format!("write {scheme}://BUCKET/PREFIX"))
    })
}

/// Returns what stands before the names of all objects in a bucket.
fn prefix_of(url: &Url) -> Result<String, CliError> {
    let path = url.path().trim_matches('/');
    if path.is_empty() {
        return Ok(String::new());
    }
    // As strict as for names of objects: no prefix needs an escape in a URL or a policy.
    check_object_name(path).map_err(|_| {
        CliError::usage(format!("{path:?} is no prefix for a repository"))
            .hint("use lower-case letters, digits, - and ., with / between them")
    })?;
    Ok(format!("{path}/"))
}

/// Reads the URL of a server; `keys` says where its keys belong instead of into the URL.
fn endpoint_of(text: &str, keys: &str) -> Result<Url, CliError> {
    let named_by_itself =
        || CliError::usage("the endpoint is a URL such as https://minio.example:9000");
    let endpoint = Url::parse(text).map_err(|_| named_by_itself())?;
    if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host_str().is_none() {
        return Err(named_by_itself());
    }
    let has_query = endpoint.query().is_some();
    if endpoint.password().is_some() || !endpoint.username().is_empty() || has_query {
        let message = "keys do not belong into the endpoint's URL";
        return Err(CliError::usage(message).hint(format!("set {keys} in the environment")));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;

    fn read(text: &str) -> Result<StoreChoice, CliError> {
        StoreChoice::read(Path::new(text))
    }

    #[test]
    fn folders_are_folders_and_urls_are_urls() {
        for folder in [
            "/backup",
            "backup",
            "C:\\Backup",
            "\\\\nas\\share",
            "s3:backup",
        ] {
            let choice = read(folder).unwrap();
            assert_eq!(choice.folder(), Some(Path::new(folder)), "{folder}");
        }
        #[cfg(unix)]
        assert_eq!(
            read("file:///srv/my%20backup").unwrap().folder(),
            Some(Path::new("/srv/my backup"))
        );
        for url in [
            "s3://bucket/a/b?endpoint=http://127.0.0.1:9000&path-style=true",
            "sftp://me@host:2222/backup",
            "ftps://host/backup",
            "azure://container/prefix",
            "gs://bucket",
        ] {
            let choice = read(url).unwrap();
            assert_eq!(choice.folder(), None, "{url}");
            assert_eq!(choice.to_string(), url);
        }
    }

    #[test]
    fn a_medium_that_is_not_there_is_waited_for_and_is_no_damage() {
        let choice = read("label:no-such-medium-here/vm").unwrap();
        assert_eq!(choice.to_string(), "label:no-such-medium-here/vm");
        let error = choice.open().err().unwrap();
        assert_eq!(error.exit_code(), ExitCode::MediumAbsent);
        let text = error.to_lines().join("\n");
        assert!(
            text.contains("waiting for medium no-such-medium-here"),
            "{text}"
        );
        assert_eq!(read("id:x").unwrap_err().exit_code(), ExitCode::Usage);
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for url in [
            "sftp://me:hunter2@host/backup",
            "s3://key:hunter2@bucket/",
            "ftp://me:hunter2@host",
            "nonsense://me:hunter2@host",
        ] {
            let error = read(url).unwrap_err();
            assert_eq!(error.exit_code(), ExitCode::Usage, "{url}");
            let text = format!("{:?} {:?}", error.to_lines(), error.to_json().to_string());
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("password"), "{text}");
        }
        let unreadable = read("sftp://me:hunter2@[host/").unwrap_err();
        assert!(!format!("{unreadable:?}").contains("hunter2"));
    }

    #[test]
    fn other_schemes_and_options_are_refused_by_name() {
        let error = read("gopher://hole/backup").unwrap_err();
        assert!(error.to_string().contains("gopher://"), "{error}");
        let url = Url::parse("s3://bucket/?regoin=x").unwrap();
        let error = options_of(&url, &["region"]).unwrap_err();
        assert!(error.to_string().contains("regoin"), "{error}");
    }
}
