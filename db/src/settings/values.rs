//! Values of settings as people write them, and as they are shown: one canonical text for each, which is read back as the same.

/// What a number counts; the name of a setting ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Bytes,
    Seconds,
    Milliseconds,
}

/// Each with what it is worth, the largest first: as which a value is shown, the first that divides it.
const BYTES: &[(&str, i64)] = &[("KiB", 1_024), ("B", 1)];
const DURATIONS_MS: &[(&str, i64)] =
    &[("d", 24 * 60 * 60 * 1_000), ("h", 60 * 60 * 1_000), ("m", 60 * 1_000), ("s", 1_000), ("ms", 1)];
/// What is read besides; nothing is shown in it, since people count days.
const WEEK_MS: (&str, i64) = ("w", 7 * 24 * 60 * 60 * 1_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// One of two words.
    Switch(bool),
    Number(i64),
    /// No limit.
    Forever,
}

impl Unit {
    /// What one is worth in the smallest of its kind: milliseconds, bytes, or one.
    pub fn base(self) -> i64 {
        match self {
            Self::Seconds => 1_000,
            Self::Count | Self::Bytes | Self::Milliseconds => 1,
        }
    }

    /// Reads `6s`, `64KiB`, or a bare number in this unit. `None` for what is no such thing, or no whole number of this unit.
    pub fn read(self, text: &str) -> Option<i64> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, suffix) = text.split_at(digits);
        let number: i64 = number.parse().ok()?;
        if suffix.is_empty() {
            return Some(number);
        }
        let (_, worth) = match self {
            Self::Count => None,
            Self::Bytes => BYTES.iter().find(|(name, _)| *name == suffix),
            Self::Seconds | Self::Milliseconds => {
                DURATIONS_MS.iter().chain([&WEEK_MS]).find(|(name, _)| *name == suffix)
            }
        }?;
        let base = number.checked_mul(*worth)?;
        (base % self.base() == 0).then(|| base / self.base())
    }

    pub fn show(self, number: i64) -> String {
        let names = match self {
            Self::Count => return number.to_string(),
            Self::Bytes => BYTES,
            Self::Seconds | Self::Milliseconds => DURATIONS_MS,
        };
        let base = i128::from(number) * i128::from(self.base());
        match names.iter().find(|(_, worth)| base != 0 && base % i128::from(*worth) == 0) {
            Some((name, worth)) => format!("{}{name}", base / i128::from(*worth)),
            None if self == Self::Bytes => "0B".into(),
            None => "0s".into(),
        }
    }

    /// How such values are written, for whoever wrote something else.
    pub fn examples(self) -> &'static str {
        match self {
            Self::Count => "a whole number",
            Self::Bytes => "like 4096 or 64KiB",
            Self::Seconds => "like 30s, 10m, 12h or 90d",
            Self::Milliseconds => "like 1500ms, 6s or 1m",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for unit in [Unit::Count, Unit::Bytes, Unit::Seconds, Unit::Milliseconds] {
            for number in [0, 1, 59, 60, 1_000, 1_023, 1_024, 1_500, 3_600, 65_536, 86_400, 7_776_000] {
                assert_eq!(unit.read(&unit.show(number)), Some(number), "{unit:?} {number}");
            }
        }
        assert_eq!(Unit::Seconds.show(7_776_000), "90d");
        assert_eq!(Unit::Milliseconds.show(1_500), "1500ms");
        assert_eq!(Unit::Milliseconds.show(6_000), "6s");
        assert_eq!(Unit::Bytes.show(65_536), "64KiB");
        assert_eq!(Unit::Bytes.show(1_000), "1000B");
    }

    #[test]
    fn units_are_read_as_people_write_them() {
        assert_eq!(Unit::Seconds.read("2w"), Some(14 * 86_400));
        assert_eq!(Unit::Seconds.read("90"), Some(90));
        assert_eq!(Unit::Seconds.read("2000ms"), Some(2));
        assert_eq!(Unit::Milliseconds.read("90"), Some(90));
        let wrong = ["", "s", "-5s", "5 s", "1.5h", "5S", "1500ms", "99999999999999999999", "106751991168d"];
        for text in wrong {
            assert_eq!(Unit::Seconds.read(text), None, "{text}");
        }
        assert_eq!(Unit::Count.read("5s"), None);
    }
}
