//! Repository chores: tidy, bench.
fn main() {}
