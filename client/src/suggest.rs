//! "Did you mean": the name that a person may have wanted, for names that only the client's files or the service know.

/// As clap judges commands and flags: less alike than this is another word.
const LIKENESS_MIN: f64 = 0.7;

/// The most similar of `names`, if one is similar enough. Case does not count.
pub fn did_you_mean<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&wanted, &name.to_lowercase());
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
    }
}
