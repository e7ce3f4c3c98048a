//! A session of the simulated host: what typed code talks to.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;
use wmi::{Instance, MethodOutput, ObjectPath, Value, WmiError, WmiErrorKind, WmiSession};

use super::answer::{answer, get};
use super::call_count::CallCount;
use super::fault::{Effect, Fault, FaultPlan, FaultPoint};
use super::methods::{Circumstances, invoke};
use super::strike::{Moment, Strike, strike};
use super::view::HostView;
use super::wql;
use crate::host_state::HostState;
use crate::{SimError, SimHost};

/// A session of a simulated host. Many may be open at once, also of several programs.
pub struct SimSession {
    host: Arc<SimHost>,
    name: String,
    answers_at_once: bool,
    counted: Mutex<CallCount>,
}

impl SimSession {
    /// Opens a session.
    pub fn new(host: Arc<SimHost>) -> Result<Self, SimError> {
        let name = host.look(|state| Ok(state.facts.name.clone()))?;
        Ok(Self {
            host,
            name,
            answers_at_once: false,
            counted: Mutex::default(),
        })
    }

    /// Lets methods do at once, and return 0, what they otherwise start a job for. Real hosts may
    /// do either.
    #[must_use]
    pub fn answering_at_once(mut self) -> Self {
        self.answers_at_once = true;
        self
    }

    /// Returns the host.
    pub fn sim_host(&self) -> &Arc<SimHost> {
        &self.host
    }

    /// Returns how much the session was asked so far.
    pub fn call_count(&self) -> CallCount {
        self.counted().clone()
    }

    /// Counts from nothing again.
    pub fn reset_call_count(&self) {
        *self.counted() = CallCount::default();
    }

    /// Lets something go wrong with the n-th WMI call from now, from 1, whatever it is.
    pub fn fail_call(&self, nth: u64, effect: Effect) -> Result<(), SimError> {
        self.host
            .plan_fault(Fault::new(FaultPoint::Any, effect).nth(nth))
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, CallCount> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call with the host locked. Returns also behind how many instances its answer breaks
    /// off.
    fn call<T>(
        &self,
        point: &FaultPoint,
        class: &str,
        about: &str,
        work: impl FnOnce(&mut HostState, &Circumstances) -> Result<T, WmiError>,
    ) -> Result<(T, Option<u64>), WmiError> {
        let acted = self
            .host
            .act(|state| Ok(self.struck_call(state, point, class, about, work)));
        acted.unwrap_or_else(|error| {
            let what = format!("the simulated host failed: {error}");
            Err(WmiError::new(WmiErrorKind::Failed, what).caused_by(error))
        })
    }

    fn struck_call<T>(
        &self,
        state: &mut HostState,
        point: &FaultPoint,
        class: &str,
        about: &str,
        work: impl FnOnce(&mut HostState, &Circumstances) -> Result<T, WmiError>,
    ) -> Result<(T, Option<u64>), WmiError> {
        let Strike {
            mut circumstances,
            failure,
            breaks_off,
            moves_after,
        } = strike(state, point, class, about)?;
        circumstances.answers_at_once = self.answers_at_once;
        match failure {
            None => {
                let done = work(state, &circumstances);
                if let Some((vm, node)) = moves_after {
                    move_afterwards(state, vm, &node)?;
                }
                done.map(|done| (done, breaks_off))
            }
            Some((error, Moment::Before)) => Err(error),
            Some((error, Moment::After)) => {
                // Who asked never learns what came of it.
                let _ = work(state, &circumstances);
                Err(error)
            }
        }
    }
}

/// Lets a VM move once the jobs that it has are done, merges aside.
fn move_afterwards(state: &mut HostState, vm: Uuid, node: &str) -> Result<(), WmiError> {
    let jobs = state.vms.get(&vm).and_then(crate::Vm::active_job);
    let job = jobs.map(|job| job.id);
    let moved = job
        .map_or(Ok(()), |job| state.finish_job_now(job))
        .and_then(|()| state.move_vm(vm, node));
    moved.map_err(|error| WmiError::new(WmiErrorKind::Failed, error.to_string()))
}

fn broken_off() -> WmiError {
    WmiError::new(
        WmiErrorKind::Protocol,
        "the answer breaks off in the middle",
    )
}

impl WmiSession for SimSession {
    fn host(&self) -> &str {
        &self.name
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        self.counted().queries += 1;
        let query = wql::parse(wql);
        let class = query.as_ref().map_or("", wql::Query::asked_class);
        // The host is not locked while the instances are handed over: `each` may ask it, too.
        let (instances, breaks_off) = self.call(&FaultPoint::Query, class, wql, |state, _| {
            answer(
                HostView::new(state),
                namespace,
                query.as_ref().map_err(again)?,
            )
        })?;
        for (handed, instance) in (0_u64..).zip(instances) {
            if breaks_off == Some(handed) {
                return Err(broken_off());
            }
            self.counted().instances += 1;
            each(instance)?;
        }
        breaks_off.map_or(Ok(()), |_| Err(broken_off()))
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        self.counted().gets += 1;
        let about = path.relative();
        let (instance, breaks_off) =
            self.call(&FaultPoint::Get, path.class(), &about, |state, _| {
                get(HostView::new(state), path)
            })?;
        if breaks_off.is_some() {
            return Err(broken_off());
        }
        self.counted().instances += 1;
        Ok(instance)
    }

    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        *self.counted().methods.entry(method.to_owned()).or_default() += 1;
        let about = parameters
            .iter()
            .filter_map(|(_, value)| value.to_text())
            .fold(object.relative(), |all, text| all + " " + &text);
        let point = FaultPoint::Method(method.to_owned());
        let (output, breaks_off) =
            self.call(&point, object.class(), &about, |state, circumstances| {
                invoke(state, object, method, parameters, circumstances)
            })?;
        if breaks_off.is_some() {
            return Err(broken_off());
        }
        Ok(output)
    }
}

