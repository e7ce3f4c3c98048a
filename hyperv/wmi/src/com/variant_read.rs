//! `VARIANT`s as [`Value`]s.
//!
//! What a `VARIANT` holds depends on the property's CIM type ("Numbers" in the WMI reference):
//! `uint16` and `uint32` come as signed 32-bit numbers, `sint8` as a 16-bit one, 64-bit numbers as
//! text. So the CIM type decides the meaning.

use windows::Win32::System::Variant::{
    VARENUM, VARIANT, VT_ARRAY, VT_BOOL, VT_BSTR, VT_DISPATCH, VT_EMPTY, VT_I1, VT_I2, VT_I4,
    VT_I8, VT_NULL, VT_R4, VT_R8, VT_UI1, VT_UI2, VT_UI4, VT_UI8, VT_UNKNOWN,
};
use windows::Win32::System::Wmi::{
    CIM_CHAR16, CIM_FLAG_ARRAY, CIM_REFERENCE, CIM_SINT64, CIM_UINT8, CIM_UINT16, CIM_UINT32,
    CIM_UINT64, CIMTYPE_ENUMERATION, IWbemClassObject,
};
use windows::core::{IUnknown, Interface};

use super::budget::Budget;
use super::{class_object, safe_array};
use crate::{ObjectPath, Value, WmiError, WmiErrorKind};

/// Reads a property of a CIM type.
pub(super) fn value(
    variant: &VARIANT,
    cim_type: i32,
    budget: &mut Budget,
) -> Result<Value, WmiError> {
    let kind = variant.vt();
    if kind.0 & VT_ARRAY.0 == 0 {
        return one(variant, kind, cim_type, budget);
    }
    let item_type = cim_type & !CIM_FLAG_ARRAY.0;
    let elements = safe_array::elements(variant, budget)?;
    let values = elements
        .iter()
        .map(|element| one(element, element.vt(), item_type, budget));
    values.collect::<Result<_, _>>().map(Value::List)
}

fn one(
    variant: &VARIANT,
    kind: VARENUM,
    cim_type: i32,
    budget: &mut Budget,
) -> Result<Value, WmiError> {
    let integer = |number: i64| Ok(Value::Integer(unsigned(number, cim_type)));
    // SAFETY: the member that is read in each arm is the one that `kind` says is set; the content
    // is borrowed from the variant.
    unsafe {
        let content = &variant.Anonymous.Anonymous.Anonymous;
        match kind {
            VT_EMPTY | VT_NULL => Ok(Value::Null),
            VT_BOOL => Ok(Value::Bool(content.boolVal.as_bool())),
            VT_I1 => integer(content.cVal.into()),
            VT_UI1 => integer(content.bVal.into()),
            VT_I2 => integer(content.iVal.into()),
            VT_UI2 => integer(content.uiVal.into()),
            VT_I4 => integer(content.lVal.into()),
            VT_UI4 => integer(content.ulVal.into()),
            VT_I8 => integer(content.llVal),
            VT_UI8 => Ok(Value::Integer(content.ullVal.into())),
            VT_R4 => Ok(Value::Text(content.fltVal.to_string())),
            VT_R8 => Ok(Value::Text(content.dblVal.to_string())),
            VT_BSTR => text(&content.bstrVal.to_string(), cim_type, budget),
            VT_UNKNOWN | VT_DISPATCH => object(content.punkVal.as_ref(), budget),
            other => {
                let what = format!("the host sent a value of type {}", other.0);
                Err(WmiError::new(WmiErrorKind::Protocol, what))
            }
        }
    }
}

/// Undoes the sign that a `VARIANT` gives to numbers without one.
fn unsigned(number: i64, cim_type: i32) -> i128 {
    let mask = match CIMTYPE_ENUMERATION(cim_type) {
        CIM_UINT8 => 0xFF,
        CIM_UINT16 | CIM_CHAR16 => 0xFFFF,
        CIM_UINT32 => 0xFFFF_FFFF,
        CIM_UINT64 => 0xFFFF_FFFF_FFFF_FFFF,
        _ => return number.into(),
    };
    i128::from(number) & mask
}

