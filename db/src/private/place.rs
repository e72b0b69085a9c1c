//! The directory of a private PostgreSQL: who owns it, which account the server runs as, and where its socket
//! is.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::process::geteuid;
use sha2::{Digest, Sha256};

use super::Error;

pub(super) const DATA: &str = "postgres";

/// Only names the socket file: nothing listens on TCP.
pub(super) const PORT: u16 = 5432;

/// The address of a Unix socket ends at 103 bytes on macOS and 107 on Linux; the smaller one, so that a
/// directory works on both.
const SOCKET_PATH_MAX_BYTES: usize = 103;

/// Enough for a few lines on how to connect.
const NOTE_MAX_BYTES: u64 = 4096;

/// The account that PostgreSQL runs as when we are root, which it refuses to be.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

/// Exclusive ownership of a directory, for as long as this lives. The kernel releases it however its process
/// ends.
pub(super) struct Lock {
    path: PathBuf,
    file: Mutex<File>,
}

impl Lock {
    pub fn take(directory: &Path) -> Result<Lock, Error> {
        let path = directory.join("lock");
        let failed = |source| Error::io("open", &path, source);
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut note = Vec::new();
                (&mut file).take(NOTE_MAX_BYTES).read_to_end(&mut note).map_err(failed)?;
                let note = String::from_utf8_lossy(&note).trim().to_owned();
                return Err(Error::InUse { directory: directory.to_owned(), note });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path, source)),
        }
        let lock = Lock { path, file: Mutex::new(file) };
        // The note of an owner that was killed would mislead.
        lock.set_note("")?;
        Ok(lock)
    }

    /// Written in place: a new file under the same name would not be the locked one.
    pub fn set_note(&self, note: &str) -> Result<(), Error> {
        let mut file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(note.as_bytes())
        };
        write(&mut file).map_err(|source| Error::io("write", &self.path, source))
    }
}

/// Creates the directory when it is missing and returns its real path. An ordinary user's is private. Root's
/// can be passed through, because PostgreSQL runs as somebody else; what is in it guards itself by its own
/// mode.
pub(super) fn open_directory(directory: &Path) -> Result<PathBuf, Error> {
    let root = geteuid().is_root();
    let failed = |source| Error::io("create", directory, source);
    if !directory.exists() {
        let mode = if root { 0o711 } else { 0o700 };
        DirBuilder::new().recursive(true).mode(mode).create(directory).map_err(failed)?;
    }
    let directory = directory.canonicalize().map_err(failed)?;
    let metadata = directory.metadata().map_err(failed)?;
    // Ours to open up, unlike its parents. A umask or a temporary directory of mode 0700 would keep
    // PostgreSQL out.
    if root && metadata.uid() == 0 && metadata.mode() & 0o001 == 0 {
        let mode = metadata.mode() & 0o7777 | 0o011;
        std::fs::set_permissions(&directory, Permissions::from_mode(mode)).map_err(failed)?;
    }
    Ok(directory)
}

/// None for an ordinary user. As root the owner of the cluster, when there is one: PostgreSQL opens no
/// other's files.
pub(super) fn account(data: &Path) -> Result<Option<Account>, Error> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let passwd = Path::new("/etc/passwd");
    let accounts = std::fs::read_to_string(passwd).map_err(|source| Error::io("read", passwd, source))?;
    if let Ok(metadata) = data.metadata()
        && metadata.uid() != 0
    {
        let (uid, gid) = (metadata.uid(), metadata.gid());
        let name = accounts.lines().filter_map(parse_account).find(|account| account.uid == uid);
        return Ok(Some(Account { name: name.map_or(uid.to_string(), |account| account.name), uid, gid }));
    }
    let named = |name: &str| accounts.lines().filter_map(parse_account).find(|account| account.name == name);
    named("postgres").or_else(|| named("nobody")).map(Some).ok_or(Error::NoAccount)
}

