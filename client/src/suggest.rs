//! "Did you mean": the name that a person may have wanted, for names that only the client's files or the service know.

use crate::values::name_key;

/// As clap judges commands and flags: less alike than this is another word.
const LIKENESS_MIN: f64 = 0.7;

/// The most similar of `names`, if one is similar enough. Case and the composition of accents do not count.
pub fn did_you_mean<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name_key(wanted);
    let likeness = |name: &str| strsim::jaro_winkler(&wanted, &name_key(name));
    let rated = names.map(|name| (likeness(name), name)).filter(|(likeness, _)| *likeness > LIKENESS_MIN);
    rated.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let among = |wanted| did_you_mean(wanted, ["news", "weather", "City News"].into_iter());
        assert_eq!(among("nwes"), Some("news"));
        assert_eq!(among("WEATHR"), Some("weather"));
        assert_eq!(among("city-news"), Some("City News"));
        assert_eq!(among("sports"), None);
        let decomposed = "Ga\u{308}ste";
        assert_eq!(did_you_mean(decomposed, ["Oslo", "G\u{e4}sten"].into_iter()), Some("G\u{e4}sten"));
        assert_eq!(did_you_mean("e\u{301}e\u{301}", ["\u{e9}\u{e9}"].into_iter()), Some("\u{e9}\u{e9}"));
    }
}
