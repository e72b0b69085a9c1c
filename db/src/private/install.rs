//! Installs the distribution's PostgreSQL programs, and nothing that runs. Asking first is the caller's
//! business.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;

/// Debian's package would make a cluster "main" and start it. postgresql-common reads this drop-in before it
/// does; it is there only while the package is installed, so that the administrator's own configuration stays
/// as it was.
const APT: &str = "sh -c 'd=/etc/postgresql-common/createcluster.d; \
                   mkdir -p $d && echo create_main_cluster=false > $d/zz-gaceta.conf && \
                   apt-get update && \
                   DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql; \
                   r=$?; rm -f $d/zz-gaceta.conf; rmdir $d 2>/dev/null; exit $r'";

/// What to run where which program is found. None of the others makes or starts a cluster by itself.
const INSTALLERS: &[(&str, &str)] = &[
    ("apt-get", APT),
    ("dnf", "dnf install -y postgresql-server"),
    ("apk", "apk add postgresql"),
    ("pacman", "pacman -S --needed --noconfirm postgresql"),
    ("zypper", "zypper --non-interactive install postgresql-server"),
    ("brew", "brew install postgresql@17"),
];

/// The one line, for a shell, that installs the programs here. [`install`] runs exactly this.
pub fn install_command() -> Option<String> {
    let (program, line) = INSTALLERS.iter().find(|(program, _)| on_path(program))?;
    Some(line_for(program, line, rustix::process::geteuid().is_root()))
}

/// Runs [`install_command`]. The terminal stays connected, because sudo may ask for a password; standard
/// output stays clean, because whoever starts a server reads its ready line there.
pub fn install() -> Result<(), Error> {
    let command = install_command().ok_or(Error::NoInstaller)?;
    let status = Command::new("sh").arg("-c").arg(&command).stdout(Stdio::from(std::io::stderr())).status();
    let status = status.map_err(|source| Error::io("run", Path::new("sh"), source))?;
    if !status.success() {
        return Err(Error::InstallFailed { command, status: status.to_string() });
    }
    Ok(())
}

/// Homebrew works as its user and refuses root; the others need to be root.
fn line_for(program: &str, line: &str, root: bool) -> String {
    if root || program == "brew" { line.to_owned() } else { format!("sudo {line}") }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_one_line_that_a_shell_understands() {
        for (program, line) in INSTALLERS {
            for root in [true, false] {
                let line = line_for(program, line, root);
                assert!(!line.contains('\n'));
                assert_eq!(line.starts_with("sudo "), !root && *program != "brew", "{line}");
                let checked = Command::new("sh").args(["-n", "-c", &line]).status().unwrap();
                assert!(checked.success(), "{line}");
            }
        }
    }
}
