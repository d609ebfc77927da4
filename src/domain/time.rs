//! Points in time as the store spells them: UTC, `YYYY-MM-DDTHH:MM:SSZ`.
//!
//! Reading accepts what Python 3.11's `datetime.fromisoformat` accepts (ISO 8601 basic, extended and
//! week forms), on every platform alike. Nothing here asks for the current time.

use chrono::{
    DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc, Weekday,
};

/// A moment in UTC, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    pub fn new(moment: DateTime<Utc>) -> Self {
        Timestamp(moment)
    }

    pub fn moment(self) -> DateTime<Utc> {
        self.0
    }

    /// Parse an ISO 8601 moment; without a zone it is UTC. `None` when it is no such text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let joined = text.split_whitespace().collect::<Vec<_>>().join("T");
        // A lower-case zone letter is common in hand-written input and means the same.
        let (body, zulu) = match joined.strip_suffix(['Z', 'z']) {
            Some(body) => (body, true),
            None => (joined.as_str(), false),
        };
        let (date, rest) = split_date(body)?;
        let Some(rest) = rest else {
            return Some(Timestamp(date.and_time(NaiveTime::MIN).and_utc()));
        };
        let (clock, offset) = match rest.find(['+', '-']) {
            Some(at) if !zulu => (&rest[..at], parse_offset(&rest[at..])?),
            Some(_) => return None,
            None => (rest, Duration::zero()),
        };
        let moment = NaiveDateTime::new(date, parse_clock(clock)?);
        Some(Timestamp(moment.checked_sub_signed(offset)?.and_utc()))
    }

    /// Whole seconds, the form that is stored.
    pub fn to_text(self) -> String {
        self.0.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The stored form, with microseconds when there are any.
    pub fn to_precise_text(self) -> String {
        if self.0.timestamp_subsec_micros() == 0 {
            return self.to_text();
        }
        self.0.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }

    /// `YYYYMMDDTHHMMSSZ`, the form inside backport ids.
    pub fn to_compact_text(self) -> String {
        self.0.format("%Y%m%dT%H%M%SZ").to_string()
    }

    /// `YYYY-MM-DD`.
    pub fn to_day(self) -> String {
        self.0.format("%Y-%m-%d").to_string()
    }

    /// Whole days from `earlier` to `self`, never negative.
    pub fn days_since(self, earlier: Timestamp) -> i64 {
        (self.0 - earlier.0).num_seconds().max(0) / 86_400
    }

    /// `days` before; saturates at the earliest moment that can be written.
    pub fn days_before(self, days: i64) -> Timestamp {
        let earliest = NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or(NaiveDate::MIN);
        let earliest = earliest.and_time(NaiveTime::MIN).and_utc();
        let span = Duration::try_days(days.max(0)).unwrap_or(Duration::MAX);
        let moment = self.0.checked_sub_signed(span).unwrap_or(earliest);
        Timestamp(moment.max(earliest))
    }
}

/// Whole days between a stored text and `now`; `None` when the text is no time.
pub fn age_days(text: Option<&str>, now: Timestamp) -> Option<i64> {
    Some(now.days_since(Timestamp::parse(text?)?))
}

