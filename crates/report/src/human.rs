//! Numbers as people read them.

use std::time::Duration;

/// `1,048,575`
///
/// ```
/// assert_eq!(report::human::count(1_048_575), "1,048,575");
/// ```
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things: `1 entity`, `1,204 entities`.
///
/// ```
/// assert_eq!(report::human::counted(1, "entity", "entities"), "1 entity");
/// ```
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// `0.42s`, `4.2s`, `42s`, `1m12s`, `2h05m`: as exact as one wants to know it.
///
/// ```
/// assert_eq!(report::human::duration(std::time::Duration::from_secs(72)), "1m12s");
/// ```
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    // Each border stands where the rounded figure would need the next form.
    if seconds < 0.995 {
        format!("{seconds:.2}s")
    } else if seconds < 9.95 {
        format!("{seconds:.1}s")
    } else if seconds < 59.5 {
        format!("{seconds:.0}s")
    } else if seconds < 3599.5 {
        let whole = seconds.round() as u64;
        format!("{}m{:02}s", whole / 60, whole % 60)
    } else {
        let minutes = (seconds / 60.0).round() as u64;
        format!("{}h{:02}m", minutes / 60, minutes % 60)
    }
}

/// Three figures and a unit: `950`, `41.2k`, `1.05M`. For rates such as tokens a second.
///
/// ```
/// assert_eq!(report::human::short(41_234.0), "41.2k");
/// ```
pub fn short(number: f64) -> String {
    let (mut scaled, mut unit) = (number, "");
    for larger in ["k", "M", "G", "T"] {
        // 999.5 would be rounded to four figures.
        if scaled.abs() < 999.5 {
            break;
        }
        (scaled, unit) = (scaled / 1000.0, larger);
    }
    let decimals = match scaled.abs() {
        _ if unit.is_empty() => 0,
        s if s < 9.995 => 2,
        s if s < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.decimals$}{unit}")
}

/// `512 B`, `9.0 KiB`, `96.4 MiB`
///
/// ```
/// assert_eq!(report::human::bytes(9_472_068), "9.0 MiB");
/// ```
pub fn bytes(n: u64) -> String {
    let (mut scaled, mut unit) = (n as f64, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if scaled < 1023.95 {
            break;
        }
        (scaled, unit) = (scaled / 1024.0, larger);
    }
    let decimals = usize::from(unit != "B");
    format!("{scaled:.decimals$} {unit}")
}

/// A share of 1 as a percentage of two decimals: `85.56`.
///
/// ```
/// assert_eq!(report::human::percent(0.8556), "85.56");
/// ```
pub fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_before_every_third_digit() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345")];
        for (n, expected) in cases {
            assert_eq!(count(n), expected);
        }
        assert_eq!(count(100_000), "100,000");
    }

    #[test]
    fn durations_never_show_sixty_seconds_or_minutes() {
        let cases = [
            (0.0, "0.00s"),
            (0.994, "0.99s"),
            (0.996, "1.0s"),
            (9.94, "9.9s"),
            (9.96, "10s"),
            (59.4, "59s"),
            (59.6, "1m00s"),
            (3599.4, "59m59s"),
            (3599.6, "1h00m"),
            (7500.0, "2h05m"),
            (86_399.0, "24h00m"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn short_numbers_have_at_most_three_figures() {
        let cases = [
            (0.0, "0"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (9_994.0, "9.99k"),
            (9_996.0, "10.0k"),
            (99_960.0, "100k"),
            (999_600.0, "1.00M"),
            (2_368_017.0, "2.37M"),
        ];
        for (number, expected) in cases {
            assert_eq!(short(number), expected, "{number}");
        }
    }

    #[test]
    fn bytes_change_their_unit_before_they_need_four_figures_and_more() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_048_575, "1.0 MiB")];
        for (n, expected) in cases {
            assert_eq!(bytes(n), expected);
        }
    }
}
