//! Posts that are saved before they are first sent, so that whatever dies, each arrives exactly once (I1).
//!
//! One 0600 file for each post, in `outbox/`, on the disk before anything is sent, locked while a process works on
//! it, and removed by any definite answer. A refused text becomes a file in `drafts/`. A process that is killed leaves
//! either nothing or an entry that `post --resume` sends under the same id.
//!
//! Entries are written under a temporary name, locked, synced, and renamed: none is ever visible unlocked or half.

use super::files;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;
use wire::{AreaId, AreaRef};

/// Posts that may wait. More would be a service that is down for good, or a script that does not look at exit codes.
const ENTRIES_MAX: usize = 100_000;
/// A temporary file that is older, and locked by nobody, is what a killed process left.
const LEFTOVER_AGE_MIN: Duration = Duration::from_secs(60);
/// More files than this are synced with their whole file system at once: one by one a batch of lines takes seconds.
const SYNC_EACH_MAX: usize = 8;
/// Entries that one process works on at a time: each is an open file, and some systems allow a process 1,024.
pub const TAKEN_MAX: usize = 400;
const SUFFIX: &str = ".json";
const TMP_SUFFIX: &str = ".tmp";
/// What could not be understood: kept, and told of, until a person has looked at it.
const DAMAGED_SUFFIX: &str = ".damaged";

/// A post that is saved and not known to have arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxPost {
    pub service_id: Uuid,
    pub user: String,
    pub area: String,
    /// `None` when the service could not be asked yet: it was certainly not sent.
    pub area_id: Option<AreaId>,
    pub id: Uuid,
    pub body: String,
    pub created_at_us: i64,
}

pub struct Outbox {
    dir: PathBuf,
    drafts: PathBuf,
}

/// A saved post that this process works on: nobody else does until it is dropped.
#[derive(Debug)]
pub struct Entry {
    pub post: OutboxPost,
    path: PathBuf,
    lock: File,
}

/// Whose posts: entries of others are neither listed nor sent.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    pub user: &'a str,
    pub service_id: Uuid,
}

impl Owner<'_> {
    fn owns(self, post: &OutboxPost) -> bool {
        post.user == self.user && post.service_id == self.service_id
    }
}

