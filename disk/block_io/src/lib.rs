//! Block devices, extents, layers and image files: what every disk in Lifeboat is made of.