fn digits(text: &str, length: usize) -> Option<u32> {
    if text.len() != length || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The date and what follows the separator behind it.
fn split_date(text: &str) -> Option<(NaiveDate, Option<&str>)> {
    if !text.is_ascii() {
        return None;
    }
    let dashed = text.as_bytes().get(4) == Some(&b'-');
    let week_at = if dashed { 5 } else { 4 };
    let length = match (text.as_bytes().get(week_at) == Some(&b'W'), dashed) {
        (true, true) if text.as_bytes().get(8) == Some(&b'-') => 10,
        (true, true) => 8,
        (true, false) => {
            if text.as_bytes().get(7).is_some_and(u8::is_ascii_digit) {
                8
            } else {
                7
            }
        }
        (false, true) => 10,
        (false, false) => 8,
    };
    let date = parse_date(text.get(..length)?)?;
    if text.len() == length {
        return Some((date, None));
    }
    // Python takes any single character between date and time.
    Some((date, Some(text.get(length + 1..)?)))
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let year: i32 = digits(text.get(..4)?, 4)?.try_into().ok()?;
    let rest = &text[4..];
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let date = if let Some(week) = rest.strip_prefix('W') {
        let number = digits(week.get(..2)?, 2)?;
        let day = match week[2..].strip_prefix('-').unwrap_or(&week[2..]) {
            "" => 1,
            day => digits(day, 1)?,
        };
        let day = Weekday::try_from(u8::try_from(day.checked_sub(1)?).ok()?).ok()?;
        NaiveDate::from_isoywd_opt(year, number, day)?
    } else {
        let month = digits(rest.get(..2)?, 2)?;
        let day = rest[2..].strip_prefix('-').unwrap_or(&rest[2..]);
        NaiveDate::from_ymd_opt(year, month, digits(day, 2)?)?
    };
    (date.year() >= 1).then_some(date)
}

fn parse_clock(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let parts: Vec<&str> = if whole.contains(':') {
        whole.split(':').collect()
    } else {
        (0..whole.len())
            .step_by(2)
            .map(|at| whole.get(at..at + 2))
            .collect::<Option<_>>()?
    };
    if parts.is_empty() || parts.len() > 3 {
        return None;
    }
    let mut numbers = [0_u32; 3];
    for (slot, part) in numbers.iter_mut().zip(&parts) {
        *slot = digits(part, 2)?;
    }
    let micros = match fraction {
        None => 0,
        Some(_) if parts.len() < 3 => return None,
        Some(text) if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) => {
            return None;
        }
        Some(text) => digits(&format!("{text:0<6}")[..6], 6)?,
    };
    let time = NaiveTime::from_hms_opt(numbers[0], numbers[1], numbers[2])?;
    time.with_nanosecond(micros * 1000)
}

fn parse_offset(text: &str) -> Option<Duration> {
    let negative = text.starts_with('-');
    let clock = parse_clock(&text[1..])?;
    let seconds = i64::from(clock.num_seconds_from_midnight());
    let span = Duration::seconds(seconds) + Duration::nanoseconds(i64::from(clock.nanosecond()));
    Some(if negative { -span } else { span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_forms() {
        for (text, expected) in [
            ("2026-03-10", "2026-03-10T00:00:00Z"),
            ("2026-03-10T07", "2026-03-10T07:00:00Z"),
            ("2026-03-10T07:05", "2026-03-10T07:05:00Z"),
            ("2026-03-10 07:05:09", "2026-03-10T07:05:09Z"),
            ("2026-03-10T00:00:00z", "2026-03-10T00:00:00Z"),
            ("20260310", "2026-03-10T00:00:00Z"),
            ("20260310T000000Z", "2026-03-10T00:00:00Z"),
            ("2026-W11-2", "2026-03-10T00:00:00Z"),
            ("2026W112", "2026-03-10T00:00:00Z"),
            ("2026-W11", "2026-03-09T00:00:00Z"),
            ("2026-02-15T00:00:00+05:30", "2026-02-14T18:30:00Z"),
            ("2026-02-15T00:00:00-0200", "2026-02-15T02:00:00Z"),
            ("2026-02-15T00:00:00+02", "2026-02-14T22:00:00Z"),
            ("2026-03-10T00:00:00.5Z", "2026-03-10T00:00:00.500000Z"),
            (
                "2026-03-10T00:00:00,123456789",
                "2026-03-10T00:00:00.123456Z",
            ),
            (" 2026-03-10T01:02:03Z ", "2026-03-10T01:02:03Z"),
        ] {
            let parsed = Timestamp::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(parsed.to_precise_text(), expected, "{text}");
        }
    }

    #[test]
    fn refused_forms() {
        for text in [
            "",
            "yesterday",
            "2026",
            "2026-03",
            "10/03/2026",
            "2026-02-30",
            "1773100000",
            "2026-03-10T24:00:00",
            "2026-03-10T00:00:60",
            "2026-13-01",
            "2026-03-10T",
            "２０２６-03-10",
            "2026-03-10T1",
            "2026-03-10T00:00:00+",
            "2026-03-10T00:00:00Z+01:00",
        ] {
            assert!(Timestamp::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn ages() {
        let now = Timestamp::parse("2026-03-08T00:00:00Z").expect("a time");
        assert_eq!(age_days(Some("2026-03-01T00:00:00Z"), now), Some(7));
        assert_eq!(age_days(Some("2026-03-01T00:00:01Z"), now), Some(6));
        assert_eq!(age_days(Some("2027-03-01T00:00:01Z"), now), Some(0));
        assert_eq!(age_days(Some("soon"), now), None);
        assert_eq!(now.days_before(3_000_000).to_day(), "0001-01-01");
    }
}