impl Outbox {
    pub fn new(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("outbox"), drafts: state_dir.join("drafts") }
    }

    /// Saves all of them, or none: when it returns they survive a crash.
    pub fn save(&self, posts: Vec<OutboxPost>) -> anyhow::Result<Vec<Entry>> {
        abort_at("outbox-before-write");
        files::private_dir(&self.dir)?;
        let there = self.file_names()?.len();
        if there + posts.len() > ENTRIES_MAX {
            anyhow::bail!("{there} posts wait in the outbox already: send them with `gaceta post --resume`");
        }
        let paths = posts.iter().map(|post| self.path(post));
        let new_paths: Vec<PathBuf> = paths.filter(|path| !path.exists()).collect();
        let entries = self.write(posts).inspect_err(|_| {
            new_paths.iter().for_each(|path| drop(fs::remove_file(path)));
        })?;
        abort_at("outbox-written");
        Ok(entries)
    }

    /// Whole and on the disk under temporary names, locked; then renamed, which is then made to last as well. A failure
    /// leaves no temporary file, and never touches an entry that was there before.
    fn write(&self, posts: Vec<OutboxPost>) -> anyhow::Result<Vec<Entry>> {
        let mut written = Vec::with_capacity(posts.len());
        let saved = self.write_all(posts, &mut written).and_then(|()| {
            written.iter().try_for_each(|(tmp, entry)| fs::rename(tmp, &entry.path))?;
            files::sync_dir(&self.dir)
        });
        if let Err(error) = saved {
            written.iter().for_each(|(tmp, _)| drop(fs::remove_file(tmp)));
            let nothing_sent = format!(
                "cannot save the post in {}, so nothing was sent: check its permissions and free space",
                self.dir.display()
            );
            return Err(error).context(nothing_sent);
        }
        Ok(written.into_iter().map(|(_, entry)| entry).collect())
    }

    fn write_all(&self, posts: Vec<OutboxPost>, written: &mut Vec<(PathBuf, Entry)>) -> io::Result<()> {
        let sync_together = posts.len() > SYNC_EACH_MAX && cfg!(target_os = "linux");
        for post in posts {
            let tmp = self.dir.join(format!(".{}{TMP_SUFFIX}", Uuid::new_v4()));
            let lock = files::create_private(&tmp)?;
            lock.lock()?; // goes with the file when it is renamed
            let bytes = serde_json::to_vec(&post)?;
            let path = self.path(&post);
            written.push((tmp, Entry { post, path, lock }));
            if let Some((_, entry)) = written.last_mut() {
                entry.lock.write_all(&bytes)?;
                if !sync_together {
                    entry.lock.sync_all()?;
                }
            }
        }
        #[cfg(target_os = "linux")]
        if sync_together {
            rustix::fs::syncfs(File::open(&self.dir)?)?;
        }
        Ok(())
    }

    /// The same entry with its area as the service knows it, which could not be asked before.
    pub fn bind(&self, entry: Entry, area: &AreaRef) -> anyhow::Result<Entry> {
        let post = OutboxPost { area_id: Some(area.area_id), area: area.name.clone(), ..entry.post.clone() };
        let bound = self.write(vec![post])?.pop().context("the outbox lost an entry")?;
        if bound.path != entry.path {
            // A crash before this leaves the same id twice: one of them is answered as a repeat.
            let _ = fs::remove_file(&entry.path);
        }
        Ok(bound)
    }

    /// The oldest posts of `owner` that no other process works on, at most [`TAKEN_MAX`].
    pub fn take(&self, owner: Owner<'_>) -> anyhow::Result<Vec<Entry>> {
        self.take_each(owner, |_| true)?.take(TAKEN_MAX).collect()
    }

    /// The posts of `owner` that are `wanted` and that no other process works on, oldest first, one at a time.
    pub fn take_each(
        &self,
        owner: Owner<'_>,
        wanted: impl Fn(&OutboxPost) -> bool,
    ) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Entry>>> {
        let mut found = Vec::new();
        for path in self.file_names()? {
            let Some(bytes) = files::read_if_there(&path)? else { continue }; // sent meanwhile
            let Some(post) = parse_or_set_aside(&bytes, &path)? else { continue };
            if owner.owns(&post) && wanted(&post) {
                found.push((post.created_at_us, post.id, path));
            }
        }
        found.sort();
        Ok(found.into_iter().filter_map(|(_, _, path)| take_entry(path).transpose()))
    }

    /// Everything of `owner`, whoever works on it, oldest first.
    pub fn list(&self, owner: Owner<'_>) -> anyhow::Result<Vec<OutboxPost>> {
        let mut posts = Vec::new();
        for path in self.file_names()? {
            let Some(bytes) = files::read_if_there(&path)? else { continue }; // sent meanwhile
            posts.extend(parse_or_set_aside(&bytes, &path)?);
        }
        posts.retain(|post| owner.owns(post));
        posts.sort_by_key(|post| (post.created_at_us, post.id));
        Ok(posts)
    }

    /// Files that were entries and cannot be understood.
    pub fn damaged(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let is_damaged = |path: &PathBuf| path.to_string_lossy().ends_with(DAMAGED_SUFFIX);
        files.map(|file| file.path()).filter(is_damaged).collect()
    }

    /// Keeps a refused text where its author finds it.
    pub fn keep_draft(&self, id: Uuid, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.drafts.join(format!("{id}.txt"));
        files::replace(&path, text.as_bytes())?;
        Ok(path)
    }

    /// One name for one identity: the same id may stand in several areas, and for several authors.
    fn path(&self, post: &OutboxPost) -> PathBuf {
        let mut hash = Sha256::new();
        for part in [post.service_id.as_bytes().as_slice(), post.user.as_bytes(), post.area.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let whose: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.dir.join(format!("{}-{whose}{SUFFIX}", post.id))
    }

    fn file_names(&self) -> anyhow::Result<Vec<PathBuf>> {
        let listed = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed
                .with_context(|| format!("cannot read {}: check its permissions", self.dir.display()))?,
        };
        let mut paths = Vec::new();
        for file in listed {
            let path = file?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(TMP_SUFFIX) {
                remove_leftover(&path);
            } else if name.ends_with(SUFFIX) {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}

impl Entry {
    /// After a definite answer. If a crash brings the file back, its post is answered as a repeat.
    pub fn remove(self) -> anyhow::Result<()> {
        if !is_at(&self.lock, &self.path)? {
            return Ok(()); // another process repeats this id: the file is its own now
        }
        let removed = fs::remove_file(&self.path);
        removed.with_context(|| format!("cannot remove {}: its post has arrived", self.path.display()))
    }
}

/// `None` when another process has it, or had it and is done.
fn take_entry(path: PathBuf) -> anyhow::Result<Option<Entry>> {
    let lock = match File::options().read(true).write(true).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("cannot open {}", path.display()))?,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    // Between opening and locking its owner may have finished, or have replaced it.
    if !is_at(&lock, &path)? {
        return Ok(None);
    }
    let Some(bytes) = files::read_if_there(&path)? else { return Ok(None) };
    Ok(parse_or_set_aside(&bytes, &path)?.map(|post| Entry { post, path, lock }))
}

fn is_at(file: &File, path: &Path) -> anyhow::Result<bool> {
    let opened = file.metadata()?;
    Ok(fs::metadata(path).is_ok_and(|there| there.ino() == opened.ino() && there.dev() == opened.dev()))
}

/// A damaged file (the disk, or somebody's editor: entries are never visible half) keeps no other post from being sent.
fn parse_or_set_aside(bytes: &[u8], path: &Path) -> anyhow::Result<Option<OutboxPost>> {
    if let Ok(post) = serde_json::from_slice(bytes) {
        return Ok(Some(post));
    }
    let aside = path.with_extension(&DAMAGED_SUFFIX[1..]);
    fs::rename(path, &aside).with_context(|| format!("{} is damaged: look at it", path.display()))?;
    Ok(None)
}

fn remove_leftover(path: &Path) {
    let Ok(file) = File::open(path) else { return };
    let age = file.metadata().and_then(|m| m.modified()).ok().and_then(|modified| modified.elapsed().ok());
    if age.is_some_and(|age| age > LEFTOVER_AGE_MIN) && file.try_lock().is_ok() {
        let _ = fs::remove_file(path);
    }
}

/// Dies here when a test says so: `GACETA_TEST_ABORT_AT` names one of `outbox-before-write`, `outbox-written` (all
/// entries of a batch are on the disk), `before-send`, `after-send` (the answer was received and not looked at),
/// `after-answer` (it was understood, the entry is still there), `outbox-removed`. Not in release builds.
pub fn abort_at(point: &str) {
    #[cfg(debug_assertions)]
    if std::env::var("GACETA_TEST_ABORT_AT").is_ok_and(|at| at == point) {
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = point;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn post(user: &str, body: &str) -> OutboxPost {
        OutboxPost {
            service_id: Uuid::nil(),
            user: user.into(),
            area: "news".into(),
            area_id: Some(wire::AreaId(1)),
            id: Uuid::now_v7(),
            body: body.into(),
            created_at_us: 1,
        }
    }

    const ANA: Owner<'_> = Owner { user: "ana", service_id: Uuid::nil() };

    #[test]
    fn i1_a_saved_post_is_private_locked_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path());
        let mut entries = outbox.save(vec![post("ana", "hello"), post("bob", "hi")]).unwrap();
        assert_eq!(fs::metadata(&entries[0].path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(outbox.list(ANA).unwrap().len(), 1);
        assert!(outbox.take(ANA).unwrap().is_empty(), "locked by whoever saved it");

        entries.pop(); // bob's process ends without an answer
        let bobs = Owner { user: "bob", ..ANA };
        assert_eq!(outbox.take(bobs).unwrap().len(), 1);
        assert!(outbox.take(Owner { service_id: Uuid::max(), ..bobs }).unwrap().is_empty());

        entries.pop().unwrap().remove().unwrap();
        assert!(outbox.list(ANA).unwrap().is_empty());
    }

    #[test]
    fn i1_an_entry_that_was_finished_meanwhile_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path());
        let entry = outbox.save(vec![post("ana", "hello")]).unwrap().remove(0);
        let path = entry.path.clone();
        let other = File::open(&path).unwrap(); // opened, not yet locked
        entry.remove().unwrap();
        other.try_lock().unwrap();
        assert!(take_entry(path).unwrap().is_none());
    }

    #[test]
    fn i1_binding_an_area_keeps_the_id_and_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path());
        let unbound = OutboxPost { area_id: None, ..post("ana", "hello") };
        let entry = outbox.save(vec![unbound.clone()]).unwrap().remove(0);
        let area = AreaRef { area_id: wire::AreaId(9), name: "News".into() };
        let bound = outbox.bind(entry, &area).unwrap();
        let expected = OutboxPost { area_id: Some(area.area_id), area: area.name.clone(), ..unbound };
        assert_eq!(bound.post, expected);
        assert!(outbox.take(ANA).unwrap().is_empty(), "still locked");
        drop(bound);
        let taken = outbox.take(ANA).unwrap();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].post, expected);
    }

    /// As on a full disk: what was there stays, whole.
    #[test]
    fn i1_an_entry_survives_a_binding_that_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path());
        let unbound = OutboxPost { area_id: None, ..post("ana", "precious") };
        let entry = outbox.save(vec![unbound.clone()]).unwrap().remove(0);
        // The rename fails, since a directory that is not empty stands at the new name; and at the same name nothing does.
        let other = AreaRef { area_id: wire::AreaId(9), name: "elsewhere".into() };
        let target = outbox.path(&OutboxPost { area: other.name.clone(), ..unbound.clone() });
        fs::create_dir_all(target.join("occupied")).unwrap();
        outbox.bind(entry, &other).unwrap_err();
        fs::remove_dir_all(&target).unwrap();
        let taken = outbox.take(ANA).unwrap();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].post, unbound);
        let same_name = AreaRef { area_id: wire::AreaId(9), name: unbound.area.clone() };
        assert_eq!(taken[0].path, outbox.path(&OutboxPost { area_id: Some(same_name.area_id), ..unbound }));
        assert_eq!(fs::read_dir(&outbox.dir).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn i9_no_more_is_taken_than_a_process_may_open() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(dir.path());
        for _ in 0..2 {
            let posts = (0..TAKEN_MAX).map(|n| post("ana", &n.to_string())).collect();
            drop(outbox.save(posts).unwrap());
        }
        let first = outbox.take(ANA).unwrap();
        assert_eq!(first.len(), TAKEN_MAX);
        assert_eq!(outbox.take(ANA).unwrap().len(), TAKEN_MAX, "the others");
        assert_eq!(outbox.take_each(ANA, |post| post.body == "none").unwrap().count(), 0);
    }

    #[test]
    fn a_refused_text_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = Outbox::new(dir.path()).keep_draft(Uuid::nil(), "text").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "text");
    }
}
