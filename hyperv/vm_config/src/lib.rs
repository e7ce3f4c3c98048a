//! Hyper-V VM configuration: .vmcx and .xml into one typed configuration.
