//! The goals for the figures, and whether they are met.
//!
//! Counts are exact and must hold in every run. Times depend on the machine, so they are compared with something measured in the
//! same run, or with the number of round trips that the protocol needs.

use std::{collections::BTreeSet, time::Duration};

use serde::Serialize;

use crate::{
    cases::{ACRT, Case},
    measure::Row,
    offline::{HEADING as OFFLINE, HELLO, listing, status_of},
    options::Options,
    peers::{self, CONNECTIONS},
    places::{Door, Wire},
    registry::STREAMS,
    slow::Neighbours,
};

/// By which factor a ratio may exceed its limit before `--check` fails.
const SLACK: f64 = 1.5;

/// How many repositories share a token.
const SCOPES: usize = 16;

/// Up to this many tags, one HTTP/2 connection is enough.
const ONE_CONNECTION: usize = 500;

/// Whether a goal is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The goal is met.
    Met,
    /// The goal is missed by less than the slack for a busy machine.
    Near,
    /// The goal is missed.
    Missed,
}

/// A goal, and the figure measured for it.
#[derive(Clone, Debug, Serialize)]
pub struct Goal {
    /// The goal's number in docs/performance.md.
    pub name: &'static str,
    /// The heading of the figures.
    pub heading: String,
    /// The measured figure.
    pub measured: String,
    /// The limit.
    pub limit: String,
    /// Whether the goal is met.
    pub verdict: Verdict,
    /// Which options fail if the goal is missed.
    pub weight: Weight,
}

/// Which options fail if a goal is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// `--counts` and `--check`.
    Count,
    /// `--check`.
    Ratio,
    /// None: such figures depend on the machine as much as on acrt.
    Told,
}

impl Goal {
    /// Returns a goal that is either met or missed, whatever the machine does.
    pub fn exact(
        name: &'static str,
        heading: &str,
        measured: String,
        limit: String,
        met: bool,
    ) -> Self {
        Self {
            name,
            heading: heading.to_owned(),
            measured,
            limit,
            verdict: if met { Verdict::Met } else { Verdict::Missed },
            weight: Weight::Count,
        }
    }

    fn at_most(name: &'static str, heading: &str, what: &str, measured: f64, limit: f64) -> Self {
        Self {
            name,
            heading: heading.to_owned(),
            measured: format!("{measured:.2} {what}"),
            limit: format!("{limit:.2}"),
            verdict: match measured {
                ratio if ratio <= limit => Verdict::Met,
                ratio if ratio <= limit * SLACK => Verdict::Near,
                _ => Verdict::Missed,
            },
            weight: Weight::Ratio,
        }
    }

    /// The same goal, only reported.
    fn only_told(self) -> Self {
        Self {
            weight: Weight::Told,
            ..self
        }
    }
}

/// Compares all figures with all goals.
#[must_use]
pub fn judge(rows: &[Row], cases: &[Case], neighbours: Option<Neighbours>) -> Vec<Goal> {
    let find = |heading: &str, tool: &str| {
        rows.iter()
            .find(|row| row.heading == heading && row.tool == tool)
    };
    let mut goals = Vec::new();
    for case in cases {
        let heading = case.to_string();
        let Some(row) = find(&heading, ACRT) else {
            continue;
        };
        goals.extend(counts(case, row));
        goals.extend(times(case, row));
        goals.extend(costs(case, row, find(&heading, peers::FLOOR)));
        let few = Case::new(case.place.wire, case.place.door, case.place.rtt, 100);
        if case.tags == 1000 && case.tasks == 1000 {
            goals.extend(find(&few.to_string(), ACRT).and_then(|few| growth(row, few)));
        }
    }
    for row in rows.iter().filter(|row| row.tool == ACRT) {
        goals.extend(beside_processes(
            row,
            find(&row.heading, "skopeo, 8 at once"),
        ));
    }
    if let Some(hello) = find(OFFLINE, HELLO) {
        let offline = rows.iter().filter(|row| row.heading == OFFLINE);
        goals.extend(offline.filter_map(|row| start(row, hello)));
    }
    for tasks in [1000, 10_000] {
        let list = find(OFFLINE, &listing(tasks, "table"));
        let status = find(OFFLINE, &status_of(tasks));
        goals.extend(
            list.zip(status)
                .map(|(list, status)| beside_list(status, list)),
        );
        let lists = ["json", "table"].map(|format| find(OFFLINE, &listing(tasks, format)));
        goals.extend(lists.into_iter().flatten().map(|row| {
            let heading = format!("{OFFLINE}, {}", row.tool);
            Goal::at_most("G26", &heading, "MiB", row.peak_mib(), 40.0).only_told()
        }));
    }
    goals.extend(neighbours.map(|measured| {
        let what = "times as long as beside quick ones";
        Goal::at_most(
            "G13",
            "one of four registries is slow",
            what,
            measured.ratio(),
            1.1,
        )
    }));
    goals
}

