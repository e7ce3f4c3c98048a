//! Windows' service, where there is no Windows.

use std::convert::Infallible;

use crate::{
    Provider, RequestOptions, SnapshotVolume, VssBackup, VssError, VssErrorKind, VssService,
    VssStep,
};

/// Windows' own service. On this system there is none.
#[derive(Debug, Clone)]
pub struct WindowsVss(Infallible);

impl WindowsVss {
    /// Loads the service's library.
    ///
    /// # Errors
    ///
    /// `Absent`, always.
    pub fn load() -> Result<Self, VssError> {
        let why = "the Volume Shadow Copy Service is a part of Windows; this system has none";
        Err(VssError::new(VssErrorKind::Absent, VssStep::Begin, why))
    }
}

impl VssService for WindowsVss {
    fn providers(&self) -> Result<Vec<Provider>, VssError> {
        match self.0 {}
    }

    fn volume_of(&self, _path: &str) -> Result<SnapshotVolume, VssError> {
        match self.0 {}
    }

    fn begin(&self, _options: &RequestOptions) -> Result<Box<dyn VssBackup>, VssError> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_reports_itself_absent() {
        let error = WindowsVss::load().unwrap_err();
        assert_eq!(error.kind(), VssErrorKind::Absent);
        assert!(error.to_string().contains("Windows"), "{error}");
    }
}
