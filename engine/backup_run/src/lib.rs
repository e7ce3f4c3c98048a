//! One backup run: the VMs of a host into a repository.
