//! One connection on which SFTP is spoken.

use std::sync::Arc;
use std::time::Duration;

use object_store::{ServerFolder, StoreError, StoreErrorKind};
use russh::client::Handle;
use russh_sftp::client::rawsession::Limits;
use russh_sftp::client::{Config, RawSftpSession};

use crate::SftpCredentials;
use crate::failure::{failed, printable};
use crate::host_keys::HostKeys;
use crate::login::log_in;

/// A server that has not let us in by then is not there.
const CONNECT: Duration = Duration::from_secs(30);
/// Requests are answered one after the other, and a flush takes its time. That the server is still
/// there is seen by SSH's own questions long before.
const REQUEST_SECONDS: u64 = 300;
/// How often it is looked whether a connection has ended.
const LOOK: Duration = Duration::from_millis(100);
/// What every server takes at once, in bytes.
const PART_BYTES: u32 = 32 << 10;
/// More at once gains nothing, and has to fit into the library's longest packet.
const MOST_PART_BYTES: u32 = 255 << 10;
/// Names of extensions (OpenSSH's PROTOCOL, section 4).
const FSYNC: &str = "fsync@openssh.com";
const HARDLINK: &str = "hardlink@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
const LIMITS: &str = "limits@openssh.com";

/// What the server can do beyond the protocol's third version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extensions {
    pub(crate) fsync: bool,
    pub(crate) hardlink: bool,
    pub(crate) statvfs: bool,
}

/// One connection on which SFTP is spoken.
pub(crate) struct Session {
    pub(crate) raw: Arc<RawSftpSession>,
    pub(crate) extensions: Extensions,
    /// Bytes of a read, at most.
    pub(crate) read_bytes: u32,
    /// Bytes of a write, at most.
    pub(crate) write_bytes: u32,
    ssh: Handle<HostKeys>,
}

impl Session {
    /// Connects and logs in.
    pub(crate) async fn open(
        address: &ServerFolder,
        host_keys: &HostKeys,
        credentials: &SftpCredentials,
    ) -> Result<Self, StoreError> {
        let open = Self::open_unhurried(address, host_keys, credentials);
        match tokio::time::timeout(CONNECT, open).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::new(
                StoreErrorKind::Unavailable,
                &address.to_string(),
                format!(
                    "the server did not let us in within {} s",
                    CONNECT.as_secs()
                ),
            )),
        }
    }

    async fn open_unhurried(
        address: &ServerFolder,
        host_keys: &HostKeys,
        credentials: &SftpCredentials,
    ) -> Result<Self, StoreError> {
        let place = address.to_string();
        let ssh = log_in(address, host_keys, credentials).await?;
        let no_channel = |error: russh::Error| {
            let text = format!(
                "the server has no SFTP for this user ({})",
                printable(&error.to_string())
            );
            StoreError::new(StoreErrorKind::Unavailable, &place, text)
        };
        let channel = ssh.channel_open_session().await.map_err(no_channel)?;
        channel
            .request_subsystem(true, "sftp")
            .await
            .map_err(no_channel)?;
        let config = Config {
            request_timeout_secs: REQUEST_SECONDS,
            ..Config::default()
        };
        let mut raw = RawSftpSession::new_with_config(channel.into_stream(), config);
        let no_sftp = |error| failed(&place, "the server does not speak SFTP", &error);
        let version = raw.init().await.map_err(no_sftp)?;
        let has = |name: &str| version.extensions.contains_key(name);
        let (mut read_bytes, mut write_bytes) = (PART_BYTES, PART_BYTES);
        if has(LIMITS) {
            let limits = Limits::from(raw.limits().await.map_err(no_sftp)?);
            read_bytes = part_bytes(limits.read_len);
            write_bytes = part_bytes(limits.write_len);
            raw.set_limits(limits);
        }
        Ok(Self {
            raw: Arc::new(raw),
            extensions: Extensions {
                fsync: has(FSYNC),
                hardlink: has(HARDLINK),
                statvfs: has(STATVFS),
            },
            read_bytes,
            write_bytes,
            ssh,
        })
    }

    /// Returns once the connection has ended. A request that goes out after that is answered by
    /// nobody, and the library waits for it all the same.
    pub(crate) async fn closed(&self) {
        while !self.is_closed() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Returns whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.ssh.is_closed()
    }
}

/// Returns how much is asked for at once where the server tells its limit.
fn part_bytes(limit: Option<u64>) -> u32 {
    let limit = limit.and_then(|bytes| u32::try_from(bytes).ok());
    limit.map_or(PART_BYTES, |bytes| bytes.clamp(1024, MOST_PART_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_reason_is_kept_within_it() {
        assert_eq!(part_bytes(None), PART_BYTES);
        assert_eq!(part_bytes(Some(0)), 1024);
        assert_eq!(part_bytes(Some(261_120)), 255 << 10);
        assert_eq!(part_bytes(Some(1 << 24)), MOST_PART_BYTES);
        assert_eq!(part_bytes(Some(u64::MAX)), PART_BYTES);
    }
}
