//! VHDX version 2: fixed, dynamic and differencing disks, log replay, journaled writes.
