//! The disk of the benchmark, and the same disk a day later.
//!
//! Four GiB of ext4: the machine's programs and libraries, its text, 700 MiB that do not compress, a
//! database of 8 KiB pages, and the programs a second time. A day later about a hundred places have
//! small writes, 20 MiB are new and 10 MiB are zeroed. Everything random comes from a seed; the
//! machine's own files make the rest, so figures of two machines do not compare, ratios do.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::create_folder;
use super::measure::{self, Randomness};

const MIB: u64 = 1 << 20;
/// Changes whenever the generator does, so that an old image is not taken for a new one.
const GENERATION: &str = "image 1\n";
const DATABASE_PAGE_BYTES: usize = 8192;

/// The four files of the benchmark.
pub(crate) struct Image {
    /// Day one as VHDX, and its content as a raw file.
    pub(crate) first: PathBuf,
    pub(crate) first_raw: PathBuf,
    /// Day two.
    pub(crate) second: PathBuf,
    pub(crate) second_raw: PathBuf,
    /// What the guest sees as the disk's size.
    pub(crate) disk_bytes: u64,
}

impl Image {
    /// Makes the image below `work`, unless it is there. `scale` divides every size.
    pub(crate) fn prepare(work: &Path, scale: u64) -> Result<Image, String> {
        let folder = work.join("image");
        create_folder(&folder)?;
        let image = Image {
            first: folder.join("disk.vhdx"),
            first_raw: folder.join("disk.raw"),
            second: folder.join("disk2.vhdx"),
            second_raw: folder.join("disk2.raw"),
            disk_bytes: 4096 * MIB / scale,
        };
        let marker = folder.join("generation");
        if std::fs::read_to_string(&marker).is_ok_and(|text| text == GENERATION) {
            return Ok(image);
        }
        println!("making the image in {}", folder.display());
        let tree = folder.join("tree");
        let made = image
            .make(&tree, scale)
            .map_err(|error| format!("cannot make the image: {error}"));
        // The tree goes in either case: it is as large as the disk.
        let removed = std::fs::remove_dir_all(&tree);
        made?;
        removed
            .and_then(|()| std::fs::write(&marker, GENERATION))
            .map_err(|e| e.to_string())?;
        Ok(image)
    }

    /// Puts `version` where the tools look for the disk: a new inode each time, so that no tool
    /// takes it for the file that it knows. Reads it once: every tool finds the same warm cache.
    pub(crate) fn present(&self, version: &Path, source: &Path) -> Result<(), String> {
        let present = || -> std::io::Result<()> {
            if source.exists() {
                std::fs::remove_file(source)?;
            }
            std::fs::hard_link(version, source)?;
            std::io::copy(&mut File::open(version)?, &mut std::io::sink())?;
            Ok(())
        };
        present().map_err(|error| format!("cannot present {}: {error}", version.display()))?;
        measure::settle();
        Ok(())
    }

    fn make(&self, tree: &Path, scale: u64) -> Result<(), String> {
        fill_tree(tree, scale).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-d"])
            .arg(tree)
            .arg(&self.first_raw)
            .arg(format!("{}K", self.disk_bytes / 1024)))?;
        run(Command::new("cp")
            .arg("--sparse=always")
            .arg(&self.first_raw)
            .arg(&self.second_raw))?;
        change(&self.second_raw, self.disk_bytes, scale).map_err(|error| error.to_string())?;
        for (raw, vhdx) in [
            (&self.first_raw, &self.first),
            (&self.second_raw, &self.second),
        ] {
            run(Command::new("qemu-img")
                .args([
                    "convert",
                    "-f",
                    "raw",
                    "-O",
                    "vhdx",
                    "-o",
                    "subformat=dynamic",
                ])
                .arg(raw)
                .arg(vhdx))?;
        }
        Ok(())
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{program} failed: {status}"))
    }
}

fn fill_tree(tree: &Path, scale: u64) -> std::io::Result<()> {
    let budget = |mebibytes: u64| mebibytes * MIB / scale;
    let any = |_: &Path| true;
    let library = |path: &Path| path.to_string_lossy().contains(".so");
    copy_files(
        Path::new("/usr/bin"),
        &tree.join("os/bin"),
        budget(500),
        any,
    )?;
    copy_files(
        Path::new("/usr/share"),
        &tree.join("os/share"),
        budget(750),
        any,
    )?;
    copy_files(
        Path::new("/usr/lib"),
        &tree.join("os/lib"),
        budget(600),
        library,
    )?;
    copy_files(
        Path::new("/usr/bin"),
        &tree.join("dup/bin"),
        budget(500),
        any,
    )?;
    let data = tree.join("data");
    std::fs::create_dir_all(&data)?;
    for part in 0..7 {
        let mut random = Randomness::new(&format!("incompressible {part}"));
        let mut file = File::create(data.join(format!("rand{part}.bin")))?;
        let mut block = vec![0; 1 << 20];
        for _ in 0..100 / scale {
            random.fill(&mut block);
            file.write_all(&block)?;
        }
    }
    write_database(&data.join("db.mdf"), 300 * 128 / scale)
}

