//! COM's arrays.

use std::mem::ManuallyDrop;

use windows::Win32::Foundation::{E_OUTOFMEMORY, VARIANT_BOOL};
use windows::Win32::System::Com::SAFEARRAY;
use windows::Win32::System::Ole::{
    SafeArrayAccessData, SafeArrayCreateVector, SafeArrayDestroy, SafeArrayGetDim,
    SafeArrayGetElemsize, SafeArrayGetLBound, SafeArrayGetUBound, SafeArrayGetVartype,
    SafeArrayPutElement, SafeArrayUnaccessData,
};
use windows::Win32::System::Variant::{
    VARENUM, VARIANT, VARIANT_0, VARIANT_0_0, VARIANT_0_0_0, VT_ARRAY, VT_BOOL, VT_BSTR, VT_I1,
    VT_I2, VT_I4, VT_R4, VT_R8, VT_UI1, VT_UI2, VT_UI4, VT_UNKNOWN,
};
use windows::core::{BSTR, Error, IUnknown};

use super::budget::Budget;
use crate::{WmiError, WmiErrorKind};

/// An array of one dimension that is ours.
pub(super) struct SafeArray {
    array: *mut SAFEARRAY,
    item: VARENUM,
}

impl SafeArray {
    /// Makes an array of `item`s, all zero.
    pub(super) fn new(item: VARENUM, length: usize) -> Result<Self, Error> {
        let length = u32::try_from(length).map_err(|_| Error::from(E_OUTOFMEMORY))?;
        // SAFETY: a plain call; null says that there is no memory.
        let array = unsafe { SafeArrayCreateVector(item, 0, length) };
        if array.is_null() {
            return Err(E_OUTOFMEMORY.into());
        }
        Ok(Self { array, item })
    }

    /// Sets an element from a variant of the array's type; what it points to is copied.
    pub(super) fn put(&mut self, at: usize, value: &VARIANT) -> Result<(), Error> {
        let at = i32::try_from(at).map_err(|_| Error::from(E_OUTOFMEMORY))?;
        if value.vt() != self.item {
            return Err(windows::Win32::Foundation::DISP_E_TYPEMISMATCH.into());
        }
        // SAFETY: the union holds a value of type `vt`, which is the array's own.
        let content = unsafe { &value.Anonymous.Anonymous.Anonymous };
        let place = if matches!(self.item, VT_BSTR | VT_UNKNOWN) {
            // SAFETY: of strings and objects the call wants the pointer itself, not its place; the
            // variant says that it holds one, and this member reads it as it is, null or not.
            unsafe { content.byref.cast_const() }
        } else {
            std::ptr::from_ref(content).cast()
        };
        // SAFETY: the array is ours, the call checks the index, and `place` holds an element.
        unsafe { SafeArrayPutElement(self.array, &at, place) }
    }

    /// Turns the array into a variant that owns it.
    pub(super) fn into_variant(self) -> VARIANT {
        let this = ManuallyDrop::new(self);
        VARIANT {
            Anonymous: VARIANT_0 {
                Anonymous: ManuallyDrop::new(VARIANT_0_0 {
                    vt: VARENUM(VT_ARRAY.0 | this.item.0),
                    wReserved1: 0,
                    wReserved2: 0,
                    wReserved3: 0,
                    Anonymous: VARIANT_0_0_0 { parray: this.array },
                }),
            },
        }
    }
}

impl Drop for SafeArray {
    fn drop(&mut self) {
        // SAFETY: the array is ours and nobody has it open; a failure could only leak it.
        let _ = unsafe { SafeArrayDestroy(self.array) };
    }
}

/// The elements of a variant's array, as variants.
///
/// Errors: `Protocol` for arrays that WMI does not have, `TooLarge`.
pub(super) fn elements(variant: &VARIANT, budget: &mut Budget) -> Result<Vec<VARIANT>, WmiError> {
    // SAFETY: the callers see to it that the variant is an array, so this member is set.
    let array = unsafe { variant.Anonymous.Anonymous.Anonymous.parray };
    if array.is_null() {
        return Ok(Vec::new());
    }
    let open = OpenArray::new(array).map_err(|error| odd(&error.message()))?;
    budget.spend_values(open.length)?;
    open.variants()
}

