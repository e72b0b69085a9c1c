//! Where PostgreSQL's programs are missing, tests install them once, or say once why they cannot: in processes of their
//! own on a bare machine (`testing::bare`), which are this very program with the tests at the end of this file.

// clippy.toml allows these in tests, but not in their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use gaceta_db::testing;
use gaceta_db::testing::bare::{BareMachine, INSTALLS, SUDO};
use rustix::fs::{FlockOperation, fcntl_lock};

/// Notes each call, whether it may ask questions, and whether a cluster "main" would be made.
const NOTES: &str =
    r#"echo "$*, $DEBIAN_FRONTEND, $(cat /etc/postgresql-common/createcluster.d/*)" >> "$BARE/calls""#;

const FAILS: &str = "echo a first line; echo E: no such network >&2; exit 100";

fn me() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// The three tests at the end, as cargo runs a test program: with backtraces on, which must not be seen.
fn as_test_program(mut command: Command) -> Command {
    command.args(["--ignored", "subject_"]).env("CARGO", "cargo").env("RUST_BACKTRACE", "1");
    command
}

fn run(command: Command) -> (Output, String) {
    let output = as_test_program(command).output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output, said.concat())
}

/// What the false apt-get was called for, one line each.
fn calls(machine: &BareMachine) -> Vec<String> {
    let calls = fs::read_to_string(machine.path("calls")).unwrap_or_default();
    calls.lines().map(str::to_owned).collect()
}

fn assert_installed_once(machine: &BareMachine) {
    let calls = calls(machine);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].contains(" update,"), "{calls:?}");
    assert!(calls[1].contains(" install -y --no-install-recommends postgresql,"), "{calls:?}");
    for call in calls {
        assert!(call.ends_with(", noninteractive, create_main_cluster=false"), "{call}");
    }
    let left: Vec<_> = fs::read_dir(machine.path("common")).unwrap().collect();
    assert!(left.is_empty(), "the administrator's configuration is as it was: {left:?}");
}

/// However many tests in however many programs start at once: it is said before it begins, and done once.
#[test]
fn many_test_programs_at_once_install_once() {
    let Some(machine) = BareMachine::new() else { return };
    machine.program("apt-get", &format!("{NOTES}\n{INSTALLS}"));
    let all = r#"for i in 1 2 3 4; do "$@" > "$BARE/tmp/$i" 2>&1 & done; wait"#;
    let mut command = machine.command(&machine.path("bin/sh"));
    command.args(["-c", all, "sh"]).arg(me());
    assert!(as_test_program(command).status().unwrap().success());
    assert_installed_once(&machine);
    let said: String =
        (1..=4).map(|i| fs::read_to_string(machine.path("tmp").join(i.to_string())).unwrap()).collect();
    assert_eq!(said.matches("3 passed; 0 failed").count(), 4, "{said}");
    assert_eq!(
        said.matches("Installing PostgreSQL's programs, without starting a server").count(),
        1,
        "{said}"
    );
    assert!(said.find("Installing").unwrap() < said.find(" is installed.").unwrap(), "{said}");
}

#[test]
fn an_ordinary_user_installs_by_a_sudo_that_asks_for_nothing() {
    let Some(machine) = BareMachine::new() else { return };
    machine.program("apt-get", &format!("{NOTES}\n{INSTALLS}"));
    machine.program("sudo", &format!("[ \"$1\" = -n ] || exit 1\n{SUDO}"));
    let Some(command) = machine.command_as_nobody(&me()) else { return };
    let (output, said) = run(command);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(": sudo apt-get install postgresql …"), "{said}");
    assert_installed_once(&machine);
}

/// The reason with apt's last lines once, for all tests of all programs of one `cargo test`; the next run tries again.
#[test]
fn a_failed_installation_is_tried_once_and_told_once_in_a_run() {
    let Some(machine) = BareMachine::new() else { return };
    machine.program("apt-get", &format!("{NOTES}\n{FAILS}"));
    let (_, first) = run(machine.command(&me()));
    let (_, second) = run(machine.command(&me()));
    assert_eq!(calls(&machine).len(), 1, "update failed, and nothing is tried after it");
    for said in [&first, &second] {
        assert!(said.contains("0 passed; 3 failed"), "{said}");
        assert!(!said.contains("panicked") && !said.contains("backtrace"), "{said}");
        assert_eq!(said.matches("tests need PostgreSQL: ").count(), 1, "{said}");
    }
    assert!(first.contains("`apt-get install postgresql` did not succeed (exit status: 100)"), "{first}");
    assert!(first.contains("\na first line\nE: no such network\n"), "{first}");
    assert!(second.contains("for the reason that was said before in this run"), "{second}");

    let mut command = machine.command(&me());
    command.env("NEXTEST_RUN_ID", "another run");
    let (_, another) = run(command);
    assert!(another.contains("E: no such network") && calls(&machine).len() == 2, "{another}");
    let log = fs::read_to_string(
        machine.path(&format!("tmp/gaceta-install-{}/log", rustix::process::geteuid().as_raw())),
    );
    // In a user namespace we are root inside, and the name says so.
    let log = log.or_else(|_| fs::read_to_string(machine.path("tmp/gaceta-install-0/log")));
    assert_eq!(log.unwrap(), "a first line\nE: no such network\n");
}

