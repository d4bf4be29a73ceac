//! Schedules of timers, as ACR reads them.

use std::{fmt, str::FromStr};

use croner::{
    Cron as Pattern,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A schedule of five fields, in UTC: minute, hour, day of month, month, day of week.
///
/// ACR uses NCrontab, which differs from the cron of Unix: day of month **and** day of week must both match, Sunday is 0 and never 7,
/// months and weekdays may be written as any beginning of their English name, and there is no `@daily`, `L`, `W`, `#` or `?`.
/// `n/step` means from `n` to the end of the field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    text: Box<str>,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCron {
    /// It has another number of fields.
    #[error(
        "schedule `{text}` has {found} of the 5 fields minute, hour, day of month, month, day of week: write {}", in_fields(.text)
    )]
    Fields { text: String, found: usize },
    /// Something in one field makes no sense.
    #[error("schedule `{text}`: {field} `{part}` {problem}")]
    Field {
        text: String,
        field: &'static str,
        /// The invalid part of the field.
        part: String,
        problem: String,
    },
    /// A schedule whose date never occurs.
    #[error("schedule `{0}` never comes: no month has such a day")]
    Never(String),
}

/// Returns a hint for a name that other crons know, such as `@daily`; else an example.
fn in_fields(text: &str) -> &'static str {
    match text.trim() {
        "@hourly" => "0 * * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@daily" | "@midnight" => "0 0 * * *",
        _ => "0 3 * * *, for every night at three, UTC",
    }
}

/// One of the five fields: its name, its bounds, and the names of its values.
struct CronField {
    name: &'static str,
    first: u8,
    last: u8,
    names: &'static [&'static str],
}

const FIELDS: [CronField; 5] = [
    CronField::numbers("minute", 0, 59),
    CronField::numbers("hour", 0, 23),
    CronField::numbers("day of month", 1, 31),
    CronField {
        name: "month",
        first: 1,
        last: 12,
        names: &[
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ],
    },
    CronField {
        name: "day of week",
        first: 0,
        last: 6,
        names: &[
            "sunday",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
        ],
    },
];

/// Writes every number of a range.
fn span(from: u8, to: u8) -> String {
    if from == to {
        from.to_string()
    } else {
        format!("{from}-{to}")
    }
}

impl CronField {
    const fn numbers(name: &'static str, first: u8, last: u8) -> Self {
        Self {
            name,
            first,
            last,
            names: &[],
        }
    }

    /// Rewrites a field in numbers; on failure, returns the invalid part and the reason.
    fn numeric(&self, field: &str) -> Result<String, (String, String)> {
        let parts = field.split(',').map(|part| {
            self.part(part)
                .map_err(|problem| (part.to_owned(), problem))
        });
        Ok(parts.collect::<Result<Vec<_>, _>>()?.join(","))
    }

    fn part(&self, part: &str) -> Result<String, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.first, self.last),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            None => {
                let value = self.value(range)?;
                (value, step.map_or(value, |_| self.last))
            }
        };
        if from > to {
            // NCrontab swaps the bounds, so that `22-2` silently means 2 to 22.
            let [until, since] = [span(from, self.last), span(self.first, to)];
            return Err(format!("runs backwards: write {until},{since}"));
        }
        Ok(match step {
            Some(step) => format!("{from}-{to}/{step}"),
            None => span(from, to),
        })
    }

    fn step(&self, text: &str) -> Result<u8, String> {
        let longest = self.last - self.first + 1;
        match number(text) {
            Some(step @ 1..) => Ok(u8::try_from(step).unwrap_or(longest).min(longest)),
            _ => Err("must have a whole number above 0 behind the slash".into()),
        }
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let bounds = || format!("must be from {} to {}", self.first, self.last);
        if let Some(number) = number(text) {
            return match u8::try_from(number) {
                Ok(value) if (self.first..=self.last).contains(&value) => Ok(value),
                Ok(7) if self.name == "day of week" => {
                    Err("is not known: Sunday is 0, as in ACR".into())
                }
                _ => Err(bounds()),
            };
        }
        let lower = text.to_ascii_lowercase();
        let named = self
            .names
            .iter()
            .position(|name| !lower.is_empty() && name.starts_with(&lower));
        match named.and_then(|position| u8::try_from(position).ok()) {
            Some(position) => Ok(self.first + position),
            None if text.is_empty() => Err("is empty".into()),
            None if self.names.is_empty() => Err(format!("is not a number: it {}", bounds())),
            None => Err(format!(
                "is neither a number nor a name: it {}, or begin a name",
                bounds()
            )),
        }
    }
}

