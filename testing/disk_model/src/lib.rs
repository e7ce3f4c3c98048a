//! A flat model of a disk that every format is compared with, and an image file that crashes on demand.