/// One line says what is in the way and what to type, once for all tests; nothing is tried.
#[test]
fn where_nothing_may_be_installed_one_line_says_why() {
    let Some(machine) = BareMachine::new() else { return };
    let assert_told = |command: Command, why: &str, what: &str| {
        let (output, said) = run(command);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("0 passed; 3 failed"), "{said}");
        let told: Vec<&str> = said.lines().filter(|line| line.contains("PostgreSQL")).collect();
        let [told] = told[..] else { panic!("not one line: {said}") };
        assert!(told.contains(why) && told.contains(what), "{told}");
        assert!(!said.contains("panicked") && !said.contains("backtrace"), "{said}");
        assert_eq!(calls(&machine), Vec::<String>::new());
    };
    // Each is a run of its own, or it would be told that all was said before.
    let run = |name: &str, mut command: Command| {
        command.env("NEXTEST_RUN_ID", name);
        command
    };

    assert_told(run("1", machine.command(&me())), "nothing known here installs them", "install them by hand");

    machine.program("apt-get", &format!("{NOTES}\n{INSTALLS}"));
    let mut forbidden = run("2", machine.command(&me()));
    forbidden.env("GACETA_NO_INSTALL", "1");
    assert_told(forbidden, "GACETA_NO_INSTALL forbids", "`apt-get install postgresql`");

    let Some(nobody) = machine.command_as_nobody(&me()) else { return };
    assert_told(run("3", nobody), "only root may install them", "as root install them with `apt-get install");

    machine.program("sudo", "exit 1");
    let nobody = machine.command_as_nobody(&me()).unwrap();
    assert_told(run("4", nobody), "sudo asks for a password", "`sudo apt-get install postgresql`");
}

#[test]
fn a_variable_that_says_no_forbids_nothing() {
    for value in ["", "0"] {
        let Some(machine) = BareMachine::new() else { return };
        machine.program("apt-get", &format!("{NOTES}\n{INSTALLS}"));
        let mut command = machine.command(&me());
        command.env("GACETA_NO_INSTALL", value);
        let (output, said) = run(command);
        assert!(output.status.success(), "{said}");
        assert_installed_once(&machine);
    }
}

/// A package that is too old does not help, and that is said.
#[test]
fn an_installation_that_brings_nothing_that_would_do_is_told_as_that() {
    let Some(machine) = BareMachine::new() else { return };
    machine.program("apt-get", NOTES);
    let (_, said) = run(machine.command(&me()));
    assert!(said.contains("went well, but there is still no PostgreSQL 14 or newer"), "{said}");
}

/// apt refuses to work beside another package manager, as on a machine that has just started: it is waited for, and that
/// is said.
#[test]
fn another_package_manager_is_waited_for() {
    let Some(machine) = BareMachine::new() else { return };
    machine.program("apt-get", &format!("{NOTES}\n{INSTALLS}"));
    let lock = fs::File::create(machine.path("dpkg/lock-frontend")).unwrap();
    fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let mut command = as_test_program(machine.command(&me()));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = format!("Process {} is installing packages: waiting for it", std::process::id());
    assert!(lines.by_ref().any(|line| line.contains(&told)), "it ended without a word");
    assert_eq!(calls(&machine), Vec::<String>::new(), "nothing is tried before the lock is free");
    drop(lock);
    assert!(lines.any(|line| line.contains("Installing PostgreSQL's programs")));
    assert!(child.wait().unwrap().success());
    assert_installed_once(&machine);
}

#[test]
#[ignore = "a part of the others"]
fn subject_one() {
    testing::programs();
}

#[test]
#[ignore = "a part of the others"]
fn subject_two() {
    testing::programs();
}

#[tokio::test]
#[ignore = "a part of the others"]
async fn subject_three() {
    testing::programs();
}
