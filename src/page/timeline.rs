//! The events of the last days, as a chart and as a list.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp, ToSpan as _};
use maud::{PreEscaped, html};

use super::parts::{brief, frame, moment, text};

/// How many days the chart covers.
const DAYS: i64 = 7;

/// How many hours one bar covers.
const HOURS: i64 = 6;

/// How many events are listed.
const LISTED: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimelineEventKind {
    Moved,
    Rebuilt,
    Failed,
}

impl TimelineEventKind {
    const ALL: [Self; 3] = [Self::Moved, Self::Rebuilt, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Rebuilt => "rebuilt",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEvent {
    pub time: Timestamp,
    pub kind: TimelineEventKind,
    /// The task or image of the event.
    pub subject: String,
    /// The path of the page with details.
    pub link: String,
    /// Details, on one line.
    pub detail: String,
}

/// Returns the start of the chart.
pub fn since(now: Timestamp) -> Timestamp {
    let end = end(now);
    end.checked_sub(SignedDuration::from_hours(DAYS * 24))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns the end of the bar that `now` falls into; the chart does not change before.
fn end(now: Timestamp) -> Timestamp {
    let bar = HOURS * 3600;
    let second = (now.as_second().div_euclid(bar) + 1) * bar;
    Timestamp::from_second(second).unwrap_or(now)
}

/// Shows the events, the newest first.
pub fn timeline(happened: &[TimelineEvent], now: Timestamp) -> String {
    let begin = since(now);
    let count = |kind| happened.iter().filter(|it| it.kind == kind).count();
    let main = html! {
        h1 { "The last " (DAYS) " days" }
        div id="timeline" data-live {
            ul.key { @for kind in TimelineEventKind::ALL {
                li {
                    svg viewBox="0 0 8 8" aria-hidden="true" { rect class=(kind.word()) width="8" height="8" {} }
                    (count(kind)) " " (kind.word())
                }
            } }
            div.picture { (PreEscaped(picture(happened, begin))) }
            h2 { "What happened" }
            @if happened.is_empty() { p.dim { "Nothing." } }
            div.scroll tabindex="0" role="region" aria-label="What happened" { table {
                thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "To what" } th scope="col" { "Detail" } } }
                tbody { @for one in happened.iter().take(LISTED) { tr {
                    td.tight { (moment(one.time)) }
                    td { (one.kind.word()) }
                    td { a href=(one.link) { (text(&one.subject)) } }
                    td.reason { (brief(&one.detail)) }
                } } }
            } }
        }
    };
    frame("Timeline", "/timeline", &main)
}

/// Lengths in the chart, in its units.
const BAR: i64 = 8;
const SLOT: i64 = 3 * BAR + 6;
const TALL: i64 = 120;

/// Draws three bars for each period: moved, rebuilt, failed.
fn picture(happened: &[TimelineEvent], begin: Timestamp) -> String {
    let slots = DAYS * 24 / HOURS;
    let mut counts = vec![[0_i64; 3]; usize::try_from(slots).unwrap_or_default()];
    for one in happened {
        let slot = one.time.duration_since(begin).as_hours().div_euclid(HOURS);
        if let Some(counts) = usize::try_from(slot)
            .ok()
            .and_then(|slot| counts.get_mut(slot))
        {
            counts[one.kind as usize] += 1;
        }
    }
    let most = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
    let (width, height) = (slots * SLOT, TALL + 24);
    let mut out = format!(
        "<svg class=\"fit\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"What moved, was rebuilt and failed in the last {DAYS} days, in parts of {HOURS} hours\">\n"
    );
    for (slot, counts) in (0_i64..).zip(&counts) {
        let x = slot * SLOT;
        let time = begin.checked_add((slot * HOURS).hours()).unwrap_or(begin);
        if time.as_second().rem_euclid(86_400) == 0 {
            let day = time.strftime("%a %d %b");
            let text = x + 3;
            let below = TALL + 18;
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{x}\" y1=\"0\" x2=\"{x}\" y2=\"{height}\"/><text class=\"axis\" x=\"{text}\" y=\"{below}\">{day}</text>"
            );
        }
        for (place, kind) in (0_i64..).zip(TimelineEventKind::ALL) {
            let count = counts[kind as usize];
            if count == 0 {
                continue;
            }
            // A minimum height, so that one event is visible beside a thousand.
            let tall = (count * TALL / most).max(4);
            let (x, y, word) = (x + 3 + place * BAR, TALL - tall, kind.word());
            let from = time.strftime("%Y-%m-%d %H:%M UTC");
            let _ = writeln!(
                out,
                "<rect class=\"{word}\" x=\"{x}\" y=\"{y}\" width=\"{BAR}\" height=\"{tall}\"><title>{count} {word} from {from}</title></rect>"
            );
        }
    }
    out + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeline_counts_events_in_their_part_of_the_day() {
        let now: Timestamp = "2026-11-29T13:00:00Z".parse().unwrap();
        assert_eq!(since(now).to_string(), "2026-11-22T18:00:00Z");
        let at = |time: &str, kind| TimelineEvent {
            time: time.parse().unwrap(),
            kind,
            subject: "<web>".into(),
            link: "/runs/ca1".into(),
            detail: "\"x\"".into(),
        };
        let happened = [
            at("2026-11-29T12:30:00Z", TimelineEventKind::Failed),
            at("2026-11-29T12:10:00Z", TimelineEventKind::Failed),
            at("2026-11-28T23:59:59Z", TimelineEventKind::Moved),
        ];
        let page = timeline(&happened, now);
        assert!(
            page.contains("<title>2 failed from 2026-11-29 12:00 UTC</title>"),
            "{page}"
        );
        assert!(page.contains("<title>1 moved from 2026-11-28 18:00 UTC</title>"));
        assert!(page.contains("&lt;web&gt;") && !page.contains("<web>"));
        // The same chart until the next period starts.
        let later: Timestamp = "2026-11-29T17:59:00Z".parse().unwrap();
        assert_eq!(timeline(&happened, later), page);
    }
}
