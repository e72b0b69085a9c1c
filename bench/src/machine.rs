//! The machine that the figures are of, and what else they depend on.

use crate::references::{jetstream, peers, redis};
use db::private::PrivatePostgres;
use serde::Serialize;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// What PostgreSQL writes at the least.
const PAGE_BYTES: usize = 8 * 1024;
/// A second or so even where each takes 5 ms.
const SYNCS: usize = 200;

#[derive(Debug, Default, Serialize)]
pub struct Machine {
    /// UTC.
    pub date: String,
    pub cores: usize,
    pub processor: String,
    pub memory_mib: u64,
    pub kernel: String,
    /// `release`, or what should not be measured.
    pub build: &'static str,
    pub postgres: String,
    /// Of the data directory.
    pub file_system: String,
    /// To write a page there and sync it: the median.
    pub sync_ms: f64,
    pub redis: Option<String>,
    pub nats: Option<String>,
}

pub async fn machine(postgres: &PrivatePostgres) -> anyhow::Result<Machine> {
    let line = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory_kib =
        line("/proc/meminfo", "MemTotal").split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
    let (client, connection) =
        tokio_postgres::connect(&postgres.dsn("postgres"), tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(Machine {
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        processor: line("/proc/cpuinfo", "model name"),
        memory_mib: memory_kib.unwrap_or(0) / 1024,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into(),
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        postgres: client.query_one("show server_version", &[]).await?.get(0),
        file_system: file_system(postgres.directory()),
        sync_ms: sync_ms(postgres.directory())?,
        redis: peers::version(redis::PROGRAM),
        nats: peers::version(jetstream::PROGRAM),
    })
}

/// The type of the mount that a directory is on: of those above it the nearest, and of several there the last one.
fn file_system(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (at, kind) = (fields.next()?, fields.next()?);
        directory.starts_with(at).then(|| (at.len(), kind.to_owned()))
    });
    mounts.max_by_key(|(length, _)| *length).map_or("unknown".into(), |(_, kind)| kind)
}

/// Of a place that the file has already, as the log of a database has.
fn sync_ms(directory: &Path) -> anyhow::Result<f64> {
    let path = directory.join("gaceta-bench-sync");
    let file = File::create(&path)?;
    let page = [0; PAGE_BYTES];
    file.write_all_at(&page, 0)?;
    file.sync_all()?;
    let mut took_ms = vec![];
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all_at(&page, 0)?;
        file.sync_data()?;
        took_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    fs::remove_file(&path)?;
    took_ms.sort_by(f64::total_cmp);
    Ok(took_ms[SYNCS / 2])
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            date, cores, processor, memory_mib, kernel, build, postgres, file_system, sync_ms, ..
        } = self;
        writeln!(
            f,
            "{date}, {cores} cores ({processor}), {memory_mib} MiB, Linux {kernel}, a {build} build"
        )?;
        write!(
            f,
            "PostgreSQL {postgres} on {file_system}, where 8 KiB are written and synced in {sync_ms:.2} ms"
        )?;
        for peer in [&self.redis, &self.nats].into_iter().flatten() {
            write!(f, "\n{peer}")?;
        }
        Ok(())
    }
}
