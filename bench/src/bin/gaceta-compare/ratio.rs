//! What the ratios of many pairs say: their median, and between which two of them the true one lies.

/// How sure an interval must be.
const CONFIDENCE: f64 = 0.9;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    pub median: f64,
    /// `None`: too few pairs for any.
    pub interval: Option<Interval>,
}

/// Between two of the ratios themselves, whatever they are distributed like: the narrowest pair of order statistics, as far from the
/// one end as from the other, that has the median between them with at least [`CONFIDENCE`]. With 12 pairs these are
/// the third and the tenth, which have it with 96 %; with 13 the fourth and the tenth, with 91 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Ratio {
    pub fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        let left_out = left_out(ratios.len());
        let interval =
            left_out.map(|out| Interval { low: ratios[out], high: ratios[ratios.len() - 1 - out] });
        Self { median: median(ratios), interval }
    }
}

/// How many may be left out at each end.
fn left_out(pairs: usize) -> Option<usize> {
    // That at most so many of them fall below their median, each with a chance of one half.
    let mut below = 0.0;
    let mut ways = 1.0; // to choose which
    let mut fits = None;
    for out in 0..pairs.div_ceil(2) {
        below += ways * 0.5_f64.powi(pairs as i32);
        if 1.0 - 2.0 * below < CONFIDENCE {
            break;
        }
        fits = Some(out);
        ways *= (pairs - out) as f64 / (out + 1) as f64;
    }
    fits
}

/// Between the two in the middle of an even number; NaN of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count.is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_leaves_out_what_the_binomial_distribution_allows() {
        // Tables of the sign test: two-sided, 90 %.
        let expected = [(4, None), (5, Some(0)), (7, Some(0)), (8, Some(1)), (10, Some(1)), (11, Some(2))];
        for (pairs, out) in
            expected.into_iter().chain([(12, Some(2)), (13, Some(3)), (20, Some(5)), (30, Some(10))])
        {
            assert_eq!(left_out(pairs), out, "{pairs} pairs");
        }
    }

    #[test]
    fn the_median_and_its_interval_are_of_the_ratios_in_their_order() {
        let ratios = (0..12).map(|n| 1.0 + f64::from(n * 7 % 12) / 100.0).collect();
        let Ratio { median, interval } = Ratio::of(ratios);
        assert!((median - 1.055).abs() < 1e-9, "{median}");
        assert_eq!(interval, Some(Interval { low: 1.02, high: 1.09 }));
        assert_eq!(Ratio::of(vec![1.2, 0.9]).interval, None);
        assert_eq!(super::median(vec![3.0, 1.0, 2.0]), 2.0);
    }

    /// Of samples of a skewed distribution with a known median the share of intervals that have it.
    #[test]
    fn an_interval_has_the_true_median_as_often_as_it_says() {
        let mut state = 7_u64; // xorshift: the same numbers in each run
        let mut chance = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let samples = 4_000;
        let is_inside = |_| {
            let ratios = (0..12).map(|_| (-chance().ln()).powi(2)).collect(); // its median is ln(2)²
            let interval = Ratio::of(ratios).interval.unwrap();
            (interval.low..=interval.high).contains(&2.0_f64.ln().powi(2))
        };
        let share = (0..samples).map(is_inside).filter(|inside| *inside).count() as f64 / f64::from(samples);
        assert!((0.95..0.97).contains(&share), "{share}, not 0.961");
    }
}
