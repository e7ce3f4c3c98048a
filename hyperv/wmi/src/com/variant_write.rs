//! [`Value`]s as `VARIANT`s, of the type that a method's definition says.

use windows::Win32::Foundation::SysAllocStringLen;
use windows::Win32::System::Variant::{
    VARENUM, VARIANT, VT_BOOL, VT_BSTR, VT_I2, VT_I4, VT_R4, VT_R8, VT_UI1,
};
use windows::Win32::System::Wmi::{
    CIM_BOOLEAN, CIM_CHAR16, CIM_DATETIME, CIM_FLAG_ARRAY, CIM_REAL32, CIM_REAL64, CIM_REFERENCE,
    CIM_SINT8, CIM_SINT16, CIM_SINT32, CIM_SINT64, CIM_STRING, CIM_UINT8, CIM_UINT16, CIM_UINT32,
    CIM_UINT64, CIMTYPE_ENUMERATION,
};
use windows::core::BSTR;

use super::safe_array::SafeArray;
use crate::{ObjectPath, Value};

/// Why a value is not one of a CIM type; completes "the parameter X …".
pub(super) type Mismatch = String;

/// Makes the variant of a parameter of a CIM type. References that do not say their host are on
/// `host`.
pub(super) fn variant(value: &Value, cim_type: i32, host: &str) -> Result<VARIANT, Mismatch> {
    if cim_type & CIM_FLAG_ARRAY.0 == 0 {
        return one(value, CIMTYPE_ENUMERATION(cim_type), host);
    }
    let item_type = CIMTYPE_ENUMERATION(cim_type & !CIM_FLAG_ARRAY.0);
    let values = value.items();
    let mut array =
        SafeArray::new(variant_type(item_type)?, values.len()).map_err(|error| error.message())?;
    for (at, value) in values.iter().enumerate() {
        let element = one(value, item_type, host)?;
        array.put(at, &element).map_err(|error| error.message())?;
    }
    Ok(array.into_variant())
}

/// Returns what a `VARIANT` holds for a CIM type ("Numbers" in the WMI reference).
fn variant_type(cim_type: CIMTYPE_ENUMERATION) -> Result<VARENUM, Mismatch> {
    Ok(match cim_type {
        CIM_BOOLEAN => VT_BOOL,
        CIM_UINT8 => VT_UI1,
        CIM_SINT8 | CIM_SINT16 | CIM_CHAR16 => VT_I2,
        CIM_SINT32 | CIM_UINT16 | CIM_UINT32 => VT_I4,
        CIM_REAL32 => VT_R4,
        CIM_REAL64 => VT_R8,
        CIM_SINT64 | CIM_UINT64 | CIM_STRING | CIM_DATETIME | CIM_REFERENCE => VT_BSTR,
        other => {
            return Err(format!(
                "is of the CIM type {}, which is not supported",
                other.0
            ));
        }
    })
}

fn one(value: &Value, cim_type: CIMTYPE_ENUMERATION, host: &str) -> Result<VARIANT, Mismatch> {
    match cim_type {
        CIM_BOOLEAN => Ok(value
            .to_bool()
            .ok_or_else(|| no(value, "a truth value"))?
            .into()),
        CIM_UINT8 => Ok(number::<u8>(value)?.into()),
        CIM_SINT8 => Ok(i16::from(number::<i8>(value)?).into()),
        CIM_SINT16 => Ok(number::<i16>(value)?.into()),
        CIM_CHAR16 => Ok(number::<u16>(value)?.cast_signed().into()),
        CIM_UINT16 => Ok(i32::from(number::<u16>(value)?).into()),
        CIM_SINT32 => Ok(number::<i32>(value)?.into()),
        CIM_UINT32 => Ok(number::<u32>(value)?.cast_signed().into()),
        CIM_SINT64 => Ok(text(&number::<i64>(value)?.to_string())),
        CIM_UINT64 => Ok(text(&number::<u64>(value)?.to_string())),
        CIM_REAL32 => Ok(real::<f32>(value)?.into()),
        CIM_REAL64 => Ok(real::<f64>(value)?.into()),
        CIM_REFERENCE => match value.to_reference() {
            Some(path) => Ok(text(&reference(path, host))),
            None => Err(no(value, "a reference")),
        },
        CIM_STRING | CIM_DATETIME => {
            let given = value.to_text().ok_or_else(|| no(value, "a text"))?;
            Ok(text(&given))
        }
        other => variant_type(other).map(|_| VARIANT::default()),
    }
}

/// Makes a string, also an empty one: `BSTR::from("")` is null, which WMI may read as no value.
fn text(text: &str) -> VARIANT {
    if text.is_empty() {
        // SAFETY: a plain call, which returns a string of its own.
        return unsafe { SysAllocStringLen(Some(&[])) }.into();
    }
    BSTR::from(text).into()
}

/// Writes a reference as WMI's own `__PATH` does, with host and namespace. Providers read these
/// themselves, so nothing shorter is tried.
fn reference(path: ObjectPath, host: &str) -> String {
    if path.host().is_none() && !path.namespace().is_empty() {
        return path.on_host(host).to_string();
    }
    path.to_string()
}

fn number<T: TryFrom<i128>>(value: &Value) -> Result<T, Mismatch> {
    let number = value.to_integer().or(match value {
        Value::Bool(truth) => Some(i128::from(*truth)),
        _ => None,
    });
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| no(value, std::any::type_name::<T>()))
}

fn real<T: std::str::FromStr>(value: &Value) -> Result<T, Mismatch> {
    let text = value.to_text();
    text.and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| no(value, "a number"))
}

