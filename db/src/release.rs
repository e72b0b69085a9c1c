//! Which releases may serve: `service.release_min` names the oldest one. Asked before a server starts ([`require`]), and by the poll
//! of [`crate::settings::live`] while it runs.

use crate::{Db, Error, Result};
use std::fmt;

/// Three numbers, compared as numbers: 0.10.0 is newer than 0.9.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Release {
    /// This release. Crates of the workspace have one version.
    pub const THIS: Self = Self {
        major: number(env!("CARGO_PKG_VERSION_MAJOR")),
        minor: number(env!("CARGO_PKG_VERSION_MINOR")),
        patch: number(env!("CARGO_PKG_VERSION_PATCH")),
    };

    /// `1.2.3` and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { major, minor, patch })
    }

    /// Whether it may serve a database that asks for `release_min` or newer; the error says what to do where it may not.
    pub(crate) fn check(self, release_min: Self) -> Result<()> {
        if self < release_min {
            return Err(Error::ReleaseTooOld { release: self, release_min });
        }
        Ok(())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// What cargo says is a number; the build fails where it is none.
const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("not a number"),
    }
}

/// As the column has it. Its check allows nothing else.
pub(crate) fn from_column(text: &str) -> Result<Release> {
    Release::parse(text).ok_or_else(|| Error::Unexpected(format!("service.release_min is {text:?}")))
}

/// Fails with [`Error::ReleaseTooOld`] where `release` may not serve this database. The schema must be there.
pub async fn require(db: &Db, release: Release) -> Result<()> {
    let row = db.query_one("select release_min from service", &[]).await?;
    release.check(from_column(row.get("release_min"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        Release::parse(text).unwrap()
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        let rising =
            ["0.1.0", "0.1.1", "0.9.0", "0.10.0", "0.10.9", "0.10.10", "1.0.0", "10.0.0"].map(release);
        assert!(rising.is_sorted_by(|before, after| before < after));
        assert_eq!(release("00.010.0"), release("0.10.0"));
        assert!(release("0.10.0").check(release("0.9.0")).is_ok());
        assert!(release("0.10.0").check(release("0.10.0")).is_ok());
        let error = release("0.9.0").check(release("0.10.0")).unwrap_err();
        assert!(matches!(error, Error::ReleaseTooOld { .. }), "{error}");
    }

    #[test]
    fn what_is_no_release_is_none() {
        for text in
            ["", "1", "1.2", "1.2.", "1.2.3.4", "1.2.x", "1.-2.3", " 1.2.3", "1.2.3-rc.1", "1.2.4294967296"]
        {
            assert_eq!(Release::parse(text), None, "{text:?}");
        }
        assert_eq!(Release::THIS.to_string(), env!("CARGO_PKG_VERSION"));
    }
}
