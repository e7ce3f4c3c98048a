//! Calling a method: its definition says what its parameters are.

use std::collections::HashMap;

use windows::Win32::System::Variant::VARIANT;
use windows::Win32::System::Wmi::{
    IWbemClassObject, IWbemServices, WBEM_E_METHOD_NOT_IMPLEMENTED, WBEM_E_NOT_FOUND,
    WBEM_GENERIC_FLAG_TYPE,
};
use windows::core::{BSTR, Error, HSTRING};

use super::budget::Budget;
use super::failure::failure;
use super::{class_object, variant_write};
use crate::{MethodOutput, ObjectPath, Value, WmiError, WmiErrorKind};

/// The in parameters of methods that were called before, by class and method. `None`: it has none.
pub(super) type Signatures = HashMap<(String, String), Option<IWbemClassObject>>;

/// A call of a method.
pub(super) struct MethodCall<'a> {
    pub(super) object: &'a ObjectPath,
    pub(super) method: &'a str,
    /// Those that have a value.
    pub(super) parameters: &'a [(String, Value)],
    /// This machine's name, for references.
    pub(super) host: &'a str,
}

impl MethodCall<'_> {
    /// Makes the call and waits for its end.
    pub(super) fn run(
        &self,
        services: &IWbemServices,
        signatures: &mut Signatures,
    ) -> Result<MethodOutput, WmiError> {
        let asked = format!("{} of {}", self.method, self.object);
        let input = self.input(services, signatures)?;
        let (path, method) = (BSTR::from(self.object.relative()), BSTR::from(self.method));
        let mut output = None;
        // SAFETY: strings and parameters are ours; `output` gets an interface pointer of ours.
        unsafe {
            let flags = WBEM_GENERIC_FLAG_TYPE(0);
            let output = Some(&raw mut output);
            services.ExecMethod(&path, &method, flags, None, input.as_ref(), output, None)
        }
        .map_err(|error| failure(&error, &asked))?;
        let Some(output) = output else {
            return Err(no_return_value(&asked));
        };
        let parameters = class_object::read(&output, &mut Budget::new())?;
        let return_value = parameters.number("ReturnValue");
        let return_value = return_value.ok_or_else(|| no_return_value(&asked))?;
        Ok(MethodOutput {
            return_value,
            parameters,
        })
    }

    /// Makes the object that carries the parameters.
    fn input(
        &self,
        services: &IWbemServices,
        signatures: &mut Signatures,
    ) -> Result<Option<IWbemClassObject>, WmiError> {
        let key = (
            self.object.class().to_lowercase(),
            self.method.to_lowercase(),
        );
        if !signatures.contains_key(&key) {
            signatures.insert(key.clone(), self.signature(services)?);
        }
        let Some(Some(signature)) = signatures.get(&key) else {
            let first = self.parameters.first();
            return first.map_or(Ok(None), |(name, _)| Err(self.no_parameter(name)));
        };
        // SAFETY: a plain call.
        let input = unsafe { signature.SpawnInstance(0) }
            .map_err(|error| failure(&error, &format!("parameters of {}", self.method)))?;
        for (name, value) in self.parameters {
            self.put(signature, &input, name, value)?;
        }
        Ok(Some(input))
    }

    /// Asks the class for the method's in parameters.
    fn signature(&self, services: &IWbemServices) -> Result<Option<IWbemClassObject>, WmiError> {
        let class = self.object.class();
        let definition = get_object(services, class)
            .map_err(|error| failure(&error, &format!("definition of {class}")))?;
        let (mut input, mut output) = (None, None);
        let method = HSTRING::from(self.method);
        // SAFETY: the name ends in a zero; both places get interface pointers that are ours.
        let got = unsafe { definition.GetMethod(&method, 0, &mut input, &mut output) };
        match got {
            Ok(()) => Ok(input),
            Err(error) if is_missing(&error) => {
                let what = format!("{class} has no method {} on this host", self.method);
                Err(no_method(what, &error))
            }
            Err(error) => {
                let asked = format!("definition of {} of {class}", self.method);
                Err(failure(&error, &asked))
            }
        }
    }

    /// Sets a parameter to a value of the type that the definition says.
    fn put(
        &self,
        signature: &IWbemClassObject,
        input: &IWbemClassObject,
        name: &str,
        value: &Value,
    ) -> Result<(), WmiError> {
        let wide = HSTRING::from(name);
        let mut cim_type = 0;
        let mut default = VARIANT::default();
        // SAFETY: the name ends in a zero; the places are ours and empty.
        unsafe { signature.Get(&wide, 0, &mut default, Some(&mut cim_type), None) }.map_err(
            |error| match is_missing(&error) {
                true => self.no_parameter(name),
                false => failure(&error, &format!("parameter {name} of {}", self.method)),
            },
        )?;
        let variant = variant_write::variant(value, cim_type, self.host).map_err(|why| {
            let what = format!("the parameter {name} of {} {why}", self.method);
            WmiError::new(WmiErrorKind::Protocol, what)
        })?;
        // SAFETY: the name ends in a zero; the value is ours and is copied.
        unsafe { input.Put(&wide, 0, &variant, 0) }
            .map_err(|error| failure(&error, &format!("parameter {name} of {}", self.method)))
    }

    fn no_parameter(&self, name: &str) -> WmiError {
        let what = format!("{} has no parameter {name} on this host", self.method);
        WmiError::new(WmiErrorKind::NoMethod, what)
    }
}

/// Gets an object or, by its class alone, a definition.
pub(super) fn get_object(services: &IWbemServices, path: &str) -> Result<IWbemClassObject, Error> {
    let mut object = None;
    let place = BSTR::from(path);
    // SAFETY: the string is ours; `object` gets an interface pointer that is ours.
    unsafe {
        let object = Some(&raw mut object);
        services.GetObject(&place, WBEM_GENERIC_FLAG_TYPE(0), None, object, None)?;
    }
    object.ok_or_else(|| Error::from_hresult(windows::core::HRESULT(WBEM_E_NOT_FOUND.0)))
}

fn is_missing(error: &Error) -> bool {
    [WBEM_E_NOT_FOUND.0, WBEM_E_METHOD_NOT_IMPLEMENTED.0].contains(&error.code().0)
}

fn no_method(what: String, error: &Error) -> WmiError {
    WmiError::new(WmiErrorKind::NoMethod, what).with_code(error.code().0.cast_unsigned())
}

fn no_return_value(asked: &str) -> WmiError {
    let what = format!("{asked} came without a return value");
    WmiError::new(WmiErrorKind::Protocol, what)
}
