//! Opens any disk image or chain from its path; creates, converts and checks images.
#![forbid(unsafe_code)]

mod chain;
mod convert;
mod copy;
mod description;
mod disk_image;
mod extent_map;
mod image_format;
mod image_layer;
mod new_content;
mod new_image_file;
mod new_raw;
mod output_file;
mod parent_search;
mod path_index;
mod raw_layer;
mod root_folder;
mod windows_path;
mod zero_run;

pub use convert::convert;
pub use copy::{CopyObserver, CopyReport, copy};
pub use description::{ChainFile, Description};
pub use disk_image::{DiskImage, OpenOptions, open};
pub use extent_map::{ExtentMap, MappedExtent, map};
pub use image_format::ImageFormat;
pub use new_image_file::{NewImageFile, NewImageOptions, create};
pub use path_index::{PathIndex, PathLookup};
pub use raw_layer::RawLayer;
pub use windows_path::WindowsPath;
