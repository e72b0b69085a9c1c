//! `gaceta-standalone` where PostgreSQL's programs are missing (`db::testing::bare`): it installs them, asking first on a
//! terminal, and says in one line why not where it cannot.
#![allow(clippy::unwrap_used)]

use db::testing;
use db::testing::bare::{BareMachine, INSTALLS};
use gaceta_e2e::processes::Process;
use gaceta_e2e::programs;
use gaceta_e2e::terminal::{CTRL_D, Terminal};
use rustix::process::geteuid;
use std::process::Command;

const SERVE: [&str; 3] = ["--no-prompt", "--listen", "127.0.0.1:0"];

/// The command on a machine whose apt-get installs, and its data directory with it. None where there is no such machine,
/// or where the installed PostgreSQL could not start: in a user namespace there is no other user for it.
fn bare() -> Option<BareMachine> {
    testing::programs();
    programs::directory();
    let machine = BareMachine::new()?;
    machine.program("apt-get", &format!("echo \"$*\" >> \"$BARE/calls\"\n{INSTALLS}"));
    geteuid().is_root().then_some(machine)
}

fn standalone(machine: &BareMachine, args: &[&str]) -> Command {
    let mut command = machine.command(&programs::path("gaceta-standalone"));
    command.args(["--data"]).arg(machine.path("data")).args(args);
    command
}

fn nothing_was_installed(machine: &BareMachine) -> bool {
    !machine.path("calls").exists()
}

#[tokio::test]
async fn without_a_terminal_it_says_so_installs_and_serves() {
    let Some(machine) = bare() else { return };
    let mut standalone = Process::start("standalone", standalone(&machine, &SERVE));
    standalone.ready("agent").await;
    let said = standalone.log();
    let announced = said.find("Installing PostgreSQL's programs, without starting a server").unwrap();
    assert!(announced < said.find(" is installed.").unwrap(), "{said}");
    assert_eq!(standalone.terminate().await, Some(0));
}

#[tokio::test]
async fn on_a_terminal_it_asks_and_enter_agrees() {
    let Some(machine) = bare() else { return };
    let mut terminal = Terminal::start(&standalone(&machine, &["--listen", "127.0.0.1:0"]));
    let asked = terminal.shows("[Y/n] ").await;
    assert!(asked.contains("(apt-get install postgresql)"), "{asked}");
    assert!(nothing_was_installed(&machine), "not before somebody agrees");
    terminal.type_line("").await;
    terminal.shows(" is installed.").await;
    terminal.shows("admin> ").await;
    terminal.type_keys(CTRL_D).await;
    assert!(terminal.ends().await.0.success());
}

#[tokio::test]
async fn on_a_terminal_neither_no_nor_ctrl_d_installs() {
    for answer in ["n\r", CTRL_D] {
        let Some(machine) = bare() else { return };
        let mut terminal = Terminal::start(&standalone(&machine, &["--listen", "127.0.0.1:0"]));
        terminal.shows("[Y/n] ").await;
        terminal.type_keys(answer).await;
        let (status, shown) = terminal.ends().await;
        assert_eq!(status.code(), Some(1), "{shown}");
        assert!(shown.contains("nobody has agreed to install them; install them with `apt-get"), "{shown}");
        assert!(nothing_was_installed(&machine));
    }
}

#[tokio::test]
async fn what_forbids_to_install_is_obeyed_and_one_line_says_so() {
    let Some(machine) = bare() else { return };
    let flag = standalone(&machine, &["--no-install", "--no-prompt"]);
    let mut variable = standalone(&machine, &SERVE);
    variable.env("GACETA_NO_INSTALL", "1");
    for command in [flag, variable] {
        let mut standalone = Process::start("standalone", command);
        assert_eq!(standalone.end().await.code(), Some(1));
        let said = standalone.log();
        assert!(said.starts_with("error: no PostgreSQL programs found"), "{said}");
        assert!(said.contains("--no-install or GACETA_NO_INSTALL forbids"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(nothing_was_installed(&machine));
    }
}

#[tokio::test]
async fn a_failed_installation_ends_it_with_what_apt_said_last() {
    let Some(machine) = bare() else { return };
    machine.program("apt-get", "echo E: no such network >&2; exit 100");
    let mut standalone = Process::start("standalone", standalone(&machine, &SERVE));
    assert_eq!(standalone.end().await.code(), Some(1));
    let said = standalone.log();
    assert!(said.contains("`apt-get install postgresql` did not succeed (exit status: 100)"), "{said}");
    assert!(said.contains("\nE: no such network\n"), "{said}");
}
