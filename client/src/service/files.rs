//! Files that nobody else may read, replaced whole or not at all.

use anyhow::Context as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use uuid::Uuid;

/// Makes `path` and what is above it, for the owner only.
pub fn private_dir(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        return Ok(()); // one look instead of a system call for each part of the path
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| {
        format!("cannot make the directory {}: check its permissions, or set XDG_STATE_HOME", path.display())
    })
}

/// Held until it is dropped, against other processes that do the same.
pub fn lock(path: &Path) -> anyhow::Result<File> {
    let lock = open_lock(path)?;
    lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(lock)
}

/// The same, for the caller to lock.
pub fn open_lock(path: &Path) -> anyhow::Result<File> {
    private_dir(path.parent().unwrap_or(Path::new(".")))?;
    let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    lock.with_context(|| format!("cannot write {}: check its permissions", path.display()))
}

/// A new file of ours under a name that nobody has; renamed into place when it is complete.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Writes `bytes` beside `path`, to the disk, and renames: readers see the old file or the new one, even after a crash.
pub fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    private_dir(dir)?;
    let tmp = dir.join(format!(".{}.tmp", Uuid::new_v4()));
    let written = create_private(&tmp).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&tmp, path)?;
        sync_dir(dir)
    });
    if written.is_err() {
        let _ = fs::remove_file(&tmp);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Whether a file can be made in `dir`, which is made if need be.
pub fn check_writable(dir: &Path) -> anyhow::Result<()> {
    private_dir(dir)?;
    let tmp = dir.join(format!(".{}.tmp", Uuid::new_v4()));
    let made = create_private(&tmp).and_then(|_| fs::remove_file(&tmp));
    made.with_context(|| format!("cannot write in {}: check its permissions and free space", dir.display()))
}

/// Makes renames and new names in `dir` survive a crash.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The whole file, or `None` when there is none.
pub fn read_if_there(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("cannot read {}: check its permissions", path.display()))
        }
    }
}