/// Parses a text of digits only.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

impl Cron {
    /// Returns the next time after `time` at which the schedule fires; `None` at the end of the calendar.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let pattern = self.pattern()?;
        let next = pattern.find_next_occurrence(&utc(time), false).ok()?;
        Some(next.timestamp())
    }

    /// Returns the last time up to and including `time` at which the schedule fires.
    pub fn last_until(&self, time: Timestamp) -> Option<Timestamp> {
        let pattern = self.pattern()?;
        let last = pattern.find_previous_occurrence(&utc(time), true).ok()?;
        Some(last.timestamp())
    }

    /// Returns the schedule as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn pattern(&self) -> Option<Pattern> {
        CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build()
            .parse(&numeric(&self.text).ok()?)
            .ok()
    }
}

fn utc(time: Timestamp) -> Zoned {
    time.to_zoned(TimeZone::UTC)
}

/// Rewrites a schedule in numbers.
fn numeric(text: &str) -> Result<String, InvalidCron> {
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(InvalidCron::Fields {
            text: text.into(),
            found: fields.len(),
        });
    }
    let fields = FIELDS.iter().zip(fields).map(|(field, written)| {
        field
            .numeric(written)
            .map_err(|(part, problem)| InvalidCron::Field {
                text: text.into(),
                field: field.name,
                part,
                problem,
            })
    });
    Ok(fields.collect::<Result<Vec<_>, _>>()?.join(" "))
}

impl FromStr for Cron {
    type Err = InvalidCron;

    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        let text = text.trim();
        numeric(text)?;
        let cron = Self { text: text.into() };
        // Every combination of a date and a weekday occurs within forty years, even across a century year that is no leap
        // year.
        match cron.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(InvalidCron::Never(text.into())),
        }
    }
}

impl TryFrom<String> for Cron {
    type Error = InvalidCron;

    fn try_from(text: String) -> Result<Self, InvalidCron> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text.into()
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(cron: &str, after: &str) -> String {
        let cron: Cron = cron.parse().unwrap();
        cron.next_after(at(after)).unwrap().to_string()
    }

    fn problem(cron: &str) -> String {
        cron.parse::<Cron>().unwrap_err().to_string()
    }

    #[test]
    fn next_cron_time_is_after_the_given_one_on_the_minute() {
        assert_eq!(
            next("0 21 * * *", "2026-03-01T20:59:59Z"),
            "2026-03-01T21:00:00Z"
        );
        assert_eq!(
            next("0 21 * * *", "2026-03-01T21:00:00Z"),
            "2026-03-02T21:00:00Z"
        );
        assert_eq!(
            next("*/10 * * * *", "2026-03-01T00:55:01Z"),
            "2026-03-01T01:00:00Z"
        );
        assert_eq!(
            next("5/20 * * * *", "2026-03-01T00:06:00Z"),
            "2026-03-01T00:25:00Z"
        );
        assert_eq!(
            next("5/20 * * * *", "2026-03-01T00:46:00Z"),
            "2026-03-01T01:05:00Z"
        );
        assert_eq!(
            next("* * * * *", "2026-12-31T23:59:00Z"),
            "2027-01-01T00:00:00Z"
        );
    }

    #[test]
    fn cron_day_of_month_and_weekday_must_both_match() {
        assert_eq!(
            next("0 0 13 * 5", "2026-01-01T00:00:00Z"),
            "2026-02-13T00:00:00Z"
        );
        assert_eq!(
            next("0 0 13 * 5", "2026-03-14T00:00:00Z"),
            "2026-11-13T00:00:00Z"
        );
        assert_eq!(
            next("0 0 1-7 * MON", "2026-01-06T00:00:00Z"),
            "2026-02-02T00:00:00Z"
        );
    }

