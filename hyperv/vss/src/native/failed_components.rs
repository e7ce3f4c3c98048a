//! Which components of a writer failed, where only some did.

use std::ffi::c_void;

use uuid::Uuid;
use windows_core::{BSTR, HRESULT, IUnknown, Interface};

use super::bindings::{
    IVssBackupComponents, IVssComponent, IVssComponentEx2, IVssWriterComponentsExt,
};
use super::foreign_text::{guid, of_bstr, uuid};

/// The most components that are looked at.
const COUNT_MAX: u32 = 65_536;

/// Returns the names of a writer's components that failed, and their codes.
///
/// What cannot be told is left out: that a writer failed in part is told already, and who asks
/// without names takes all of its components for failed.
pub(super) fn failed_components(
    vss: &IVssBackupComponents,
    instance: Uuid,
    writer: Uuid,
) -> Vec<(String, u32)> {
    // SAFETY: a plain call.
    let count = unsafe { vss.GetWriterComponentsCount() }.unwrap_or_default();
    let components = (0..count.min(COUNT_MAX)).filter_map(|at| {
        // SAFETY: a plain call.
        let writer = unsafe { vss.GetWriterComponents(at) }.ok()?;
        Some(WriterComponents(writer))
    });
    components
        .filter(|components| components.is_of(instance, writer))
        .flat_map(|components| components.failures())
        .collect()
}

/// The components of one writer that take part in the backup.
struct WriterComponents(IVssWriterComponentsExt);

impl WriterComponents {
    fn is_of(&self, instance: Uuid, writer: Uuid) -> bool {
        let (mut own_instance, mut own_writer) = (guid(Uuid::nil()), guid(Uuid::nil()));
        // SAFETY: both places are for answers.
        let code = unsafe {
            self.0
                .GetWriterInfo(&raw mut own_instance, &raw mut own_writer)
        };
        code.is_ok() && (uuid(own_instance), uuid(own_writer)) == (instance, writer)
    }

    fn failures(&self) -> Vec<(String, u32)> {
        // SAFETY: plain calls.
        let count = unsafe { self.0.GetComponentCount() }.unwrap_or_default();
        (0..count.min(COUNT_MAX))
            // SAFETY: as above.
            .filter_map(|at| unsafe { self.0.GetComponent(at) }.ok())
            .filter_map(|component| failure(&component))
            .collect()
    }
}

impl Drop for WriterComponents {
    /// `IVssWriterComponentsExt` has two bases, of which the first has no `Release`: the pointer to
    /// the table of the second, `IUnknown`, lies right behind that of the first.
    ///
    /// Contract: 5.4 [M]
    fn drop(&mut self) {
        let first: *mut c_void = self.0.as_raw();
        // SAFETY: the object begins with the two pointers. This gives back the one reference that
        // came with `GetWriterComponents`.
        unsafe {
            let second = first.cast::<*mut c_void>().add(1).cast::<c_void>();
            drop(IUnknown::from_raw(second));
        }
    }
}

/// Returns a component's name and the code that its writer gave it, if that is a failure.
fn failure(component: &IVssComponent) -> Option<(String, u32)> {
    let later: IVssComponentEx2 = component.cast().ok()?;
    let (mut code, mut own) = (HRESULT(0), HRESULT(0));
    let (mut message, mut reserved) = (BSTR::new(), 0);
    // SAFETY: all places are for answers; the string is ours afterwards.
    let asked = unsafe {
        later.GetFailure(
            &raw mut code,
            &raw mut own,
            &raw mut message,
            &raw mut reserved,
        )
    };
    if asked.is_err() || !code.is_err() {
        return None;
    }
    // SAFETY: a plain call; the string is ours.
    let name = unsafe { component.GetComponentName() }.ok()?;
    Some((of_bstr(&name), code.0.cast_unsigned()))
}
