//! Where an SFTP store lies, as a URL.

use object_store::{BadStoreUrl, ServerFolder, ServerScheme, StoreUrl};

use crate::HostKeyPolicy;

/// Reads `sftp://user@host:port/path?host-key=strict|accept-new`.
///
/// # Errors
///
/// Those of [`ServerFolder::from_url`].
pub fn read_url(mut url: StoreUrl) -> Result<(ServerFolder, HostKeyPolicy), BadStoreUrl> {
    let policy = match url.take_option("host-key").as_deref() {
        None | Some("strict") => HostKeyPolicy::Strict,
        Some("accept-new") => HostKeyPolicy::AcceptNew,
        Some(_) => {
            let text = "host-key is strict or accept-new: no key at all is taken unseen";
            return Err(BadStoreUrl::new(text));
        }
    };
    Ok((ServerFolder::from_url(ServerScheme::Sftp, url)?, policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_taken_unseen() {
        let policy = |text: &str| read_url(text.parse().unwrap()).map(|(_, own)| own);
        assert_eq!(policy("sftp://ann@nas/b").unwrap(), HostKeyPolicy::Strict);
        let learning = policy("sftp://ann@nas/b?host-key=accept-new").unwrap();
        assert_eq!(learning, HostKeyPolicy::AcceptNew);
        assert!(policy("sftp://ann@nas/a?host-key=no").is_err());
    }
}
