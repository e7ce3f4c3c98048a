//! Clusters of simulated hosts.

mod fixture;
mod methods;
mod moves;
mod nodes;
mod ownership;
mod persistence;
mod snapshots;
mod storage;
mod surprises;