/// The requests to a registry, G1 to G3: exactly as many as expected, in every run.
fn counts(case: &Case, row: &Row) -> Vec<Goal> {
    let Some(asked) = &row.asked else {
        return Vec::new();
    };
    let tags = case.tags as u64;
    let (challenges, tokens) = match case.place.door {
        Door::Open => (0, 0),
        // The first request is sent without the password, to get the challenge.
        Door::Basic => (1, 0),
        Door::Bearer => (1, case.tags.div_ceil(SCOPES) as u64),
    };
    let heads = tags + challenges;
    // What has moved is read: an index names the platforms of its images; of a single image, which the registry has over plain http, the config
    // does.
    let gets = case.moved as u64;
    let others = match case.place.wire {
        Wire::Http => 2 * gets,
        _ => gets,
    };
    let exact = asked.heads == heads
        && asked.challenges == challenges
        && asked.tokens == tokens
        && asked.most_scopes <= SCOPES as u64
        && (asked.gets, asked.needless()) == (gets, others);
    let name = match case.moved {
        0 if case.tasks == case.tags => "G1",
        0 => "G2",
        _ => "G15",
    };
    let measured = format!(
        "{} HEAD, {} tokens, {} others{}",
        asked.heads,
        asked.tokens,
        asked.needless(),
        if row.steady { "" } else { ", not in every run" }
    );
    let limit = format!("{heads} HEAD, {tokens} tokens, {others} others");
    let most = match (case.place.is_http2(), case.tags) {
        (true, ..=ONE_CONNECTION) => 1,
        (true, _) => 4,
        // The token service has connections of its own, at most one for each group of repositories.
        (false, _) => CONNECTIONS as u64 + tokens,
    };
    vec![
        Goal::exact(name, &row.heading, measured, limit, exact && row.steady),
        Goal::exact(
            "G3",
            &row.heading,
            format!("{} connections", asked.connections),
            format!("at most {most}"),
            asked.connections <= most,
        ),
    ]
}

/// The duration of a round in round trips, G4 to G7 and G14.
fn times(case: &Case, row: &Row) -> Option<Goal> {
    if case.place.rtt == 0 {
        return None;
    }
    let trips = row.wall.as_secs_f64() / case.place.round_trip().as_secs_f64();
    let at_once = match case.place.wire {
        Wire::Https => STREAMS as usize,
        _ => CONNECTIONS,
    };
    let model = |opening: usize| (opening + case.tags.div_ceil(at_once)) as f64;
    let (name, limit) = match (case.place.wire, case.place.door, case.tags, case.tasks) {
        (_, _, 50, _) => ("G2", 6.0),
        (Wire::Https, Door::Open, 1, _) => ("G7", 3.5),
        (Wire::Https, Door::Bearer, 1, _) => ("G7", 7.7),
        (Wire::Https, Door::Open, 1000, 1000) => ("G4", 1.25 * model(3)),
        (Wire::Http, Door::Open, 1000, 1000) => ("G5", 1.25 * model(1)),
        (Wire::Https, Door::Open, 10_000, _) => ("G14", 40.0),
        _ => return None,
    };
    Some(Goal::at_most(
        name,
        &row.heading,
        "round trips",
        trips,
        limit,
    ))
}

