//! Copies all files out of a raw image of one volume: `copy_out IMAGE FOLDER`, to see how quick it is.

#![expect(clippy::print_stdout, reason = "it is for people")]
#![expect(clippy::unwrap_used, reason = "it is an example")]

use std::fs::{self, File};
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use block_io::{BlockDevice, LayeredDisk, OsFile};
use disk_image::RawLayer;
use guest_files::{GuestFileSystem, NodeId, NodeKind, OpenOptions, open_file_system};
use volume_map::volume_map;

fn main() {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [image, folder] = &arguments[..] else {
        println!("copy_out IMAGE FOLDER");
        return;
    };
    let begun = Instant::now();
    let file = Arc::new(OsFile::open(image).unwrap());
    let disk = LayeredDisk::new(vec![Arc::new(RawLayer::open(file).unwrap())]).unwrap();
    let disk: Arc<dyn BlockDevice> = Arc::new(disk);
    let content = volume_map(&*disk).unwrap().partitions[0].content;
    let files = open_file_system(disk, content, OpenOptions::default()).unwrap();
    let (mut count, mut bytes) = (0, 0);
    copy(&*files, files.root(), folder, &mut count, &mut bytes);
    println!(
        "{count} files, {bytes} bytes in {:.3} s",
        begun.elapsed().as_secs_f64()
    );
}

fn copy(files: &dyn GuestFileSystem, id: NodeId, to: &Path, count: &mut u64, bytes: &mut usize) {
    fs::create_dir_all(to).unwrap();
    let mut entries = Vec::new();
    files
        .list(id, &mut |name, id| {
            entries.push((name, id));
            ControlFlow::Continue(())
        })
        .unwrap();
    let mut buf = vec![0; 1 << 20];
    for (name, id) in entries {
        let to = to.join(name.to_string());
        match files.node(id).unwrap().kind {
            NodeKind::Folder => copy(files, id, &to, count, bytes),
            NodeKind::File => {
                let file = files.open(id, None).unwrap();
                let mut out = File::create(&to).unwrap();
                let mut at = 0;
                loop {
                    let read = file.read_at(at, &mut buf).unwrap();
                    out.write_all(&buf[..read]).unwrap();
                    at += read as u64;
                    *bytes += read;
                    if read < buf.len() {
                        break;
                    }
                }
                *count += 1;
            }
            _ => {}
        }
    }
}
