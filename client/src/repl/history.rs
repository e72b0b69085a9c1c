//! The lines that were typed, for the arrow keys: one file for each context, for its owner only. Several prompts add to
//! it at the same time; whatever is wrong with it, the prompt goes on.

use crate::command::facts::asks_password;
use crate::service::files;
use crate::settings::Settings;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use wire::Token;

pub const LINES_MAX: usize = 1_000;
/// The file is cut to [`LINES_MAX`] at the start of a prompt when it has grown beyond this.
const FILE_LINES_MAX: usize = 2 * LINES_MAX;
/// Of a damaged file no more is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A longer line is not typed again, and would push out many others.
const LINE_BYTES_MAX: usize = 4 * 1024;

pub struct History {
    path: PathBuf,
}

impl History {
    /// The lines so far, oldest first; and why they are not kept, where they cannot be.
    pub fn open(settings: &Settings) -> (Self, Vec<String>, Option<String>) {
        let history = Self { path: settings.state_dir.join("history").join(&settings.context) };
        let (lines, why) = match history.load() {
            Ok(lines) => (lines, None),
            Err(error) => {
                let path = history.path.display();
                (Vec::new(), Some(format!("What you type is not kept for later: {path}: {error}.")))
            }
        };
        (history, lines, why)
    }

    fn load(&self) -> io::Result<Vec<String>> {
        if let Some(dir) = self.path.parent() {
            files::private_dir(dir).map_err(io::Error::other)?;
        }
        let mut file = self.file()?;
        file.set_permissions(PermissionsExt::from_mode(0o600))?;
        file.lock()?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines: Vec<String> = text.lines().filter(|line| is_sound(line)).map(str::to_owned).collect();
        let grown = lines.len() > FILE_LINES_MAX || bytes.len() as u64 == FILE_BYTES_MAX;
        lines.drain(..lines.len().saturating_sub(LINES_MAX));
        if grown {
            // Other prompts have it open to append: the same file, shorter.
            file.set_len(0)?;
            file.rewind()?;
            file.write_all((lines.join("\n") + "\n").as_bytes())?;
        }
        Ok(lines)
    }

    /// Adds one line. A full disk must not end the prompt.
    pub fn add(&self, line: &str) {
        if is_sound(line) {
            let write =
                |mut file: File| file.lock().and_then(|()| file.write_all(format!("{line}\n").as_bytes()));
            let _ = self.file().and_then(write);
        }
    }

    fn file(&self) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)
    }
}

/// One line of text that somebody may want again.
fn is_sound(line: &str) -> bool {
    !line.trim().is_empty()
        && line.len() <= LINE_BYTES_MAX
        && !line.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER)
        && line != "#V2" // how files of former releases begin
}

/// Whether a line may be kept: it does not begin with a blank, and has nothing that could be a secret. No command takes a
/// password as a word, so where one of those that ask for it was not understood, a word may be it.
pub fn may_keep(line: &str, words: &[String], understood: bool) -> bool {
    let has_token = line.split(|c: char| !c.is_ascii_hexdigit()).any(|word| Token::from_text(word).is_some());
    !line.starts_with(char::is_whitespace) && !has_token && (understood || !asks_password(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(dir: &tempfile::TempDir) -> Settings {
        Settings::new(dir.path().join("gaceta"))
    }

    #[test]
    fn two_prompts_at_once_keep_each_others_lines() {
        let dir = tempfile::tempdir().unwrap();
        let (one, ..) = History::open(&settings(&dir));
        let (other, ..) = History::open(&settings(&dir));
        one.add("areas");
        other.add("read news");
        one.add("post news Grüße");
        let (_, lines, why) = History::open(&settings(&dir));
        assert_eq!((lines, why), (vec!["areas".into(), "read news".into(), "post news Grüße".into()], None));
        let mode = std::fs::metadata(&one.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn it_is_bounded_and_a_damaged_one_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let (history, ..) = History::open(&settings(&dir));
        let mut bytes = b"#V2\n\xff\xfe\x00\n\x1b[2J\n".to_vec();
        (0..=FILE_LINES_MAX).for_each(|number| bytes.extend(format!("line {number}\n").bytes()));
        std::fs::write(&history.path, bytes).unwrap();
        let (_, lines, why) = History::open(&settings(&dir));
        assert_eq!((lines.len(), why), (LINES_MAX, None));
        assert_eq!(lines.last().unwrap(), &format!("line {FILE_LINES_MAX}"));
        history.add("after");
        let kept = std::fs::read_to_string(&history.path).unwrap();
        assert_eq!(kept.lines().count(), LINES_MAX + 1);
        assert!(kept.ends_with("\nafter\n"));
    }

    #[test]
    fn where_it_cannot_be_kept_it_says_so() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("gaceta/history/default")).unwrap();
        let (history, lines, why) = History::open(&settings(&dir));
        assert!(lines.is_empty() && why.unwrap().contains("not kept"));
        history.add("harmless");
    }

    #[test]
    fn nothing_that_could_be_a_secret_is_kept() {
        let keeps =
            |line: &str, understood| may_keep(line, &crate::repl::words::split(line).unwrap(), understood);
        assert!(keeps("login ana", true));
        assert!(!keeps("login ana secret", false));
        assert!(!keeps("admin user add ana secret", false));
        assert!(!keeps("--json admin user passwd ana secret", false));
        assert!(keeps("raed news", false));
        assert!(!keeps(" read news", true));
        assert!(!keeps(&format!("post news token={}", "aB3".repeat(21) + "0"), true));
    }
}