/// CPU time, memory and bytes, G8 to G10.
fn costs(case: &Case, row: &Row, floor: Option<&Row>) -> Vec<Goal> {
    let mut goals = Vec::new();
    if case.tags < 100 {
        return goals;
    }
    let alone = case.tasks == case.tags;
    if alone && case.tags >= 1000 && case.place.door == Door::Open {
        let limit = if case.place.is_http2() { 60.0 } else { 100.0 };
        let micros = row.cpu.as_secs_f64() * 1e6 / case.tags as f64;
        let goal = Goal::at_most("G8", &row.heading, "µs of CPU a tag", micros, limit);
        goals.push(goal.only_told());
        goals.extend(floor.map(|floor| {
            let ratio = row.cpu.as_secs_f64() / floor.cpu.as_secs_f64();
            Goal::at_most("G8", &row.heading, "times the CPU of the floor", ratio, 7.0)
        }));
    }
    let memory = match case.tasks {
        ..=1000 => 14.0,
        _ => 32.0,
    };
    if case.moved > 0 {
        let goal = Goal::at_most("G15", &row.heading, "MiB", row.peak_mib(), 100.0);
        goals.push(goal);
    } else if case.tasks >= 1000 {
        let goal = Goal::at_most("G9", &row.heading, "MiB", row.peak_mib(), memory);
        goals.push(goal.only_told());
    }
    if let Some(bytes) = row.bytes_per_tag() {
        let limit = match (case.place.door, case.place.is_http2()) {
            (Door::Bearer, true) => 2500.0,
            // The token that each request carries does not compress.
            (Door::Bearer, false) => 3500.0,
            (_, true) => 500.0,
            (_, false) => 1000.0,
        };
        goals.push(Goal::exact(
            "G10",
            &row.heading,
            format!("{bytes:.0} bytes a tag"),
            format!("{limit:.0}"),
            bytes <= limit,
        ));
    }
    goals
}

/// Whether ten times the tags cost at most ten times the bytes, G10.
fn growth(many: &Row, few: &Row) -> Option<Goal> {
    let ratio = many.asked.as_ref()?.bytes() as f64 / few.asked.as_ref()?.bytes() as f64;
    Some(Goal::exact(
        "G10",
        &many.heading,
        format!("{ratio:.1} times the bytes of 100 tags"),
        "11".to_owned(),
        ratio <= 11.0,
    ))
}

/// One process for all images compared with a process for each, G6.
fn beside_processes(row: &Row, processes: Option<&Row>) -> Option<Goal> {
    let processes = processes.filter(|_| row.tags >= 100)?;
    let share = row.wall.as_secs_f64() / processes.wall.as_secs_f64();
    let what = "of the time of skopeo, 8 at once";
    Some(Goal::at_most("G6", &row.heading, what, share, 1.0 / 15.0))
}

/// Commands without network requests, compared with a program that does nothing, G11 and G12.
fn start(row: &Row, hello: &Row) -> Option<Goal> {
    // Reading a thousand small files takes as long as starting several programs.
    let limit = match row.tool.as_str() {
        HELLO => return None,
        tool if tool == listing(1000, "none") => 9.0,
        tool if tool == listing(10_000, "none") => 35.0,
        tool if tool == listing(10_000, "json") || tool == listing(10_000, "table") => 105.0,
        tool if tool.contains(" tasks") => return None,
        // It reads the settings, one definition and its state.
        tool if tool.starts_with("acrt task show") => 1.8,
        _ => 1.5,
    };
    let name = if limit > 2.0 { "G12" } else { "G11" };
    // The shortest times are compared: a start is so short that its median is mostly noise.
    let ratio = row.best.as_secs_f64() / hello.best.max(Duration::from_micros(1)).as_secs_f64();
    let heading = format!("{OFFLINE}, {}", row.tool);
    Some(Goal::at_most(
        name,
        &heading,
        "times a hello world",
        ratio,
        limit,
    ))
}

/// `status` compared with the bare list, G29.
fn beside_list(status: &Row, list: &Row) -> Goal {
    let ratio = status.best.as_secs_f64() / list.best.as_secs_f64();
    let heading = format!("{OFFLINE}, {}", status.tool);
    Goal::at_most("G29", &heading, "times the list as a table", ratio, 1.5)
}

/// Returns the headings of the missed goals that `options` check and that another try might meet.
#[must_use]
pub fn worth_another_try(goals: &[Goal], options: &Options) -> BTreeSet<String> {
    let missed = goals.iter().filter(|goal| {
        let checked = match goal.weight {
            Weight::Count => options.check || options.counts,
            Weight::Ratio => options.check,
            Weight::Told => false,
        };
        goal.verdict == Verdict::Missed && checked
    });
    missed.map(|goal| goal.heading.clone()).collect()
}
