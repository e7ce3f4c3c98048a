//! Garbage collection.

mod basics;
mod model;
mod rewriting;
mod site;
mod writers;