/// Reads a string; numbers of 64 bits and references travel as one.
fn text(text: &str, cim_type: i32, budget: &mut Budget) -> Result<Value, WmiError> {
    budget.spend_bytes(text.len())?;
    let value = match CIMTYPE_ENUMERATION(cim_type) {
        CIM_UINT64 | CIM_SINT64 => text.trim().parse().ok().map(Value::Integer),
        CIM_REFERENCE => ObjectPath::parse(text).map(Value::Reference),
        _ => None,
    };
    Ok(value.unwrap_or_else(|| Value::Text(text.to_owned())))
}

/// Reads an instance inside another.
fn object(object: Option<&IUnknown>, budget: &mut Budget) -> Result<Value, WmiError> {
    let Some(object) = object else {
        return Ok(Value::Null);
    };
    let object: IWbemClassObject = object.cast().map_err(|error| {
        let what = format!(
            "the host sent an object that is no instance: {}",
            error.message()
        );
        WmiError::new(WmiErrorKind::Protocol, what)
    })?;
    class_object::read(&object, budget).map(|instance| Value::Instance(Box::new(instance)))
}

#[cfg(test)]
mod tests {
    use windows::Win32::System::Wmi::{CIM_OBJECT, CIM_SINT32, CIM_STRING};
    use windows::core::BSTR;

    use super::*;
    use crate::com::apartment::Apartment;
    use crate::com::safe_array::SafeArray;

    fn read(variant: impl Into<VARIANT>, cim_type: CIMTYPE_ENUMERATION) -> Value {
        value(&variant.into(), cim_type.0, &mut Budget::new()).unwrap()
    }

    #[test]
    fn the_type_decides_what_a_number_means() {
        assert_eq!(read(-1_i32, CIM_UINT32), Value::Integer(0xFFFF_FFFF));
        assert_eq!(read(-1_i32, CIM_SINT32), Value::Integer(-1));
        assert_eq!(read(-1_i16, CIM_UINT16), Value::Integer(0xFFFF));
        assert_eq!(read(VARIANT::default(), CIM_UINT32), Value::Null);
        let large = BSTR::from("18446744073709551615");
        assert_eq!(read(large.clone(), CIM_UINT64), Value::from(u64::MAX));
        assert_eq!(read(large, CIM_STRING), Value::from("18446744073709551615"));
    }

    #[test]
    fn a_text_that_is_no_number_or_path_stays_a_text() {
        for cim_type in [CIM_UINT64, CIM_REFERENCE] {
            assert_eq!(read(BSTR::from("a b"), cim_type), Value::from("a b"));
        }
    }

    #[test]
    fn an_array_larger_than_the_limit_is_refused() {
        let length = crate::limits::VALUES_MAX + 1;
        let array = SafeArray::new(VT_UI1, length).unwrap().into_variant();
        let cim_type = CIM_UINT8.0 | CIM_FLAG_ARRAY.0;
        let error = value(&array, cim_type, &mut Budget::new()).unwrap_err();
        assert_eq!(error.kind(), WmiErrorKind::TooLarge);
    }

    #[test]
    fn instances_inside_others_are_read() {
        let _alone = crate::com::tests::WINE.lock();
        let mut com = Apartment::enter("HV1").unwrap();
        let path = ObjectPath::new(crate::CIMV2, "Win32_LogicalDisk").with_key("DeviceID", "C:");
        let disk = com.get_object(&path).unwrap();
        let unknown: IUnknown = disk.cast().unwrap();
        let Value::Instance(read) = read(unknown.clone(), CIM_OBJECT) else {
            panic!("not an instance");
        };
        assert_eq!(read.text("DeviceID").as_deref(), Some("C:"));

        let mut array = SafeArray::new(VT_UNKNOWN, 2).unwrap();
        array.put(0, &unknown.into()).unwrap();
        let array = array.into_variant();
        let cim_type = CIM_OBJECT.0 | CIM_FLAG_ARRAY.0;
        let values = value(&array, cim_type, &mut Budget::new()).unwrap();
        assert_eq!(
            values,
            Value::List(vec![Value::Instance(read), Value::Null])
        );
    }
}
