//! The statistical mix: what a message gets by chance if its address asks for nothing in
//! particular.
//!
//! Not here: the answers that an address asks for (`address`). Invariant: the intervals of one draw
//! do not overlap, so that each outcome has exactly its own probability.

use crate::calendar;
use crate::settings::Settings;

/// Probabilities for one message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    pub in_band: f64,
    pub oob: f64,
    pub fbl: f64,
    pub open: f64,
    pub open_again_given_open: f64,
    pub click_given_open: f64,
    pub click_again_given_click: f64,
}

/// What a draw chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    Refuse,
    Bounce,
    Complain,
    Open,
    Accept,
}

impl Mix {
    /// The probabilities for a message to `local_part` at this time.
    pub fn new(settings: &Settings, local_part: &str, now_ms: u64) -> Mix {
        let ours = 1.0 - settings.upstream_handled / 100.0;
        // If upstream handles everything, there is nothing left to answer by chance.
        let share = |percent: f64| if ours > 0.0 { percent / 100.0 / ours } else { 0.0 };
        let factor = factor(settings, local_part, now_ms);
        let in_band = share(in_band_percent(settings, now_ms)).min(1.0);
        let oob = share(settings.oob_percent).min(1.0 - in_band);
        let fbl = share(settings.fbl_percent).min(1.0 - in_band - oob);
        // Clipped last: a share above 1 can still be a probability on a day whose factor is below
        // 1.
        let open = (share(settings.open_percent) * factor).min(1.0 - in_band - oob - fbl);
        let open_again = share(settings.open_again_percent) * factor;
        let click = (share(settings.click_percent) * factor).min(open);
        let click_again = share(settings.click_again_percent) * factor;
        Mix {
            in_band,
            oob,
            fbl,
            open,
            open_again_given_open: given(
                open_again,
                open,
                settings.open_again_percent,
                settings.open_percent,
            ),
            click_given_open: given(click, open, settings.click_percent, settings.open_percent),
            click_again_given_click: given(
                click_again,
                click,
                settings.click_again_percent,
                settings.click_percent,
            ),
        }
    }

    pub fn draw(&self, chance: f64) -> Drawn {
        let mut below = 0.0;
        let shares = [
            (self.in_band, Drawn::Refuse),
            (self.oob, Drawn::Bounce),
            (self.fbl, Drawn::Complain),
            (self.open, Drawn::Open),
        ];
        for (share, drawn) in shares {
            below += share;
            if chance < below {
                return drawn;
            }
        }
        Drawn::Accept
    }
}

/// Today's percentage of refusals.
fn in_band_percent(settings: &Settings, now_ms: u64) -> f64 {
    let rates = &settings.weekly_cycle_bounce_rate;
    rates.get(calendar::cycle_index(now_ms, rates.len())).copied().unwrap_or(settings.in_band_percent)
}

/// The probability of a part given the whole. On a day without the whole, the percentages decide,
/// because an address that asks to be opened is opened on any day.
fn given(part: f64, whole: f64, part_percent: f64, whole_percent: f64) -> f64 {
    if whole > 0.0 {
        (part / whole).min(1.0)
    } else if whole_percent > 0.0 {
        part_percent / whole_percent
    } else {
        0.0
    }
}

/// The factor of today's open rate. Mail with the Signals prefix is opened only on the days of its
/// digit, and more often on those, so that all digits together meet the open rate.
fn factor(settings: &Settings, local_part: &str, now_ms: u64) -> f64 {
    let rates = &settings.weekly_cycle_open_rate;
    let rate = rates.get(calendar::cycle_index(now_ms, rates.len())).copied().unwrap_or(1.0);
    let Some(digit) = signals_digit(&settings.signals_traffic_prefix, local_part) else {
        return rate;
    };
    let days = settings.active_days();
    let most = days.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let density = days.iter().map(Vec::len).sum::<usize>() as f64 / (10 * most) as f64;
    let today = days[usize::from(digit)].contains(&calendar::day_of_month(now_ms));
    if today && density > 0.0 {
        rate / density
    } else {
        0.0
    }
}

