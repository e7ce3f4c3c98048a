//! VHD version 1: fixed, dynamic and differencing disks.
