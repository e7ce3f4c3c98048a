//! Opens any disk image or chain from its path; creates, converts and checks images.
