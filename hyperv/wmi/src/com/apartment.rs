//! What lives on the COM thread: the connection to WMI and all that hangs on it.

use std::collections::HashMap;
use std::marker::PhantomData;

use windows::Win32::Foundation::{E_NOINTERFACE, RPC_E_TOO_LATE};
use windows::Win32::System::Com::{
    CLSCTX_INPROC_SERVER, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx,
    CoInitializeSecurity, CoSetProxyBlanket, CoUninitialize, EOAC_NONE,
    RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IMPERSONATE,
};
use windows::Win32::System::Rpc::{RPC_C_AUTHN_WINNT, RPC_C_AUTHZ_NONE};
use windows::Win32::System::Wmi::{
    IEnumWbemClassObject, IWbemClassObject, IWbemLocator, IWbemServices, WBEM_FLAG_FORWARD_ONLY,
    WBEM_FLAG_RETURN_IMMEDIATELY, WBEM_GENERIC_FLAG_TYPE, WBEM_S_TIMEDOUT, WbemLocator,
};
use windows::core::{BSTR, Error, IUnknown, Param};

use super::budget::Budget;
use super::class_object;
use super::failure::failure;
use super::method_call::{self, Signatures};
use crate::{Instance, MethodOutput, ObjectPath, Value, WmiError, WmiErrorKind};

/// Instances that are fetched at once.
const BATCH: usize = 16;
/// How long a batch may take, in milliseconds. One instance of Hyper-V takes some.
const BATCH_TIMEOUT_MS: i32 = 120_000;
/// `WBEM_FLAG_CONNECT_USE_MAX_WAIT`: a connection attempt ends after two minutes.
const CONNECT_USE_MAX_WAIT: i32 = 0x80;

/// The COM thread's own: interface pointers that must not leave it.
///
/// Fields are dropped in this order, so COM is left last.
pub(super) struct Apartment {
    host: String,
    queries: HashMap<u64, OpenQuery>,
    last_query: u64,
    namespaces: HashMap<String, Namespace>,
    locator: IWbemLocator,
    _com: Com,
}

/// A connection to a namespace.
struct Namespace {
    services: IWbemServices,
    signatures: Signatures,
}

struct OpenQuery {
    asked: String,
    namespace: String,
    instances: IEnumWbemClassObject,
    budget: Budget,
}

/// Some instances of a query.
pub(super) struct Batch {
    pub(super) instances: Vec<Instance>,
    pub(super) is_last: bool,
}

impl Apartment {
    /// Enters COM on this thread, and finds WMI.
    pub(super) fn enter(host: &str) -> Result<Self, WmiError> {
        let com = Com::enter()?;
        // SAFETY: this thread is in COM; the interface asked for is the one that the class has.
        let locator = unsafe { CoCreateInstance(&WbemLocator, None, CLSCTX_INPROC_SERVER) }
            .map_err(|error| unavailable("WMI is not there", &error))?;
        Ok(Self {
            host: host.to_owned(),
            queries: HashMap::new(),
            last_query: 0,
            namespaces: HashMap::new(),
            locator,
            _com: com,
        })
    }

    /// Begins a query; returns the number under which its instances are had.
    pub(super) fn open_query(&mut self, namespace: &str, wql: &str) -> Result<u64, WmiError> {
        let asked = format!("{wql} in {namespace}");
        let services = &self.namespace(namespace)?.services;
        let flags = WBEM_FLAG_FORWARD_ONLY.0 | WBEM_FLAG_RETURN_IMMEDIATELY.0;
        let (language, text) = (BSTR::from("WQL"), BSTR::from(wql));
        // SAFETY: a plain call with strings of ours.
        let opened =
            unsafe { services.ExecQuery(&language, &text, WBEM_GENERIC_FLAG_TYPE(flags), None) };
        let instances = opened
            .and_then(|instances| set_blanket(&instances).map(|()| instances))
            .map_err(|error| self.failed(&error, &asked, namespace))?;
        self.last_query += 1;
        let query = OpenQuery {
            asked,
            namespace: namespace.to_owned(),
            instances,
            budget: Budget::new(),
        };
        self.queries.insert(self.last_query, query);
        Ok(self.last_query)
    }

    /// Returns the next instances of a query.
    pub(super) fn next_batch(&mut self, id: u64) -> Result<Batch, WmiError> {
        let Some(query) = self.queries.get_mut(&id) else {
            let what = "the query was lost with the thread that asked it";
            return Err(WmiError::new(WmiErrorKind::Timeout, what));
        };
        let mut objects = [const { None::<IWbemClassObject> }; BATCH];
        let mut count = 0;
        // SAFETY: `objects` has as many places as the call is told, and gets interface pointers
        // that are ours.
        let code = unsafe {
            query
                .instances
                .Next(BATCH_TIMEOUT_MS, &mut objects, &mut count)
        };
        if let Err(error) = code.ok() {
            let (asked, namespace) = (query.asked.clone(), query.namespace.clone());
            return Err(self.failed(&error, &asked, &namespace));
        }
        let mut instances = Vec::with_capacity(BATCH);
        for object in objects.iter().flatten() {
            instances.push(class_object::read(object, &mut query.budget)?);
        }
        let timed_out = code.0 == WBEM_S_TIMEDOUT.0;
        if timed_out && instances.is_empty() {
            let what = format!("{}: nothing came in {BATCH_TIMEOUT_MS} ms", query.asked);
            return Err(WmiError::new(WmiErrorKind::Timeout, what));
        }
        let is_last = !timed_out && instances.len() < BATCH;
        Ok(Batch { instances, is_last })
    }

