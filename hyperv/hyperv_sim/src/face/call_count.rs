//! How much a session was asked: the measure of "a bounded number of calls per VM".

use std::collections::BTreeMap;

/// What a session was asked so far. Faults count like any other call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallCount {
    /// Queries.
    pub queries: u64,
    /// Gets of one instance.
    pub gets: u64,
    /// Methods called, by name.
    pub methods: BTreeMap<String, u64>,
    /// Instances handed out by queries and gets.
    pub instances: u64,
}

impl CallCount {
    /// Returns the number of all calls.
    pub fn calls(&self) -> u64 {
        self.queries + self.gets + self.invokes()
    }

    /// Returns the number of methods called.
    pub fn invokes(&self) -> u64 {
        self.methods.values().sum()
    }

    /// Returns how often a method was called.
    pub fn of(&self, method: &str) -> u64 {
        self.methods.get(method).copied().unwrap_or(0)
    }
}
