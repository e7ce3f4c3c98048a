//! The parameters of a call, as methods need them.

use uuid::Uuid;
use wmi::{Instance, ObjectPath, Value};

use super::super::object::{Object, Owner};
use super::super::objects::find;
use super::super::schema;
use super::super::view::HostView;
use super::invalid;
use crate::SimError;

/// The parameters of a call, by name.
pub(crate) struct Parameters<'a> {
    given: &'a [(&'a str, Value)],
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(given: &'a [(&'a str, Value)]) -> Self {
        Self { given }
    }

    /// Returns a parameter; one that was not given is null.
    pub(crate) fn value(&self, name: &str) -> &'a Value {
        self.given
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map_or(&Value::Null, |(_, value)| value)
    }

    /// Returns a text; one that is empty is none.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.value(name).to_text().filter(|text| !text.is_empty())
    }

    /// Returns a text that must be there.
    pub(crate) fn required_text(&self, name: &str) -> Result<String, SimError> {
        self.text(name)
            .ok_or_else(|| invalid(format!("{name} is missing")))
    }

    /// Returns a number that must be there.
    pub(crate) fn required_number<T: TryFrom<i128>>(&self, name: &str) -> Result<T, SimError> {
        self.value(name)
            .to_integer()
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| invalid(format!("{name} is missing, or no number that fits")))
    }

    /// Returns the object that a reference names. It may be a path with or without a host, its
    /// text, or the instance itself, as some clients pass it.
    pub(crate) fn object(&self, view: HostView<'_>, name: &str) -> Result<Object, SimError> {
        let path = reference(self.value(name))
            .ok_or_else(|| invalid(format!("{name} is not the path of an object")))?;
        let found = find(view, &path).map_err(|error| invalid(format!("{name}: {error}")))?;
        Ok(found.0)
    }

    /// Returns the objects that an array of references names.
    pub(crate) fn objects(&self, view: HostView<'_>, name: &str) -> Result<Vec<Object>, SimError> {
        let list = self.value(name).items().iter();
        list.map(|value| {
            let path = reference(value);
            let path = path.ok_or_else(|| invalid(format!("{name}: not the path of an object")))?;
            let found = find(view, &path).map_err(|error| invalid(format!("{name}: {error}")))?;
            Ok(found.0)
        })
        .collect()
    }

    /// Returns the VM that a reference names.
    pub(crate) fn vm(&self, view: HostView<'_>, name: &str) -> Result<Uuid, SimError> {
        match self.object(view, name)? {
            Object::Vm(id) => Ok(id),
            _ => Err(invalid(format!("{name} is not a virtual machine"))),
        }
    }

    /// Returns the VM whose own settings a reference names.
    pub(crate) fn vm_of_settings(&self, view: HostView<'_>, name: &str) -> Result<Uuid, SimError> {
        match self.object(view, name)? {
            Object::Settings(Owner { vm, snapshot: None }) => Ok(vm),
            _ => Err(invalid(format!(
                "{name} is not the settings of a virtual machine"
            ))),
        }
    }

    /// Returns the checkpoint whose settings a reference names.
    pub(crate) fn snapshot(&self, view: HostView<'_>, name: &str) -> Result<Uuid, SimError> {
        match self.object(view, name)? {
            Object::Settings(Owner {
                snapshot: Some(id), ..
            }) => Ok(id),
            _ => Err(invalid(format!("{name} is not a checkpoint"))),
        }
    }

    /// Returns the reference point that a reference names.
    pub(crate) fn reference_point(&self, view: HostView<'_>, name: &str) -> Result<Uuid, SimError> {
        match self.object(view, name)? {
            Object::ReferencePoint(_, id) => Ok(id),
            _ => Err(invalid(format!("{name} is not a reference point"))),
        }
    }

    /// Returns an embedded instance of a class; `None` where the parameter is not there or empty.
    /// Properties that this version of Windows does not know are refused.
    pub(crate) fn embedded(
        &self,
        view: HostView<'_>,
        name: &str,
        class: &str,
    ) -> Result<Option<Instance>, SimError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let instance = Instance::from_cim_xml(&text)
            .map_err(|error| invalid(format!("{name} cannot be read: {error}")))?;
        let known = schema::class(class).is_some_and(|own| {
            own.is_a(&instance.class) && own.knows_all_of(&instance, view.profile())
        });
        if !known {
            let what = format!("{name} is not a {class} as this host knows it");
            return Err(invalid(what));
        }
        Ok(Some(instance))
    }

    /// Returns the embedded instances of an array, of whatever classes this version of Windows has.
    pub(crate) fn embedded_list(
        &self,
        view: HostView<'_>,
        name: &str,
    ) -> Result<Vec<Instance>, SimError> {
        let list = self.value(name).items().iter();
        list.map(|text| {
            let text = text.to_text().unwrap_or_default();
            let instance = Instance::from_cim_xml(&text)
                .map_err(|error| invalid(format!("{name} cannot be read: {error}")))?;
            let known = schema::class(&instance.class).is_some_and(|own| {
                own.exists_on(view.profile()) && own.knows_all_of(&instance, view.profile())
            });
            if !known {
                let class = &instance.class;
                return Err(invalid(format!("{name}: no {class} as this host knows it")));
            }
            Ok(instance)
        })
        .collect()
    }
}

/// Reads a reference: a path, its text, or the instance itself.
pub(crate) fn reference(value: &Value) -> Option<ObjectPath> {
    match value {
        Value::Instance(instance) => instance
            .path
            .clone()
            .or_else(|| instance.object_path(wmi::VIRTUALIZATION).ok()),
        other => other.to_reference(),
    }
}