    #[test]
    fn cron_months_and_weekdays_may_be_abbreviated() {
        for (long, short) in [
            ("0 0 1 january *", "0 0 1 1 *"),
            ("0 0 1 JAN *", "0 0 1 1 *"),
            ("0 0 1 jun-Jul *", "0 0 1 6-7 *"),
            ("0 0 * * Sunday", "0 0 * * 0"),
            ("0 0 * * mon-fri", "0 0 * * 1-5"),
            ("0 0 * * Tu,TH", "0 0 * * 2,4"),
        ] {
            let start = "2026-05-17T12:00:00Z";
            assert_eq!(next(long, start), next(short, start), "{long}");
        }
    }

    #[test]
    fn previous_cron_time_may_be_the_given_one() {
        let cron: Cron = "30 4 * * *".parse().unwrap();
        let last = |time| cron.last_until(at(time)).unwrap().to_string();
        assert_eq!(last("2026-03-01T04:30:00Z"), "2026-03-01T04:30:00Z");
        assert_eq!(last("2026-03-01T04:30:59.5Z"), "2026-03-01T04:30:00Z");
        assert_eq!(last("2026-03-01T04:29:59Z"), "2026-02-28T04:30:00Z");
    }

    #[test]
    fn cron_leap_day_fires_and_an_impossible_day_is_refused() {
        assert_eq!(
            next("0 0 29 2 *", "2026-03-01T00:00:00Z"),
            "2028-02-29T00:00:00Z"
        );
        assert_eq!(
            next("0 0 31 * *", "2026-02-01T00:00:00Z"),
            "2026-03-31T00:00:00Z"
        );
        assert_eq!(
            next("0 0 29 2 mon", "2026-03-01T00:00:00Z"),
            "2044-02-29T00:00:00Z"
        );
        for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
            assert_eq!(
                problem(never),
                format!("schedule `{never}` never comes: no month has such a day")
            );
        }
    }

    #[test]
    fn cron_with_another_number_of_fields_is_refused_with_their_names() {
        let example = "0 3 * * *, for every night at three, UTC";
        for (cron, found, instead) in [
            ("", 0, example),
            ("0 0 * *", 4, example),
            ("0 0 0 * * *", 6, example),
            ("@daily", 1, "0 0 * * *"),
        ] {
            assert_eq!(
                problem(cron),
                format!(
                    "schedule `{cron}` has {found} of the 5 fields minute, hour, day of month, month, day of week: write {instead}"
                )
            );
        }
    }

    #[test]
    fn invalid_cron_field_is_reported_by_name() {
        for (cron, told) in [
            ("60 * * * *", "minute `60` must be from 0 to 59"),
            ("* 24 * * *", "hour `24` must be from 0 to 23"),
            ("* * 0 * *", "day of month `0` must be from 1 to 31"),
            ("* * * 13 *", "month `13` must be from 1 to 12"),
            (
                "* * * * 7",
                "day of week `7` is not known: Sunday is 0, as in ACR",
            ),
            ("* * * * 8", "day of week `8` must be from 0 to 6"),
            (
                "* * L * *",
                "day of month `L` is not a number: it must be from 1 to 31",
            ),
            (
                "* * * foo *",
                "month `foo` is neither a number nor a name: it must be from 1 to 12, or begin a name",
            ),
            (
                "* * * * fri#2",
                "day of week `fri#2` is neither a number nor a name: it must be from 0 to 6, or begin a name",
            ),
            (
                "*/0 * * * *",
                "minute `*/0` must have a whole number above 0 behind the slash",
            ),
            (
                "*/x * * * *",
                "minute `*/x` must have a whole number above 0 behind the slash",
            ),
            ("1,,2 * * * *", "minute `` is empty"),
            ("-5 * * * *", "minute `-5` is empty"),
            (
                "* 22-2 * * *",
                "hour `22-2` runs backwards: write 22-23,0-2",
            ),
            (
                "* * * * SAT-SUN",
                "day of week `SAT-SUN` runs backwards: write 6,0",
            ),
            (
                "+1 * * * *",
                "minute `+1` is not a number: it must be from 0 to 59",
            ),
            (
                "99999999999 * * * *",
                "minute `99999999999` must be from 0 to 59",
            ),
        ] {
            assert_eq!(problem(cron), format!("schedule `{cron}`: {told}"));
        }
    }

    #[test]
    fn cron_step_over_the_field_range_fires_once() {
        assert_eq!(
            next("*/90 * * * *", "2026-03-01T00:00:00Z"),
            "2026-03-01T01:00:00Z"
        );
    }
}
