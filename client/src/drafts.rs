//! Texts that are being written, or could not be posted as they are: 0600 files in `drafts/`, one for each area that a
//! person writes to. What is in them is never written over, only gone on with.

use crate::service::files;
use crate::settings::Settings;
use crate::values::name_key;
use anyhow::Context as _;
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Of the area's name, in the name of its draft: so that a person recognises it.
const NAME_CHARS_MAX: usize = 40;

/// One text on the disk. It stays there unless it is removed.
#[derive(Debug)]
pub struct Draft {
    pub path: PathBuf,
    /// What stood in it when it was opened.
    pub before: Vec<u8>,
    /// Held while an editor has it: a second one gets a file of its own.
    _lock: Option<File>,
}

impl Draft {
    /// The area's draft, with what was kept in it; one of its own while another process works on that, and when what is
    /// there has more than `bytes_max`.
    pub fn open(settings: &Settings, area: &str, bytes_max: usize) -> anyhow::Result<Self> {
        let dir = dir(settings);
        let path = path(settings, area);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lock = files::open_lock(&dir.join(format!(".{name}.lock")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Self::create(&dir),
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the draft"),
        }
        let before = files::read_if_there(&path)?;
        match before {
            Some(before) if before.len() > bytes_max => Self::create(&dir),
            Some(before) => Ok(Self { path, before, _lock: Some(lock) }),
            None => {
                create(&path)?;
                Ok(Self { path, before: Vec::new(), _lock: Some(lock) })
            }
        }
    }

    fn create(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(format!("{}.txt", Uuid::now_v7()));
        create(&path)?;
        Ok(Self { path, before: Vec::new(), _lock: None })
    }

    /// After its text was posted, or saved in the outbox.
    pub fn remove(self) {
        // Left behind, it is offered again, which loses nothing.
        let _ = fs::remove_file(&self.path);
    }
}

/// Keeps a text that cannot be posted as it is: as the area's draft if there is none yet.
pub fn keep(settings: &Settings, area: &str, text: &[u8]) -> anyhow::Result<PathBuf> {
    let draft = Draft::open(settings, area, 0)?; // not one that an editor has, or with a text in it
    files::replace(&draft.path, text)?;
    Ok(draft.path.clone())
}

/// This text was posted: if it is what was kept for the area, it is no draft any more. Offered again it would be posted twice.
pub fn posted(settings: &Settings, area: &str, text: &str) {
    let text = text.trim_end_matches('\n').as_bytes();
    let is_it = |kept: &[u8]| kept.strip_suffix(b"\n").unwrap_or(kept) == text;
    let kept = files::read_if_there(&path(settings, area)).ok().flatten();
    if kept.is_some_and(|kept| is_it(&kept))
        && let Ok(draft) = Draft::open(settings, area, usize::MAX)
        && (is_it(&draft.before) || draft.before.is_empty())
    {
        draft.remove(); // or the empty one that is made while an editor has the other
    }
}

fn create(path: &Path) -> anyhow::Result<()> {
    files::create_private(path).map(drop).with_context(|| format!("cannot make {}", path.display()))
}

fn dir(settings: &Settings) -> PathBuf {
    settings.state_dir.join("drafts")
}

/// One name for an area in a context, however it is written.
fn path(settings: &Settings, area: &str) -> PathBuf {
    let area = name_key(area);
    let harmless = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let name: String = area.chars().map(harmless).take(NAME_CHARS_MAX).collect();
    let hash = Sha256::digest(area.as_bytes());
    let hash: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    dir(settings).join(format!("{}.{name}-{hash}.txt", settings.context))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_draft_is_gone_on_with_and_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::new(dir.path().into());
        let kept = keep(&settings, "City News", b"kept").unwrap();
        assert!(kept.to_string_lossy().contains("default.city-news-"), "{kept:?}");
        let draft = Draft::open(&settings, "city news", 10).unwrap();
        assert_eq!((&draft.path, draft.before.as_slice()), (&kept, b"kept".as_slice()));
        assert_eq!(super::path(&settings, "Ga\u{308}ste"), super::path(&settings, "g\u{e4}ste"));
        let second = Draft::open(&settings, "CITY NEWS", 10).unwrap();
        assert_ne!(second.path, kept, "an editor has it");
        assert_ne!(keep(&settings, "city news", b"another").unwrap(), kept);
        drop(draft);
        assert_ne!(Draft::open(&settings, "city news", 3).unwrap().path, kept, "too long to be posted");
        assert_eq!(fs::read(&kept).unwrap(), b"kept");
        Draft::open(&settings, "city news", 10).unwrap().remove();
        let fresh = Draft::open(&settings, "city news", 10).unwrap();
        assert_eq!((&fresh.path, fresh.before.len()), (&kept, 0));
        drop(fresh);
        assert_eq!(keep(&settings, "city news", b"posted from the file\n").unwrap(), kept);
        posted(&settings, "City News", "another\n");
        assert!(kept.exists());
        posted(&settings, "City News", "posted from the file\n");
        assert!(!kept.exists(), "or it would be offered once more");
        let _fresh = Draft::open(&settings, "city news", 10).unwrap();
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
