//! Where the programs under test are. Cargo builds a package's programs for that package's own tests only, so they are
//! built here: `cargo test --workspace` on a clean clone needs no preparation. Whether anything is stale, cargo itself
//! decides; when nothing is, that takes it a moment.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the programs are that somebody has built already, as in an image, where there is no cargo.
const VARIABLE: &str = "GACETA_PROGRAMS_DIR";

/// The directory with `gaceta`, `gaceta-agent`, `gaceta-node` and `gaceta-standalone`, of the same build as this test; or
/// whatever `GACETA_PROGRAMS_DIR` names, as it is.
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        if let Some(given) = std::env::var_os(VARIABLE) {
            return given.into();
        }
        let own = std::env::current_exe().unwrap(); // <target>/<profile>/deps/<test>, or <target>/<profile>/gaceta-proof
        let place = own.parent().unwrap();
        let is_test = place.ends_with("deps");
        let directory = if is_test { place.parent().unwrap() } else { place }.to_path_buf();
        build_once(&directory);
        directory
    })
}

pub fn path(program: &str) -> PathBuf {
    directory().join(program)
}

/// Copies one of our programs to where somebody else may run it. By a process of its own: a file that this one has open for
/// writing is inherited by whatever another test starts at this moment, and cannot be run until that is gone.
pub fn copy(program: &str, to: &Path) {
    let copied = Command::new("cp").arg(path(program)).arg(to).status().unwrap();
    assert!(copied.success(), "{program} cannot be copied to {}", to.display());
}

/// nextest runs each test as a process of its own: the first one of a run builds, the others wait for it.
fn build_once(directory: &Path) {
    let stamp_path = directory.join(".gaceta-e2e-programs");
    let lock = File::options().create(true).append(true).open(stamp_path.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let run = std::env::var("NEXTEST_RUN_ID").ok();
    if run.is_some() && fs::read_to_string(&stamp_path).ok() == run {
        return;
    }
    build(directory);
    fs::write(&stamp_path, run.unwrap_or_default()).unwrap();
}

fn build(directory: &Path) {
    let profile = match directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // The whole workspace: with the features of a part of it, the libraries would be built once more.
    build.args(["build", "--quiet", "--workspace", "--bins", "--profile", profile]);
    build.arg("--target-dir").arg(directory.parent().unwrap());
    build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    let built = build.output().unwrap();
    assert!(
        built.status.success(),
        "the programs cannot be built:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
}