    /// Ends a query.
    pub(super) fn close_query(&mut self, id: u64) {
        self.queries.remove(&id);
    }

    #[cfg(test)]
    pub(super) fn open_queries(&self) -> usize {
        self.queries.len()
    }

    /// Gets an instance.
    pub(super) fn get(&mut self, path: &ObjectPath) -> Result<Instance, WmiError> {
        let object = self.get_object(path)?;
        class_object::read(&object, &mut Budget::new())
    }

    /// Gets an object that is not read yet.
    pub(super) fn get_object(&mut self, path: &ObjectPath) -> Result<IWbemClassObject, WmiError> {
        let services = &self.namespace(path.namespace())?.services;
        method_call::get_object(services, &path.relative())
            .map_err(|error| self.failed(&error, &format!("get {path}"), path.namespace()))
    }

    /// Calls a method.
    pub(super) fn invoke(
        &mut self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(String, Value)],
    ) -> Result<MethodOutput, WmiError> {
        let host = self.host.clone();
        let namespace = self.namespace(object.namespace())?;
        let Namespace {
            services,
            signatures,
        } = namespace;
        let call = method_call::MethodCall {
            object,
            method,
            parameters,
            host: &host,
        };
        let result = call.run(services, signatures);
        if let Err(error) = &result {
            self.forget_broken(error, object.namespace());
        }
        result
    }

    /// Returns the connection to a namespace.
    ///
    /// Errors: `NoNamespace`, where the host has none of this name.
    fn namespace(&mut self, name: &str) -> Result<&mut Namespace, WmiError> {
        let key = name.replace('/', "\\").to_lowercase();
        if !self.namespaces.contains_key(&key) {
            let none = BSTR::new();
            let place = BSTR::from(key.as_str());
            // SAFETY: a plain call with strings of ours; null strings mean the process's own user.
            let connected = unsafe {
                let wait = CONNECT_USE_MAX_WAIT;
                self.locator
                    .ConnectServer(&place, &none, &none, &none, wait, &none, None)
            };
            let services = connected
                .and_then(|services| set_blanket(&services).map(|()| services))
                .map_err(|error| failure(&error, &format!("connect to {name}")))?;
            let namespace = Namespace {
                services,
                signatures: Signatures::default(),
            };
            self.namespaces.insert(key.clone(), namespace);
        }
        match self.namespaces.get_mut(&key) {
            Some(namespace) => Ok(namespace),
            None => unreachable!("the connection was just made"),
        }
    }

    fn failed(&mut self, error: &Error, asked: &str, namespace: &str) -> WmiError {
        let failure = failure(error, asked);
        self.forget_broken(&failure, namespace);
        failure
    }

    /// Drops a connection that broke, as when WMI's service was started anew: the next call makes
    /// another.
    fn forget_broken(&mut self, error: &WmiError, namespace: &str) {
        if error.kind() == WmiErrorKind::Unreachable {
            let key = namespace.replace('/', "\\").to_lowercase();
            self.namespaces.remove(&key);
        }
    }
}

/// This thread's membership in COM's multi-threaded apartment.
struct Com(PhantomData<*const ()>);

impl Com {
    fn enter() -> Result<Self, WmiError> {
        // SAFETY: a plain call; `drop` undoes it on this thread, which `Com` cannot leave.
        let entered = unsafe { CoInitializeEx(None, COINIT_MULTITHREADED) };
        entered
            .ok()
            .map_err(|error| unavailable("COM is not there", &error))?;
        let com = Self(PhantomData);
        // SAFETY: a plain call; all pointers are null, which means the defaults.
        let secured = unsafe {
            CoInitializeSecurity(
                None,
                -1,
                None,
                None,
                RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
                RPC_C_IMP_LEVEL_IMPERSONATE,
                None,
                EOAC_NONE,
                None,
            )
        };
        match secured {
            // Somebody in this process was first; each connection has a blanket of its own.
            Err(error) if error.code() == RPC_E_TOO_LATE => Ok(com),
            Err(error) => Err(unavailable("COM's security cannot be set", &error)),
            Ok(()) => Ok(com),
        }
    }
}

impl Drop for Com {
    fn drop(&mut self) {
        // SAFETY: undoes `enter` on the same thread, after all interface pointers are gone.
        unsafe { CoUninitialize() };
    }
}

/// Lets the host act as who runs the program, over an encrypted connection: the cluster's
/// namespace takes no weaker one, and the others take it as well.
///
/// A blanket is an interface's own, so `proxy` is the interface that will be called, not another
/// of the same object.
///
/// Contract: 0.1
fn set_blanket(proxy: impl Param<IUnknown>) -> Result<(), Error> {
    // SAFETY: a plain call on an interface of ours; null pointers mean the defaults.
    let set = unsafe {
        CoSetProxyBlanket(
            proxy,
            RPC_C_AUTHN_WINNT,
            RPC_C_AUTHZ_NONE,
            None,
            RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
            RPC_C_IMP_LEVEL_IMPERSONATE,
            None,
            EOAC_NONE,
        )
    };
    match set {
        // An object in this process has no proxy.
        Err(error) if error.code() == E_NOINTERFACE => Ok(()),
        other => other,
    }
}

fn unavailable(what: &str, error: &Error) -> WmiError {
    let code = error.code().0.cast_unsigned();
    let what = format!("{what}: Windows answered 0x{code:08X}");
    WmiError::new(WmiErrorKind::Unavailable, what)
        .with_code(code)
        .caused_by(error.message())
}
