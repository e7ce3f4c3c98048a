//! Names of levels.

pub(super) const LINEAR: i32 = -1;

/// Returns what `/proc/mdstat` calls a level.
pub(super) fn name(level: i32) -> String {
    match level {
        LINEAR => "linear".to_owned(),
        -4 => "multipath".to_owned(),
        -5 => "faulty".to_owned(),
        -10 => "container".to_owned(),
        level => format!("raid{level}"),
    }
}
