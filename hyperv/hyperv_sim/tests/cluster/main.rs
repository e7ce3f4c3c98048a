//! Clusters of simulated hosts.

mod fixture;
mod ownership;