/// The last digit of a local part with the Signals prefix.
fn signals_digit(prefix: &str, local_part: &str) -> Option<u8> {
    let alpha = local_part.split('+').next().unwrap_or("");
    let last = local_part.bytes().last().filter(u8::is_ascii_digit)?;
    (!prefix.is_empty() && alpha.eq_ignore_ascii_case(prefix)).then_some(last - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// bouncy-sink's shipped values.
    fn shipped() -> Settings {
        Settings {
            open_percent: 55.0,
            open_again_percent: 10.0,
            click_percent: 15.0,
            click_again_percent: 3.0,
            upstream_handled: 50.0,
            ..Settings::default()
        }
    }

    #[test]
    fn the_shipped_values_give_the_shipped_probabilities() {
        let mix = Mix::new(&shipped(), "x", 0);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(
            close(mix.oob, 0.01) && close(mix.fbl, 0.0002) && close(mix.open, 1.0 - 0.01 - 0.0002),
            "{mix:?}"
        );
        assert!(
            close(mix.open_again_given_open * mix.open, 0.2) && close(mix.click_given_open * mix.open, 0.3),
            "{mix:?}"
        );
        assert!(close(mix.click_again_given_click, 0.2), "{mix:?}");
    }

    #[test]
    fn a_weak_day_lowers_the_rate_before_it_is_clipped() {
        let weak = Settings { weekly_cycle_open_rate: vec![0.5; 7], ..shipped() };
        assert!((Mix::new(&weak, "x", 0).open - 0.55).abs() < 1e-9);
        let none = Settings { weekly_cycle_open_rate: vec![0.0; 7], ..shipped() };
        let mix = Mix::new(&none, "x", 0);
        assert_eq!(mix.open, 0.0);
        assert!((mix.click_given_open - 15.0 / 55.0).abs() < 1e-9, "{mix:?}");
    }

    #[test]
    fn b15_each_outcome_has_its_own_interval() {
        let mix = Mix {
            in_band: 0.125,
            oob: 0.125,
            fbl: 0.125,
            open: 0.5,
            open_again_given_open: 0.0,
            click_given_open: 0.0,
            click_again_given_click: 0.0,
        };
        let drawn: Vec<Drawn> = (0..1024).map(|n| mix.draw(f64::from(n) / 1024.0)).collect();
        let count = |what| drawn.iter().filter(|drawn| **drawn == what).count();
        assert_eq!((count(Drawn::Bounce), count(Drawn::Complain), count(Drawn::Open)), (128, 128, 512));
        assert_eq!(count(Drawn::Refuse), 128);
    }

    #[test]
    fn b16_digits_matter_only_to_mail_with_the_prefix() {
        let mut settings = shipped();
        settings.upstream_handled = 0.0;
        settings.signals_traffic_prefix = "test".into();
        settings.digit_days.insert("1".into(), vec![1]);
        settings.digit_days.insert("2".into(), vec![0]);
        let first_of_january = 0;
        assert!((Mix::new(&settings, "other+x1", first_of_january).open - 0.55).abs() < 1e-9);
        assert!(Mix::new(&settings, "test+x1", first_of_january).open > 0.5);
        assert_eq!(Mix::new(&settings, "test+x2", first_of_january).open, 0.0);
        assert_eq!(Mix::new(&settings, "test+x1", 86_400_000).open, 0.0);
    }

    #[test]
    fn b17_zero_percentages_never_fire() {
        let mut settings = shipped();
        (settings.oob_percent, settings.fbl_percent, settings.open_percent) = (0.0, 0.0, 0.0);
        assert_eq!(Mix::new(&settings, "x", 0).draw(0.0), Drawn::Accept);
        settings.upstream_handled = 100.0;
        assert_eq!(Mix::new(&settings, "x", 0).draw(0.0), Drawn::Accept);
    }
}
