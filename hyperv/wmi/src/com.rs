//! WMI of this machine, over COM.
//!
//! ```text
//!   any thread ── call ──▶ COM thread (multi-threaded apartment) ── IWbemServices ──▶ winmgmt
//!        ◀── Instance ──   namespaces, queries and method definitions live here
//! ```
//!
//! Interface pointers never leave the COM thread; what crosses is [`Instance`]s and [`Value`]s. So
//! calls of several threads come one after another. A query is read batch by batch as its caller
//! asks for more: memory is bounded by one batch, and a caller may ask something else in between.
//!
//! A call that does not come back within its limit costs its thread: the caller gets
//! [`WmiErrorKind::Timeout`], the next call starts a new thread. The host may still carry out what
//! it was asked, as after any broken connection.
//!
//! The security is that of the process: who runs the program must be an administrator or a Hyper-V
//! administrator. Sources: wbemcli.h, "WMI C++ application" and "Numbers" in the WMI reference.
//!
//! Deliberately missing: other machines (WS-Man reaches those), events, writing instances, and
//! parameters of type `object` (Hyper-V's methods take instances as text).

#![expect(
    unsafe_code,
    reason = "COM is unsafe by nature; this module is the one place of the crate that calls it"
)]

mod apartment;
mod budget;
mod call_thread;
mod class_object;
mod failure;
mod method_call;
mod safe_array;
mod variant_read;
mod variant_write;

use std::time::Duration;

use windows::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, GetComputerNameExW,
};
use windows::core::PWSTR;

use crate::{Instance, MethodOutput, ObjectPath, Value, WmiError, WmiErrorKind, WmiSession};
use call_thread::CallThread;

/// How long a query's batch or an object may take.
const READ_LIMIT: Duration = Duration::from_secs(5 * 60);
/// How long a method may take. Those of Hyper-V that take long start a job and return.
const METHOD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// This machine's WMI. Lives on Windows only.
#[derive(Debug)]
pub struct ComSession {
    host: String,
    thread: CallThread,
}

impl ComSession {
    /// Starts COM and finds WMI; connects to no namespace yet.
    ///
    /// Errors: `Unavailable`, where this system has no COM or no WMI.
    pub fn open() -> Result<Self, WmiError> {
        let host = computer_name().unwrap_or_else(|| "localhost".to_owned());
        let thread = CallThread::start(host.clone())?;
        Ok(Self { host, thread })
    }
}

impl WmiSession for ComSession {
    fn host(&self) -> &str {
        &self.host
    }

    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError> {
        let (place, text) = (namespace.to_owned(), wql.to_owned());
        let asked = format!("{wql} in {namespace}");
        let id = self
            .thread
            .run(&asked, READ_LIMIT, move |com| com.open_query(&place, &text))?;
        let open = OpenQuery {
            thread: &self.thread,
            id,
        };
        loop {
            let batch = self
                .thread
                .run(&asked, READ_LIMIT, move |com| com.next_batch(id))?;
            for instance in batch.instances {
                each(instance)?;
            }
            if batch.is_last {
                drop(open);
                return Ok(());
            }
        }
    }

    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError> {
        has_namespace(path)?;
        let (path, asked) = (path.clone(), format!("get {path}"));
        self.thread
            .run(&asked, READ_LIMIT, move |com| com.get(&path))
    }

    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError> {
        has_namespace(object)?;
        let asked = format!("{method} of {object}");
        let given = parameters
            .iter()
            .filter(|(_, value)| *value != Value::Null)
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<Vec<_>>();
        let (object, method) = (object.clone(), method.to_owned());
        self.thread.run(&asked, METHOD_LIMIT, move |com| {
            com.invoke(&object, &method, &given)
        })
    }
}

/// A query that is open on the COM thread; closed there when its reader goes, read or not.
struct OpenQuery<'a> {
    thread: &'a CallThread,
    id: u64,
}

impl Drop for OpenQuery<'_> {
    fn drop(&mut self) {
        let id = self.id;
        self.thread.post(move |com| com.close_query(id));
    }
}

fn has_namespace(path: &ObjectPath) -> Result<(), WmiError> {
    if path.namespace().is_empty() {
        let what = format!("{path} does not say its namespace");
        return Err(WmiError::new(WmiErrorKind::BadQuery, what));
    }
    Ok(())
}

/// Returns the name of this machine, without its domain.
fn computer_name() -> Option<String> {
    // A host name has 63 characters at most.
    let mut buffer = [0_u16; 256];
    let mut length = 256;
    let place = PWSTR(buffer.as_mut_ptr());
    // SAFETY: `place` has room for `length` characters, and the call writes no more.
    unsafe { GetComputerNameExW(ComputerNamePhysicalDnsHostname, Some(place), &mut length) }
        .ok()?;
    let name = buffer.get(..usize::try_from(length).ok()?)?;
    String::from_utf16(name)
        .ok()
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Held by tests that ask WMI: Wine's crashes when threads use it at the same time.
    pub(super) static WINE: Mutex<()> = Mutex::new(());

    #[test]
    fn a_query_is_closed_when_its_reader_ends_it() {
        let _alone = WINE.lock();
        let session = ComSession::open().unwrap();
        let wql = "SELECT Name FROM Win32_Process";
        let enough = session.query(crate::CIMV2, wql, &mut |_| {
            Err(WmiError::new(WmiErrorKind::Failed, "enough"))
        });
        assert!(enough.is_err());
        session.query_all(crate::CIMV2, wql).unwrap();
        let open = session
            .thread
            .run("look", READ_LIMIT, |com| Ok(com.open_queries()));
        assert_eq!(open.unwrap(), 0);
    }
}
