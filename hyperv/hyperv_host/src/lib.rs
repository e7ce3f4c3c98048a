//! A Hyper-V host as backup and restore see it.
