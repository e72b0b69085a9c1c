//! Other package managers on Debian and its kin: a machine that has just started upgrades itself, and apt refuses to
//! work beside that instead of waiting.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Whoever installs packages holds one of these.
const LOCKS: [&str; 3] = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock"];

/// An upgrade in the background takes a minute or two. After that apt itself says who is in the way.
const WAIT_S: u64 = 180;

const LOOK_INTERVAL_MS: u64 = 250;

/// Waits, not without an end, until nobody else installs packages; says so if it has to.
pub(super) fn wait(say: impl Fn(&str)) {
    let deadline = Instant::now() + Duration::from_secs(WAIT_S);
    let mut told = false;
    while let Some(holder) = holder(&LOCKS)
        && Instant::now() < deadline
    {
        if !std::mem::replace(&mut told, true) {
            say(&format!("Process {holder} is installing packages: waiting for it, {WAIT_S} s at most …"));
        }
        std::thread::sleep(Duration::from_millis(LOOK_INTERVAL_MS));
    }
}

/// The process that holds one of these files locked, as far as this kernel tells: only Linux does, and apt is nowhere
/// else.
fn holder(files: &[&str]) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let inodes: Vec<u64> =
        files.iter().filter_map(|file| Path::new(file).metadata().ok()).map(|file| file.ino()).collect();
    locks.lines().filter_map(parse).find(|(_, inode)| inodes.contains(inode)).map(|(process, _)| process)
}

/// `1: POSIX  ADVISORY  WRITE 3606 fe:00:10340858 0 EOF`: the process and the inode. A line with an arrow is of one who
/// waits.
fn parse(line: &str) -> Option<(u32, u64)> {
    let mut words = line.split_whitespace().skip(1);
    (words.next()? == "POSIX").then_some(())?;
    let process = words.nth(2)?.parse().ok()?;
    let inode = words.next()?.rsplit_once(':')?.1.parse().ok()?;
    Some((process, inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{FlockOperation, fcntl_lock};

    #[test]
    fn lines_of_the_kernel_are_read() {
        assert_eq!(parse("1: POSIX  ADVISORY  WRITE 3606 fe:00:10340858 0 EOF"), Some((3606, 10_340_858)));
        assert_eq!(parse("1: -> POSIX  ADVISORY  WRITE 3607 fe:00:10340858 0 EOF"), None);
        assert_eq!(parse("2: FLOCK  ADVISORY  WRITE 3374 fe:00:5308943 0 EOF"), None);
    }

    /// apt locks with fcntl, and so does this.
    #[test]
    fn who_holds_a_lock_is_known_until_it_is_released() {
        if !Path::new("/proc/locks").exists() {
            println!("skipped: this kernel does not tell who holds a lock");
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(holder(&[path]), None);
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(holder(&["/nowhere", path]), Some(std::process::id()));
        fcntl_lock(&file, FlockOperation::Unlock).unwrap();
        assert_eq!(holder(&[path]), None);
    }
}
