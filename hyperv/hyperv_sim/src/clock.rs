//! The host's clock, and what comes due on it.

use std::time::Duration;

use crate::SimError;
use crate::host_state::HostState;

/// Moves the clock, and does what has come due meanwhile, in order.
pub(crate) fn pass(state: &mut HostState, duration: Duration) -> Result<(), SimError> {
    let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let end = state.now.as_millisecond().saturating_add(millis);
    state.now = jiff::Timestamp::from_millisecond(end).unwrap_or(jiff::Timestamp::MAX);
    Ok(())
}
