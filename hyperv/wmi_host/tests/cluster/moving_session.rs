//! A session during whose calls a VM moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hyperv_sim::SimCluster;
use uuid::Uuid;
use wmi::{Instance, MethodOutput, ObjectPath, Value, WmiError, WmiSession};

/// When a VM moves, counted in calls to all nodes.
pub(crate) struct MovePlan {
    sim: Arc<SimCluster>,
    vm: Uuid,
    /// The call before which it moves first; 0: never.
    first: u64,
    /// It moves again each time after so many calls; 0: it does not.
    again: u64,
    armed: AtomicBool,
    calls: AtomicU64,
    moves: AtomicU64,
}

impl MovePlan {
    pub(crate) fn new(sim: &Arc<SimCluster>, vm: Uuid, first: u64, again: u64) -> Arc<Self> {
        Arc::new(Self {
            sim: Arc::clone(sim),
            vm,
            first,
            again,
            armed: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            moves: AtomicU64::new(0),
        })
    }

    /// Counts the calls from here, and moves the VM from here on.
    pub(crate) fn begin(&self) {
        self.armed.store(true, Ordering::Relaxed);
        self.calls.store(0, Ordering::Relaxed);
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn moves(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    fn before_call(&self) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let armed = self.armed.load(Ordering::Relaxed) && self.first > 0;
        let late = call.checked_sub(self.first).filter(|_| armed);
        let due = late.is_some_and(|late| late == 0 || self.again > 0 && late % self.again == 0);
        if due && self.move_on() {
            self.moves.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Moves the VM to the node behind the one that has it, unless the cluster says no.
    fn move_on(&self) -> bool {
        let owner = self.sim.owner(self.vm).unwrap();
        let names: Vec<&str> = self.sim.nodes().map(|(name, _)| name).collect();
        let place = names.iter().position(|name| *name == owner).unwrap();
        let next = names[(place + 1) % names.len()];
        self.sim.move_vm(self.vm, next).is_ok()
    }
}

/// A session before whose calls a VM may move.
pub(crate) struct MovingSession {
    inner: Arc<dyn WmiSession>,
    plan: Arc<MovePlan>,
}

impl MovingSession {
    pub(crate) fn new(inner: Arc<dyn WmiSession>, plan: Arc<MovePlan>) -> Self {
        Self { inner, plan }
    }

    #[expect(clippy::print_stdout, reason = "this is what it is for")]
    fn told<T>(&self, what: &str, result: Result<T, WmiError>) -> Result<T, WmiError> {
        if std::env::var_os("LIFEBOAT_TRACE").is_some() {
            let outcome = result.as_ref().err().map(ToString::to_string);
            let (call, host) = (self.plan.calls(), self.inner.host());
            println!("{call:4} {host} {what} {}", outcome.unwrap_or_default());
        }
        result
    }
}

impl WmiSession for MovingSession {
    fn host(&self) -> &str {
        self.inner.host()
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        self.plan.before_call();
        let mut count = 0;
        let result = self.inner.query(namespace, wql, &mut |instance| {
            count += 1;
            each(instance)
        });
        self.told(&format!("{count} of {wql}"), result)
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        self.plan.before_call();
        self.told(&format!("get {}", path.relative()), self.inner.get(path))
    }

    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        self.plan.before_call();
        let result = self.inner.invoke(object, method, parameters);
        let code = result.as_ref().ok().map(|output| output.return_value);
        self.told(&format!("{method} {code:?}"), result)
    }
}
