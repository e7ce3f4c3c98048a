//! Where a repository's bytes lie: create-once, durable, listed, read by range.
