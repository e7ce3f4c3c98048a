//! A session that prints its calls, to see what a failing scenario did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyperv_sim::SimSession;
use wmi::{Instance, MethodOutput, ObjectPath, Value, WmiError, WmiSession};

/// Prints its calls where `LIFEBOAT_TRACE` is set.
pub(crate) struct Traced {
    pub(crate) session: Arc<SimSession>,
    pub(crate) calls: AtomicU64,
}

impl Traced {
    pub(crate) fn of(session: Arc<SimSession>) -> Arc<dyn WmiSession> {
        if std::env::var_os("LIFEBOAT_TRACE").is_none() {
            return session;
        }
        Arc::new(Self {
            session,
            calls: AtomicU64::new(0),
        })
    }

    #[expect(clippy::print_stdout, reason = "this is what it is for")]
    fn told<T>(&self, what: &str, result: Result<T, WmiError>) -> Result<T, WmiError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let outcome = result.as_ref().err().map(ToString::to_string);
        println!("{number:4} {what} {}", outcome.unwrap_or_default());
        result
    }
}

impl WmiSession for Traced {
    fn host(&self) -> &str {
        self.session.host()
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        let mut count = 0;
        let result = self.session.query(namespace, wql, &mut |instance| {
            count += 1;
            each(instance)
        });
        self.told(&format!("{count} of {wql}"), result)
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        let result = self.session.get(path);
        let state = result.as_ref().ok().and_then(|own| own.text("JobState"));
        self.told(&format!("get {} {state:?}", path.relative()), result)
    }

    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        let result = self.session.invoke(object, method, parameters);
        let code = result.as_ref().ok().map(|output| output.return_value);
        self.told(&format!("{method} {code:?}"), result)
    }
}
