//! WMI's objects as [`Instance`]s.

use windows::Win32::System::Variant::VARIANT;
use windows::Win32::System::Wmi::{CIM_STRING, IWbemClassObject, WBEM_FLAG_NONSYSTEM_ONLY};
use windows::core::{BSTR, PCWSTR, w};

use super::budget::Budget;
use super::failure::failure;
use super::variant_read;
use crate::{Instance, ObjectPath, Value, WmiError};

/// Reads an object with all its properties.
pub(super) fn read(object: &IWbemClassObject, budget: &mut Budget) -> Result<Instance, WmiError> {
    budget.enter_instance()?;
    let mut instance = Instance::new(text_property(object, w!("__CLASS")).unwrap_or_default());
    instance.path = text_property(object, w!("__PATH")).and_then(|path| ObjectPath::parse(&path));
    let asked = format!("properties of {}", instance.class);
    // SAFETY: a plain call.
    unsafe { object.BeginEnumeration(WBEM_FLAG_NONSYSTEM_ONLY.0) }
        .map_err(|error| failure(&error, &asked))?;
    loop {
        let mut name = BSTR::new();
        let mut variant = VARIANT::default();
        let (mut cim_type, mut flavor) = (0, 0);
        // SAFETY: all four places are ours, empty, and of the types that the call fills.
        unsafe { object.Next(0, &mut name, &mut variant, &mut cim_type, &mut flavor) }
            .map_err(|error| failure(&error, &asked))?;
        // The end is a success that leaves the name alone.
        if name.is_empty() {
            break;
        }
        let name = name.to_string();
        budget.spend_bytes(name.len())?;
        let value = variant_read::value(&variant, cim_type, budget)?;
        instance.set(&name, value);
    }
    // SAFETY: a plain call; it ends what BeginEnumeration began, and a failure changes nothing.
    let _ = unsafe { object.EndEnumeration() };
    budget.leave_instance();
    Ok(instance)
}

/// Returns a string property; `None` where it is not there, empty or of another type.
pub(super) fn text_property(object: &IWbemClassObject, name: PCWSTR) -> Option<String> {
    let mut variant = VARIANT::default();
    // SAFETY: `name` ends in a zero, `variant` is ours and empty, and the type is not asked for.
    unsafe { object.Get(name, 0, &mut variant, None, None) }.ok()?;
    match variant_read::value(&variant, CIM_STRING.0, &mut Budget::new()).ok()? {
        Value::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}