fn no(value: &Value, expected: &str) -> Mismatch {
    let found = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Integer(_) => "a number",
        Value::Text(_) => "a text",
        Value::Reference(_) => "a reference",
        Value::Instance(_) => "an instance",
        Value::List(_) => "an array",
    };
    format!("takes {expected} and was given {found} that is none")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::com::budget::Budget;
    use crate::com::variant_read;

    fn there_and_back(value: impl Into<Value>, cim_type: i32) -> Value {
        let value = value.into();
        let written = variant(&value, cim_type, "HV1")
            .unwrap_or_else(|why| panic!("{value:?} as {cim_type} {why}"));
        variant_read::value(&written, cim_type, &mut Budget::new()).unwrap()
    }

    #[test]
    fn the_ends_of_each_type_come_back() {
        let ends: [(CIMTYPE_ENUMERATION, i128, i128); 9] = [
            (CIM_UINT8, 0, u8::MAX.into()),
            (CIM_SINT8, i8::MIN.into(), i8::MAX.into()),
            (CIM_UINT16, 0, u16::MAX.into()),
            (CIM_CHAR16, 0, u16::MAX.into()),
            (CIM_SINT16, i16::MIN.into(), i16::MAX.into()),
            (CIM_UINT32, 0, u32::MAX.into()),
            (CIM_SINT32, i32::MIN.into(), i32::MAX.into()),
            (CIM_UINT64, 0, u64::MAX.into()),
            (CIM_SINT64, i64::MIN.into(), i64::MAX.into()),
        ];
        for (cim_type, least, most) in ends {
            for number in [least, -i128::from(least < 0), 0, 1, most] {
                let value = Value::Integer(number);
                assert_eq!(
                    there_and_back(value.clone(), cim_type.0),
                    value,
                    "{cim_type:?}"
                );
                let from_text = there_and_back(number.to_string(), cim_type.0);
                assert_eq!(from_text, value, "{cim_type:?} from text");
            }
            for beyond in [least - 1, most + 1] {
                let error = variant(&Value::Integer(beyond), cim_type.0, "HV1");
                assert!(error.is_err(), "{beyond} as {cim_type:?}");
            }
        }
    }

    #[test]
    fn texts_truths_and_references_come_back() {
        for text in ["", "a", "C:\\Füße\\𝄞.vhdx", "<INSTANCE CLASSNAME=\"X\"/>"] {
            assert_eq!(there_and_back(text, CIM_STRING.0), Value::from(text));
        }
        for truth in [false, true] {
            assert_eq!(there_and_back(truth, CIM_BOOLEAN.0), Value::Bool(truth));
        }
        assert_eq!(there_and_back("TRUE", CIM_BOOLEAN.0), Value::Bool(true));
        assert_eq!(there_and_back("1.5", CIM_REAL64.0), Value::from("1.5"));
        let path = ObjectPath::new(crate::VIRTUALIZATION, "Msvm_X").with_key("InstanceID", "a\\b");
        let Value::Reference(read) = there_and_back(path.clone(), CIM_REFERENCE.0) else {
            panic!("not a reference");
        };
        assert_eq!(read, path);
        assert_eq!(read.host(), Some("HV1"));
    }

    #[test]
    fn an_empty_text_is_a_text_and_not_null() {
        let empty = variant(&Value::from(""), CIM_STRING.0, "HV1").unwrap();
        // SAFETY: the variant holds a string; its pointer is only compared.
        let pointer = unsafe { empty.Anonymous.Anonymous.Anonymous.byref };
        assert!(!pointer.is_null());
    }

    #[test]
    fn arrays_come_back_in_order() {
        let array = |cim_type: CIMTYPE_ENUMERATION| cim_type.0 | CIM_FLAG_ARRAY.0;
        let texts = Value::from(vec!["C:\\a.vhdx", "", "b"]);
        assert_eq!(there_and_back(texts.clone(), array(CIM_STRING)), texts);
        let numbers = Value::List(vec![Value::Integer(0), Value::Integer(u64::MAX.into())]);
        assert_eq!(there_and_back(numbers.clone(), array(CIM_UINT64)), numbers);
        for cim_type in [
            CIM_UINT8, CIM_SINT8, CIM_UINT16, CIM_SINT16, CIM_UINT32, CIM_SINT32,
        ] {
            let numbers = Value::from(vec![7_u8, 0, 127]);
            assert_eq!(there_and_back(numbers.clone(), array(cim_type)), numbers);
        }
        let high = Value::from(vec![u32::MAX, 1]);
        assert_eq!(there_and_back(high.clone(), array(CIM_UINT32)), high);
        let truths = Value::from(vec![true, false]);
        assert_eq!(there_and_back(truths.clone(), array(CIM_BOOLEAN)), truths);
        let none = Value::List(Vec::new());
        assert_eq!(there_and_back(none.clone(), array(CIM_STRING)), none);
        // One value is an array of one.
        let one = there_and_back("a", array(CIM_STRING));
        assert_eq!(one, Value::from(vec!["a"]));
    }

    #[test]
    fn what_does_not_fit_its_type_is_refused() {
        let instance = Value::Instance(Box::default());
        for (value, cim_type) in [
            (Value::from("many"), CIM_UINT32),
            (Value::from("maybe"), CIM_BOOLEAN),
            (Value::from(vec![1_u8]), CIM_UINT8),
            (Value::from("no path \""), CIM_REFERENCE),
            (instance.clone(), CIM_STRING),
            (instance, windows::Win32::System::Wmi::CIM_OBJECT),
        ] {
            assert!(variant(&value, cim_type.0, "HV1").is_err(), "{value:?}");
        }
    }
}