fn odd(why: &str) -> WmiError {
    let what = format!("the host sent an array that cannot be read: {why}");
    WmiError::new(WmiErrorKind::Protocol, what)
}

/// An array whose elements are locked in place for reading.
struct OpenArray {
    array: *const SAFEARRAY,
    data: *const std::ffi::c_void,
    length: usize,
}

impl OpenArray {
    /// Opens an array that is not null.
    fn new(array: *const SAFEARRAY) -> Result<Self, Error> {
        // SAFETY: the array lives as long as its variant, which the caller borrows; these calls
        // only read its description.
        let (dimensions, first, last) = unsafe {
            let dimensions = SafeArrayGetDim(array);
            (
                dimensions,
                SafeArrayGetLBound(array, 1)?,
                SafeArrayGetUBound(array, 1)?,
            )
        };
        let length = i64::from(last) - i64::from(first) + 1;
        let length = usize::try_from(length).unwrap_or(0);
        if dimensions != 1 {
            return Err(windows::Win32::Foundation::DISP_E_BADINDEX.into());
        }
        let mut data = std::ptr::null_mut();
        // SAFETY: as above; the lock is given back on drop.
        unsafe { SafeArrayAccessData(array, &mut data)? };
        Ok(Self {
            array,
            data,
            length,
        })
    }

    fn variants(&self) -> Result<Vec<VARIANT>, WmiError> {
        // SAFETY: the array is open.
        let item =
            unsafe { SafeArrayGetVartype(self.array) }.map_err(|error| odd(&error.message()))?;
        match item {
            VT_BOOL => self.each(|truth: &VARIANT_BOOL| truth.as_bool().into()),
            VT_UI1 => self.each(|number: &u8| (*number).into()),
            VT_I1 => self.each(|number: &i8| (*number).into()),
            VT_I2 => self.each(|number: &i16| (*number).into()),
            VT_UI2 => self.each(|number: &u16| (*number).into()),
            VT_I4 => self.each(|number: &i32| (*number).into()),
            VT_UI4 => self.each(|number: &u32| (*number).into()),
            VT_R4 => self.each(|number: &f32| (*number).into()),
            VT_R8 => self.each(|number: &f64| (*number).into()),
            // Copies: the array keeps its own.
            VT_BSTR => self.each(|text: &ManuallyDrop<BSTR>| BSTR::clone(text).into()),
            VT_UNKNOWN => self.each(|object: &ManuallyDrop<Option<IUnknown>>| {
                object
                    .as_ref()
                    .map_or_else(VARIANT::default, |object| object.clone().into())
            }),
            other => Err(odd(&format!("its elements are of type {}", other.0))),
        }
    }

    /// Maps each element. `T` is the type that the array's `VARENUM` stands for.
    fn each<T>(&self, map: impl Fn(&T) -> VARIANT) -> Result<Vec<VARIANT>, WmiError> {
        // SAFETY: the array is open.
        let size = unsafe { SafeArrayGetElemsize(self.array) };
        if usize::try_from(size) != Ok(size_of::<T>()) {
            return Err(odd(&format!("its elements have {size} bytes")));
        }
        if self.length == 0 || self.data.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: the array is open, so `data` holds `length` elements of `size` bytes, which are
        // of type `T`, until `self` is dropped.
        let elements = unsafe { std::slice::from_raw_parts(self.data.cast::<T>(), self.length) };
        Ok(elements.iter().map(map).collect())
    }
}

impl Drop for OpenArray {
    fn drop(&mut self) {
        // SAFETY: gives back the lock that `new` took; there is nothing to do about a failure.
        let _ = unsafe { SafeArrayUnaccessData(self.array) };
    }
}