/// Copies regular files, in the order of their names, until `budget` bytes are copied.
fn copy_files(
    from: &Path,
    to: &Path,
    budget: u64,
    wanted: impl Fn(&Path) -> bool,
) -> std::io::Result<()> {
    let mut left = budget;
    let mut folders = vec![from.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = folder.read_dir()?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, data) = (entry.path(), entry.metadata()?);
            if data.is_dir() {
                folders.push(path);
            } else if data.is_file() && wanted(&path) && data.len() <= left {
                let target = to.join(path.strip_prefix(from).unwrap_or(&path));
                std::fs::create_dir_all(target.parent().unwrap_or(to))?;
                std::fs::copy(&path, &target)?;
                left -= data.len();
            }
        }
    }
    Ok(())
}

/// Pages of a table: a header, then rows of text and numbers, then a little room.
fn write_database(path: &Path, pages: u64) -> std::io::Result<()> {
    let mut random = Randomness::new("database");
    let mut file = BufWriter::new(File::create(path)?);
    for page in 0..pages {
        let mut body = Vec::with_capacity(DATABASE_PAGE_BYTES);
        body.extend_from_slice(&page.to_le_bytes());
        body.extend_from_slice(&random.below(u64::MAX).to_le_bytes());
        body.resize(96, 0);
        while body.len() < 7900 {
            let row = page * 40 + u64::try_from(body.len()).unwrap_or_default();
            body.extend_from_slice(&row.to_le_bytes());
            let customer = random.below(1_000_000);
            body.extend_from_slice(format!("customer-{customer:06};status=active;").as_bytes());
            let mut noise = [0; 32];
            random.fill(&mut noise);
            body.extend_from_slice(&noise);
        }
        body.resize(DATABASE_PAGE_BYTES, 0);
        file.write_all(&body)?;
    }
    file.flush()
}

/// A day's work: small writes that cluster, a new file, a deleted one.
fn change(path: &Path, disk_bytes: u64, scale: u64) -> std::io::Result<()> {
    let mut random = Randomness::new("day two");
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut put = |offset: u64, bytes: &[u8]| -> std::io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    };
    for _ in 0..100 / scale {
        let base = random.below(disk_bytes - 16 * MIB) & !4095;
        for _ in 0..8 + random.below(17) {
            let length = [4096, 4096, 8192, 16384, 32768, 65536][random.index(6)];
            let mut bytes = vec![0; length];
            if random.below(2) == 0 {
                random.fill(&mut bytes);
            } else {
                let user = random.below(100_000);
                let line = format!("log line {} status=ok user={user}\n", random.below(1 << 30));
                line.as_bytes()
                    .iter()
                    .cycle()
                    .zip(&mut bytes)
                    .for_each(|(from, to)| *to = *from);
            }
            put(base + (random.below(8 * MIB) & !4095), &bytes)?;
        }
    }
    let mut new = vec![0; usize::try_from(20 * MIB / scale).unwrap_or_default()];
    random.fill(&mut new);
    put((disk_bytes / 1000 * 925) & !4095, &new)?;
    new.truncate(new.len() / 2);
    new.fill(0);
    put((disk_bytes / 4) & !4095, &new)?;
    file.sync_all()
}

/// Offsets of 4 KiB blocks of `file` that hold something: what holds nothing is answered without
/// being read, and would flatter whoever knows it.
pub(crate) fn random_offsets(file: &Path, count: usize) -> std::io::Result<Vec<u64>> {
    random_offsets_named("random reads", file, count)
}

/// Other offsets for each name.
pub(crate) fn random_offsets_named(
    name: &str,
    file: &Path,
    count: usize,
) -> std::io::Result<Vec<u64>> {
    let mut random = Randomness::new(name);
    let mut file = File::open(file)?;
    let blocks = file.metadata()?.len() / 4096;
    let mut offsets = Vec::with_capacity(count);
    let mut block = [0; 4096];
    while offsets.len() < count {
        let offset = random.below(blocks) * 4096;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut block)?;
        if block != [0; 4096] {
            offsets.push(offset);
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_days_changes_are_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let changed = |name: &str| {
            let path = folder.path().join(name);
            File::create(&path).unwrap().set_len(64 * MIB).unwrap();
            change(&path, 64 * MIB, 8).unwrap();
            std::fs::read(&path).unwrap()
        };
        let first = changed("a");
        let dirty = first.iter().filter(|byte| **byte != 0).count();
        assert!(dirty > 3 << 20 && dirty < 12 << 20, "{dirty}");
        assert!(first == changed("b"));
    }

    #[test]
    fn files_are_copied_until_the_budget_is_spent() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir_all(from.join("deep")).unwrap();
        std::fs::write(from.join("a"), [1; 60]).unwrap();
        std::fs::write(from.join("b"), [1; 60]).unwrap();
        std::fs::write(from.join("deep/c"), [1; 40]).unwrap();
        copy_files(&from, &to, 100, |_| true).unwrap();
        assert!(to.join("a").exists() && to.join("deep/c").exists());
        assert!(!to.join("b").exists());
    }

    #[test]
    fn the_database_has_whole_pages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        write_database(&path, 3).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 3 * 8192);
    }

    #[test]
    fn random_offsets_hold_something() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let mut content = vec![0; 64 * 4096];
        content[4096 * 7] = 1;
        std::fs::write(&path, &content).unwrap();
        assert_eq!(random_offsets(&path, 3).unwrap(), [4096 * 7; 3]);
    }
}
