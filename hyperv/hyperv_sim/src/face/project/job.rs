//! `Msvm_ConcreteJob` (contract 0.3).

use jiff::Timestamp;
use uuid::Uuid;
use wmi::{CimType, EmbeddedInstance, Instance};

use super::super::instance_ids::cim_time;
use super::super::view::HostView;
use crate::guid::guid_text;
use crate::{Job, JobState};

pub(crate) fn job(view: HostView<'_>, id: Uuid) -> Option<Instance> {
    let job = view.state.job(id).ok()?;
    let now = view.state.now;
    let ended = job.finished.unwrap_or(now);
    let caption = job.kind.caption();
    let mut instance = Instance::new("Msvm_ConcreteJob")
        .with("InstanceID", guid_text(job.id))
        .with("Caption", caption)
        .with("Description", caption)
        .with("ElementName", caption)
        .with("Name", "Msvm_ConcreteJob")
        .with("OperationalStatus", vec![2_u16])
        .with("StatusDescriptions", vec!["OK"])
        .with("HealthState", 5_u16)
        .with("JobStatus", status_text(job.state))
        .with("TimeSubmitted", cim_time(job.starts))
        .with("StartTime", cim_time(job.starts))
        .with("ElapsedTime", cim_interval(job.starts, ended))
        .with("TimeOfLastStateChange", cim_time(ended))
        .with("TimeBeforeRemoval", "00000000000500.000000:000")
        .with("DeleteOnCompletion", true)
        .with("JobRunTimes", 1_u32)
        .with("PercentComplete", job.percent(now))
        .with("JobState", job.state.number())
        .with("JobType", job.kind.number())
        .with("ErrorCode", error_code(job))
        .with("Cancellable", !job.state.is_over());
    if !job.error_description.is_empty() {
        instance.set("ErrorDescription", job.error_description.as_str());
        instance.set("ErrorSummaryDescription", job.error_description.as_str());
    }
    Some(instance)
}

/// Returns `ErrorCode`, which is a `uint16`: larger codes of other components are a failure.
fn error_code(job: &Job) -> u16 {
    u16::try_from(job.error_code).unwrap_or(32768)
}

fn status_text(state: JobState) -> &'static str {
    match state {
        JobState::New => "Job is queued",
        JobState::Starting => "Job is starting",
        JobState::Running => "Job is running",
        JobState::Completed => "Job has completed successfully",
        JobState::CompletedWithWarnings => "Job has completed with warnings",
        JobState::Terminated => "Job was terminated",
        JobState::Killed => "Job was killed",
        JobState::Exception => "Job failed",
    }
}

/// Writes an interval as CIM does: days, then a time (DSP0004 section 5.2.4).
fn cim_interval(from: Timestamp, to: Timestamp) -> String {
    let millis = (to.as_millisecond() - from.as_millisecond()).max(0);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    format!(
        "{days:08}{hours:02}{minutes:02}{seconds:02}.{:06}:000",
        millis * 1000
    )
}

/// Makes the embedded `Msvm_Error`s of a job that failed: one for each of its messages.
pub(crate) fn error_texts(job: &Job) -> Vec<String> {
    if job.error_code == 0 && job.error_description.is_empty() {
        return Vec::new();
    }
    if job.error_details.is_empty() {
        return vec![error_text(job, job.error_code, &job.error_description)];
    }
    let details = job.error_details.iter();
    details
        .map(|(number, text)| error_text(job, *number, text))
        .collect()
}

fn error_text(job: &Job, number: u32, message: &str) -> String {
    EmbeddedInstance::new("Msvm_Error")
        .with("CIMStatusCode", CimType::Uint32, 1_u32)
        .with("ErrorSource", CimType::String, guid_text(job.id))
        .with("ErrorType", CimType::Uint16, 4_u16)
        .with("Message", CimType::String, message)
        .with("MessageID", CimType::String, number.to_string())
        .with(
            "OwningEntity",
            CimType::String,
            "Microsoft-Windows-Hyper-V-VMMS",
        )
        .with("PerceivedSeverity", CimType::Uint16, 5_u16)
        .to_xml()
}