/// Makes the error of a query anew, which is looked at more than once.
fn again(error: &WmiError) -> WmiError {
    let again = WmiError::new(error.kind(), error.to_string());
    match error.code() {
        Some(code) => again.with_code(code),
        None => again,
    }
}

impl HostState {
    /// Returns the faults that are to come. What cannot be read is none.
    pub(crate) fn fault_plan(&self) -> FaultPlan {
        serde_json::from_value(self.facts.faults.clone()).unwrap_or_default()
    }

    pub(crate) fn set_fault_plan(&mut self, plan: &FaultPlan) {
        self.facts_mut().faults = match serde_json::to_value(plan) {
            Ok(value) if !plan.is_empty() => value,
            _ => serde_json::Value::Null,
        };
    }
}

impl SimHost {
    /// Lets something go wrong; see [`Fault`] for how that is written.
    pub fn plan_fault(&self, fault: Fault) -> Result<(), SimError> {
        self.act(|state| {
            let mut plan = state.fault_plan();
            plan.faults.push(fault);
            state.set_fault_plan(&plan);
            Ok(())
        })
    }

    /// Lists the faults that are planned, those that struck already included.
    pub fn faults(&self) -> Result<FaultPlan, SimError> {
        self.look(|state| Ok(state.fault_plan()))
    }

    /// Forgets all faults, and revives the host where it died.
    pub fn clear_faults(&self) -> Result<(), SimError> {
        self.act(|state| {
            state.set_fault_plan(&FaultPlan::default());
            Ok(())
        })
    }

    /// Makes a host that died answer again. Whether it restarted is another matter.
    pub fn revive(&self) -> Result<(), SimError> {
        self.act(|state| {
            let mut plan = state.fault_plan();
            plan.host_is_dead = false;
            state.set_fault_plan(&plan);
            Ok(())
        })
    }
}
