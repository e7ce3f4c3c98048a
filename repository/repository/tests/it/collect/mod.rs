//! Garbage collection.

mod basics;
mod site;
mod writers;
