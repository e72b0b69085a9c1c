//! The machine that the figures are of.

use serde::Serialize;
use std::fmt;
use std::fs;

#[derive(Debug, Serialize)]
pub struct Machine {
    pub cores: usize,
    pub processor: String,
    pub memory_mib: u64,
    pub kernel: String,
}

pub fn machine() -> Machine {
    let line = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory_kib =
        line("/proc/meminfo", "MemTotal").split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        processor: line("/proc/cpuinfo", "model name"),
        memory_mib: memory_kib.unwrap_or(0) / 1024,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into(),
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, memory_mib, kernel } = self;
        write!(f, "{cores} cores ({processor}), {memory_mib} MiB, Linux {kernel}")
    }
}
