//! Garbage collection.

mod basics;
mod site;
