//! How much of the line the repository's store may take.

use std::sync::Arc;

use clap::Args;
use object_store::{BandwidthPlan, LimitedStore, ObjectStore, Rate, StoreLimits};

/// Options that bound what is sent to and read from the repository.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct StoreLimitArgs {
    /// Bytes per second to the repository, such as 20MiB/s
    #[arg(
        long,
        global = true,
        value_name = "RATE",
        env = "LIFEBOAT_LIMIT_UPLOAD"
    )]
    limit_upload: Option<Rate>,
    /// Bytes per second from the repository, such as 20MiB/s
    #[arg(
        long,
        global = true,
        value_name = "RATE",
        env = "LIFEBOAT_LIMIT_DOWNLOAD"
    )]
    limit_download: Option<Rate>,
    /// Rates by the time of day, such as 22:00-06:00=unlimited,default=20MiB/s
    #[arg(
        long,
        global = true,
        value_name = "PLAN",
        env = "LIFEBOAT_BANDWIDTH_WINDOW"
    )]
    bandwidth_window: Option<BandwidthPlan>,
}

impl StoreLimitArgs {
    /// Returns the store with its limits, or as it is where there are none.
    pub(crate) fn bound(&self, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        let limits = StoreLimits {
            upload: self.plan(self.limit_upload),
            download: self.plan(self.limit_download),
            ..StoreLimits::default()
        };
        match limits.upload.is_unlimited() && limits.download.is_unlimited() {
            true => store,
            false => Arc::new(LimitedStore::new(store, limits)),
        }
    }

    /// The windows come first; a rate of its own holds outside of them.
    fn plan(&self, rate: Option<Rate>) -> BandwidthPlan {
        let windows = self.bandwidth_window.clone().unwrap_or_default();
        match rate {
            Some(rate) => windows.with_default(rate),
            None => windows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_come_before_the_rate_of_the_rest_of_the_day() {
        let args = StoreLimitArgs {
            limit_upload: Some("1MiB/s".parse().unwrap()),
            limit_download: None,
            bandwidth_window: Some("22:00-06:00=unlimited,default=5MiB/s".parse().unwrap()),
        };
        let at = |plan: BandwidthPlan, hour: u16| plan.rate_at(hour * 60).limit().map(u64::from);
        assert_eq!(at(args.plan(args.limit_upload), 23), None);
        assert_eq!(at(args.plan(args.limit_upload), 12), Some(1 << 20));
        assert_eq!(at(args.plan(args.limit_download), 12), Some(5 << 20));
    }
}
