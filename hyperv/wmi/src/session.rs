//! The seam: what carries WMI calls to a host.

use crate::{Instance, ObjectPath, Value, WmiError};

/// A connection to a host's WMI. Several threads may use it at once.
///
/// | Implementor | What |
/// |---|---|
/// | `wmi::com::ComSession` | this machine, on Windows |
/// | `wmi::wsman::WsmanSession` | a host over HTTP or HTTPS, from any system |
/// | `hyperv_sim::SimSession` | a host that does not exist |
pub trait WmiSession: Send + Sync {
    /// Returns the host's name, as errors and restore points show it.
    fn host(&self) -> &str;

    /// Asks a WQL query and hands over each instance as it comes. `each` may end it with an error.
    ///
    /// `SELECT … FROM …`, `ASSOCIATORS OF {…} …` and `REFERENCES OF {…} …` are queries.
    fn query(
        &self,
        namespace: &str,
        wql: &str,
        each: &mut dyn FnMut(Instance) -> Result<(), WmiError>,
    ) -> Result<(), WmiError>;

    /// Gets an instance anew.
    fn get(&self, path: &ObjectPath) -> Result<Instance, WmiError>;

    /// Calls a method of an object, parameters by name. Those that are `Null` are left out.
    fn invoke(
        &self,
        object: &ObjectPath,
        method: &str,
        parameters: &[(&str, Value)],
    ) -> Result<MethodOutput, WmiError>;

    /// Asks a query and collects what comes.
    fn query_all(&self, namespace: &str, wql: &str) -> Result<Vec<Instance>, WmiError> {
        let mut instances = Vec::new();
        self.query(namespace, wql, &mut |instance| {
            instances.push(instance);
            Ok(())
        })?;
        Ok(instances)
    }

    /// Collects the instances of `result_class` that are associated with an object, through
    /// `association` where one is named.
    fn associators(
        &self,
        object: &ObjectPath,
        result_class: &str,
        association: Option<&str>,
    ) -> Result<Vec<Instance>, WmiError> {
        let through = association.map_or_else(String::new, |class| format!(" AssocClass={class}"));
        let wql = format!(
            "ASSOCIATORS OF {{{}}} WHERE{through} ResultClass={result_class}",
            object.relative()
        );
        self.query_all(object.namespace(), &wql)
    }
}

/// What a method gave back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MethodOutput {
    /// Its return value: 0 done, 4096 a job was started.
    pub return_value: u32,
    /// Its out parameters, as the properties of an instance.
    pub parameters: Instance,
}
