//! Days and weeks in UTC, from milliseconds since 1970.
//!
//! Not here: what a day means for the open rate (`mix`). Invariant: the weekly cycle has no jump at
//! the end of a year of 53 weeks.

const DAY_MS: u64 = 86_400_000;
/// Monday 2025-12-22, in days since 1970: the week before week 1 of 2026, so that in 2026 the count
/// of weeks equals the ISO week. It continues where ISO weeks start over.
const ANCHOR: i64 = 20_444;

/// Day of the month, 1 to 31 (the civil calendar from a count of days; H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
pub fn day_of_month(now_ms: u64) -> u8 {
    let days = (now_ms / DAY_MS) as i64 + 719_468;
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    (of_year - (153 * month + 2) / 5 + 1) as u8
}

/// The index into a cycle of `length` days, a multiple of 7. Monday of the first week is 0.
pub fn cycle_index(now_ms: u64, length: usize) -> usize {
    let days = (now_ms / DAY_MS) as i64 - ANCHOR;
    days.rem_euclid(length.max(1) as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds of a day in 2026 or 2027, by its number. 2026-01-01 is 0.
    fn day_of_2026(number: u64) -> u64 {
        (20_454 + number) * DAY_MS
    }

    #[test]
    fn days_of_the_month() {
        assert_eq!(day_of_month(0), 1);
        assert_eq!(day_of_month(day_of_2026(0)), 1);
        assert_eq!(day_of_month(day_of_2026(58)), 28);
        assert_eq!(day_of_month(day_of_2026(59)), 1);
        assert_eq!(day_of_month(day_of_2026(324)), 21);
        assert_eq!(day_of_month(951_782_400_000), 29); // 2000-02-29
    }

    #[test]
    fn b20_the_cycle_does_not_jump_at_the_end_of_a_year_of_53_weeks() {
        let monday_of_week_53 = day_of_2026(361); // 2026-12-28
        let monday_of_week_1 = day_of_2026(368); // 2027-01-04
        assert_eq!(cycle_index(monday_of_week_53, 14), 7);
        assert_eq!(cycle_index(monday_of_week_1, 14), 0);
        assert_eq!(cycle_index(day_of_2026(4), 14), 0); // Monday of ISO week 2
    }
}
