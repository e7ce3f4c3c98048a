//! What is left out is nothing that anybody needs, says whoever made the file system.

mod ext;
mod images;
mod ntfs;
