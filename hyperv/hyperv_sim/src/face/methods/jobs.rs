//! What can be asked of a job, and of the errors that it gives (contract 0.3).

use uuid::Uuid;
use wmi::Instance;

use super::super::project::error_texts;
use super::parameters::Parameters;
use super::{INVALID_STATE, Outcome, invalid};
use crate::SimError;
use crate::host_state::HostState;

pub(crate) fn change_state(
    state: &mut HostState,
    job: Uuid,
    parameters: &Parameters<'_>,
) -> Result<Outcome, SimError> {
    let kill = match parameters.required_number::<u16>("RequestedState")? {
        4 => false,
        5 => true,
        other => return Err(invalid(format!("a job cannot be brought to {other}"))),
    };
    if state.job(job)?.state.is_over() {
        return Ok(Outcome::Refused(INVALID_STATE));
    }
    state.end_job(job, kill)?;
    Ok(Outcome::Done(Instance::new("__PARAMETERS")))
}

pub(crate) fn error(state: &HostState, job: Uuid) -> Result<Outcome, SimError> {
    let text = error_texts(state.job(job)?).into_iter().next();
    let output = Instance::new("__PARAMETERS");
    Ok(Outcome::Done(match text {
        Some(text) => output.with("Error", text),
        None => output,
    }))
}

pub(crate) fn errors(state: &HostState, job: Uuid) -> Result<Outcome, SimError> {
    let texts = error_texts(state.job(job)?);
    let output = Instance::new("__PARAMETERS").with("Errors", texts);
    Ok(Outcome::Done(output))
}

pub(crate) fn format_error(parameters: &Parameters<'_>) -> Result<Outcome, SimError> {
    let mut messages = Vec::new();
    for text in parameters.value("Errors").items() {
        let text = text.to_text().unwrap_or_default();
        let error = Instance::from_cim_xml(&text)
            .map_err(|error| invalid(format!("Errors cannot be read: {error}")))?;
        messages.extend(error.text("Message"));
    }
    let output = Instance::new("__PARAMETERS").with("ErrorMessage", messages.join("\n"));
    Ok(Outcome::Done(output))
}
