//! Object lock.

use std::time::SystemTime;

use object_store::{ObjectRetention, StoreError, StoreErrorKind, check_object_name};
use rusty_s3::Method;

use crate::clock::{parse_iso, to_iso};
use crate::failure::refused;
use crate::request::S3Request;
use crate::store::S3Store;
use crate::{LockMode, LockPeriod};

/// Until when, and whether for ever: what HEAD says of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockState {
    pub(crate) mode: Option<LockMode>,
    pub(crate) until: Option<SystemTime>,
    pub(crate) legal_hold: bool,
}

impl S3Store {
    /// Asks how a version is locked.
    pub(crate) fn lock_state(
        &self,
        object: &str,
        version: Option<&str>,
    ) -> Result<LockState, StoreError> {
        let what = "cannot see until when this object is locked";
        let request = S3Request::new(Method::Head, Some(self.key(object))).version(version);
        let answer = self.client.send(object, what, &request)?;
        if !answer.is_success() {
            return Err(refused(object, what, &answer));
        }
        Ok(LockState {
            mode: match answer.header("x-amz-object-lock-mode") {
                Some("COMPLIANCE") => Some(LockMode::Compliance),
                Some("GOVERNANCE") => Some(LockMode::Governance),
                _ => None,
            },
            until: answer
                .header("x-amz-object-lock-retain-until-date")
                .and_then(parse_iso),
            legal_hold: answer.header("x-amz-object-lock-legal-hold") == Some("ON"),
        })
    }

    /// Returns the headers that lock a new object.
    pub(crate) fn lock_headers(
        &self,
        object: &str,
    ) -> Result<Vec<(&'static str, String)>, StoreError> {
        let Some(period) = self.lock else {
            return Ok(Vec::new());
        };
        let until = to_iso(self.lock_end(&period)).ok_or_else(|| no_time(object))?;
        Ok(vec![
            ("x-amz-object-lock-mode", period.mode.word().to_owned()),
            ("x-amz-object-lock-retain-until-date", until),
        ])
    }

    fn lock_end(&self, period: &LockPeriod) -> SystemTime {
        period.end(SystemTime::from(self.client.clock().now()))
    }

    fn period(&self, object: &str) -> Result<LockPeriod, StoreError> {
        self.lock.ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Unsupported,
                object,
                "locks were not asked for",
            )
        })
    }
}

impl ObjectRetention for S3Store {
    fn new_objects_until(&self) -> Result<SystemTime, StoreError> {
        Ok(self.lock_end(&self.period("")?))
    }

    fn locked_until(&self, name: &str) -> Result<Option<SystemTime>, StoreError> {
        check_object_name(name)?;
        let version = self.version_of(name)?;
        Ok(self.lock_state(name, version.as_deref())?.until)
    }

    fn extend(&self, name: &str, until: SystemTime) -> Result<(), StoreError> {
        check_object_name(name)?;
        let period = self.period(name)?;
        let version = self.version_of(name)?;
        let state = self.lock_state(name, version.as_deref())?;
        if state.until.is_some_and(|now| now >= until) {
            return Ok(());
        }
        let what = "cannot lock this object for longer";
        // What nobody may end must not become what somebody may.
        let mode = match state.mode {
            Some(LockMode::Compliance) => LockMode::Compliance,
            _ => period.mode,
        };
        let until = to_iso(until).ok_or_else(|| no_time(name))?;
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{}</Mode>\
             <RetainUntilDate>{until}</RetainUntilDate></Retention>",
            mode.word()
        );
        let request = S3Request::new(Method::Put, Some(self.key(name)))
            .query("retention", "")
            .version(version.as_deref())
            .header("content-type", "application/xml")
            .body(body.as_bytes());
        let answer = self.client.send(name, what, &request)?;
        match answer.is_success() {
            true => Ok(()),
            false => Err(refused(name, what, &answer)),
        }
    }
}

fn no_time(object: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Io,
        object,
        "the lock would end at no time that there is",
    )
}