/// `nobody:x:65534:65534:…`; macOS writes nobody's ids as -2, which is the same 32 bits.
fn parse_account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let mut id = || fields.next()?.parse::<i64>().ok().map(|id| id as u32);
    id(); // the password's place: never a number that matters
    let (uid, gid) = (id()?, id()?);
    (uid != 0).then_some(Account { name, uid, gid })
}

/// The first directory on the way to `path` that the account may not pass through, as far as modes tell.
pub(super) fn first_closed(path: &Path, account: &Account) -> Option<PathBuf> {
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    let closed = |path: &&Path| {
        path.metadata().is_ok_and(|metadata| {
            let bit = match (metadata.uid() == account.uid, metadata.gid() == account.gid) {
                (true, _) => 0o100,
                (_, true) => 0o010,
                _ => 0o001,
            };
            metadata.mode() & bit == 0
        })
    };
    ancestors.into_iter().find(closed).map(Path::to_owned)
}

/// Makes an empty 0700 directory for the socket: `run` in the directory, or, when that is too long for an
/// address, a short one whose name follows from the directory's, so that the next start finds and clears it.
pub(super) fn socket_directory(directory: &Path, account: Option<&Account>) -> Result<PathBuf, Error> {
    let hash: String = Sha256::digest(directory.as_os_str().as_encoded_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let short = format!("gaceta-{}-{hash}", geteuid().as_raw());
    // Root's own runtime directory is closed to the account that PostgreSQL runs as.
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| account.is_none()).map(PathBuf::from);
    let runtime = runtime.filter(|directory| directory.is_dir());
    let places = [
        Some(directory.join("run")),
        runtime.map(|place| place.join(&short)),
        Some(Path::new("/tmp").join(&short)),
    ];
    let sockets = places.into_iter().flatten().find(|place| fits_address(place));
    let sockets = sockets.ok_or_else(|| Error::NoSocketPlace { directory: directory.to_owned() })?;
    make_private(&sockets, account)?;
    Ok(sockets)
}

/// Short enough, and of characters that neither a connection string nor PostgreSQL's list of directories
/// gives a meaning.
fn fits_address(place: &Path) -> bool {
    let file = format!("/.s.PGSQL.{PORT}");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    place
        .to_str()
        .is_some_and(|path| path.chars().all(plain) && path.len() + file.len() <= SOCKET_PATH_MAX_BYTES)
}

/// An empty 0700 directory of the server's account. What a killed server left in it would stop the next one
/// when its process id is in use again.
pub(super) fn make_private(path: &Path, account: Option<&Account>) -> Result<(), Error> {
    let failed = |source| Error::io("create", path, source);
    let us = geteuid().as_raw();
    if let Ok(there) = path.symlink_metadata() {
        // In /tmp anybody may have made it, or a link to elsewhere.
        let ours = there.uid() == us || account.is_some_and(|account| account.uid == there.uid());
        if !there.is_dir() || !ours {
            return Err(Error::Foreign { path: path.to_owned() });
        }
        std::fs::remove_dir_all(path).map_err(|source| Error::io("clear", path, source))?;
    }
    DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
    match account {
        Some(account) => std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid)).map_err(failed),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_short_and_plain() {
        assert!(fits_address(Path::new("/var/lib/gaceta/run")));
        assert!(!fits_address(Path::new("/home/ana maría/gaceta/run")));
        assert!(!fits_address(Path::new("/home/a,b/run")));
        assert!(!fits_address(&Path::new("/").join("x".repeat(100))));
    }

    #[test]
    fn accounts_are_read_from_passwd_lines() {
        let account = parse_account("postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash").unwrap();
        assert_eq!((account.name.as_str(), account.uid, account.gid), ("postgres", 101, 104));
        assert_eq!(parse_account("nobody:*:-2:-2:Nobody:/:/usr/bin/false").unwrap().uid, u32::MAX - 1);
        assert!(parse_account("root:x:0:0:root:/root:/bin/bash").is_none());
        assert!(parse_account("+::::::").is_none());
    }
}
