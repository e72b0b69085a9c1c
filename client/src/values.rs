//! Values that people type: durations, addresses, contexts, the number of an article.

use std::time::Duration;
use unicode_normalization::UnicodeNormalization;
use wire::{Keep, Seq};

/// A context is a file name.
const CONTEXT_CHARS_MAX: usize = 64;

/// Names that differ only in case, or in how their accents are composed, are the same name to the service: the same key.
pub fn name_key(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// `90d`, `12h`, `5m`, `5s`, `300ms`, `2w`. The only place that reads durations.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const WRONG: &str = "write a number and a unit, like 300ms, 5s, 10m, 12h, 90d or 2w";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| WRONG)?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60 * 1_000,
        "h" => 60 * 60 * 1_000,
        "d" => 24 * 60 * 60 * 1_000,
        "w" => 7 * 24 * 60 * 60 * 1_000,
        _ => return Err(WRONG.into()),
    };
    let ms = number.checked_mul(unit_ms).ok_or("that is longer than anything lasts")?;
    Ok(Duration::from_millis(ms))
}

/// How long a command may take: not nothing, and not so long that a clock runs over.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
    match parse_duration(text)? {
        Duration::ZERO => Err("give the service some time, like 5s".into()),
        long if long > TIMEOUT_MAX => Err("a day (1d) is the longest".into()),
        timeout => Ok(timeout),
    }
}

/// How far to look back.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    const SPAN_MIN: Duration = Duration::from_secs(60);
    match parse_duration(text)? {
        short if short < SPAN_MIN => Err("a minute (1m) is the shortest".into()),
        long if u32::try_from(long.as_secs()).is_err() => Err("nobody kept anything for so long".into()),
        span => Ok(span),
    }
}

/// The words that stand for no number.
fn keep_word(text: &str) -> Option<Keep> {
    match text {
        "forever" => Some(Keep::Forever),
        "default" => Some(Keep::Default),
        _ => None,
    }
}

/// `90d`, as seconds, or `forever`, or `default`.
pub fn parse_keep_for(text: &str) -> Result<Keep, String> {
    if let Some(keep) = keep_word(text) {
        return Ok(keep);
    }
    match parse_duration(text)?.as_secs() {
        0 => {
            Err("the shortest is 1s; `forever` takes the limit away, `default` is what the settings say"
                .into())
        }
        seconds => Ok(Keep::Limit(seconds)),
    }
}

/// A number of articles, or `forever`, or `default`.
pub fn parse_keep_count(text: &str) -> Result<Keep, String> {
    if let Some(keep) = keep_word(text) {
        return Ok(keep);
    }
    match text.parse() {
        Ok(0) | Err(_) => {
            Err("write a number from 1, or `forever` for no limit, or `default` for what the settings say"
                .into())
        }
        Ok(count) => Ok(Keep::Limit(count)),
    }
}

/// Seconds as the shortest text that [`parse_duration`] reads back.
pub fn duration_text(seconds: u64) -> String {
    for (unit_s, unit) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
        if seconds >= unit_s && seconds.is_multiple_of(unit_s) {
            return format!("{}{unit}", seconds / unit_s);
        }
    }
    format!("{seconds}s")
}

/// `HOST:PORT`; an IPv6 address stands in brackets.
pub fn parse_address(text: &str) -> Result<String, String> {
    let text = text.trim();
    let right = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if right { Ok(text.to_owned()) } else { Err(format!("{text:?} is not HOST:PORT, like 127.0.0.1:8000")) }
}

/// The name of a context becomes a file name: letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
pub fn parse_context(name: &str) -> Result<String, String> {
    let right = name.chars().count() <= CONTEXT_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if right {
        Ok(name.to_owned())
    } else {
        Err("a context's name has up to 64 letters, digits, '-', '_' or '.', and begins with a letter or digit".into())
    }
}

/// One article: `AREA#SEQ`. Area names hold no `#`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArticleRef {
    pub area: String,
    pub seq: Seq,
}

pub fn parse_article(text: &str) -> Result<ArticleRef, String> {
    let parsed = text.rsplit_once('#').and_then(|(area, seq)| Some((area, seq.parse::<Seq>().ok()?)));
    match parsed {
        Some((area, seq)) if seq > 0 && !area.is_empty() => Ok(ArticleRef { area: area.into(), seq }),
        _ => Err("write AREA#NUMBER, like news#12".into()),
    }
}

/// A sequence number to read after: 0 is before the first one.
pub fn parse_after(text: &str) -> Result<Seq, String> {
    match text.parse() {
        Ok(seq) if seq >= 0 => Ok(seq),
        _ => Err("write a number from 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse_duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("12h"), Ok(Duration::from_secs(12 * 3600)));
        assert_eq!(parse_duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        for wrong in ["", "5", "s", "-5s", "5 s", "1.5h", "99999999999999999d", "5S"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        assert!(parse_timeout("0s").is_err());
        assert!(parse_timeout("2d").is_err());
    }

    #[test]
    fn durations_come_back_as_they_were_written() {
        for text in ["90d", "12h", "45m", "59s", "0s"] {
            assert_eq!(duration_text(parse_duration(text).unwrap().as_secs()), text);
        }
    }

    #[test]
    fn retention() {
        assert_eq!(parse_keep_for("forever"), Ok(Keep::Forever));
        assert_eq!(
            (parse_keep_for("default"), parse_keep_count("default")),
            (Ok(Keep::Default), Ok(Keep::Default))
        );
        assert_eq!(parse_keep_for("1d"), Ok(Keep::Limit(86_400)));
        assert!(parse_keep_for("10ms").is_err());
        assert_eq!(parse_keep_count("10"), Ok(Keep::Limit(10)));
        assert!(parse_keep_count("0").is_err());
    }

    #[test]
    fn addresses() {
        for right in ["127.0.0.1:8000", "agents.example:8000", "[::1]:8000"] {
            assert_eq!(parse_address(right), Ok(right.to_owned()));
        }
        for wrong in ["", "host", ":8000", "host:", "host:0", "host:70000"] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_context_is_a_harmless_file_name() {
        for right in ["default", "work-2", "a.b_c"] {
            assert_eq!(parse_context(right), Ok(right.to_owned()));
        }
        for wrong in ["", "..", ".hidden", "a/b", "-x", "a b", &"x".repeat(65)] {
            assert!(parse_context(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn articles() {
        assert_eq!(parse_article("city news#12"), Ok(ArticleRef { area: "city news".into(), seq: 12 }));
        for wrong in ["news", "news#", "#12", "news#0", "news#-1", "news#x"] {
            assert!(parse_article(wrong).is_err(), "{wrong}");
        }
    }
}
