//! A history as a file: JSON Lines, so that a failed run can be looked at with ordinary tools and judged again.

use super::Entry;
use anyhow::Context;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

pub fn write(path: &Path, entries: &[Entry]) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| format!("cannot write {path:?}"))?);
    for entry in entries {
        serde_json::to_writer(&mut file, entry)?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}

pub fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let file = BufReader::new(File::open(path).with_context(|| format!("cannot read {path:?}"))?);
    let mut entries = vec![];
    for (number, line) in file.lines().enumerate() {
        let entry = serde_json::from_str(&line?);
        entries.push(entry.with_context(|| format!("{path:?}, line {}", number + 1))?);
    }
    Ok(entries)
}

/// Where the history of a failed run is kept.
pub fn kept(name: &str, seed: u64) -> PathBuf {
    std::env::temp_dir().join(format!("gaceta-history-{name}-{seed}.jsonl"))
}
