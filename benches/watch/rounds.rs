//! Counts requests in whole rounds and loops: beside a registry that hangs, one with a rate limit, one that refuses a HEAD, after a
//! webhook, and when a base of many tasks has moved. Nothing is timed.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{
    content::repository,
    counts::Kind,
    goals::Goal,
    home::{Home, Site},
    places::{Door, Endpoint, Place, Servers, Wire},
    registry::Temper,
};

/// The heading of these figures.
pub const HEADING: &str = "whole rounds";

/// Tags on each registry of a loop.
const TAGS: usize = 10;

/// How long a loop may take to reach the expected state.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts everything, and returns the goals.
///
/// # Errors
///
/// If acrt fails.
pub fn measure(servers: &Servers, quick: bool) -> Result<Vec<Goal>> {
    let [hanging, resting] = beside_others(servers)?;
    Ok(vec![
        goal(
            "G16",
            "one of three registries hangs",
            hanging,
            &TAGS.to_string(),
        ),
        goal("G17", "one of three registries wants rest", resting, "1"),
        refused_head(servers)?,
        announced(servers)?,
        moved_base(servers, if quick { 20 } else { 200 })?,
    ])
}

fn goal(name: &'static str, what: &str, measured: impl ToString, limit: &str) -> Goal {
    let (heading, measured) = (format!("{HEADING}, {what}"), measured.to_string());
    let is_met = measured == limit;
    Goal::exact(name, &heading, measured, limit.to_owned(), is_met)
}

fn open(servers: &Servers) -> Result<Endpoint> {
    let place = Place {
        wire: Wire::Http,
        door: Door::Open,
        rtt: 0,
    };
    servers.open(place, Duration::ZERO)
}

/// Watches three registries in a loop, each second, until one of them has been looked at three times. Returns the number of requests to
/// the one that never responds, one for each tag, and to the one with a rate limit of an hour.
fn beside_others(servers: &Servers) -> Result<[u64; 2]> {
    let all = [open(servers)?, open(servers)?, open(servers)?];
    let [even, hanging, resting] = &all;
    hanging.registry.behave(Temper::Hangs);
    resting.registry.behave(Temper::Rests);
    let sites: Vec<Site> = all.iter().map(|one| one.site.clone()).collect();
    let home = Home::make(&sites, TAGS * all.len(), TAGS, &servers.identity.ca_file)?;
    home.look_every(1)?;
    until(&home, None, || even.registry.sequence().len() >= 3 * TAGS)?;
    let asked = |one: &Endpoint| {
        let asked = one.registry.asked();
        asked.heads + asked.needless()
    };
    Ok([asked(hanging), asked(resting)])
}

/// Watches a registry that refuses the first HEAD, and counts the requests until acrt uses HEADs again.
fn refused_head(servers: &Servers) -> Result<Goal> {
    let endpoint = open(servers)?;
    endpoint.registry.behave(Temper::RefusesHead);
    let sites = [endpoint.site.clone()];
    let home = Home::make(&sites, 1, 1, &servers.identity.ca_file)?;
    home.look_every(60)?;
    let enough = || endpoint.registry.sequence().len() >= 16;
    until(&home, Some("2026-01-31T08:00:00Z"), enough)?;
    let sequence = endpoint.registry.sequence();
    let first = sequence.iter().take(16);
    let letters = first.map(|kind| match kind {
        Kind::Head => 'H',
        Kind::Get => 'G',
        _ => '?',
    });
    let asked: String = letters.collect();
    let limit = "HGGGGGGGGGGGHHHH";
    Ok(goal("G18", "one HEAD is refused", asked, limit))
}

/// Runs rounds after a webhook with a digest that the registry never returns.
fn announced(servers: &Servers) -> Result<Goal> {
    let endpoint = open(servers)?;
    let sites = [endpoint.site.clone()];
    let home = Home::make(&sites, 1, 1, &servers.identity.ca_file)?;
    let round = |second: &str| {
        let watch = home.acrt(&["task", "watch", "--once", "--due"]);
        let now = format!("2026-01-31T08:{second}Z");
        watch.with("ACRT_NOW", now).measure().map(|_| ())
    };
    round("00:00")?;
    let path = home.file("state/bases.json");
    let mut bases: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let tags = bases["tags"].as_object_mut();
    let record = tags.and_then(|tags| tags.values_mut().next());
    let record = record.context("nothing is remembered of the tag")?;
    let digest = format!("sha256:{}", "0".repeat(64));
    record["expected"] = json!({"digests": [digest], "looks": 0});
    record["nextLook"] = json!("2026-01-31T08:00:10Z");
    fs::write(&path, serde_json::to_vec(&bases)?)?;
    let _ = endpoint.registry.asked();
    let seconds = [10, 11, 12, 16, 17, 31, 32, 47, 91, 92];
    let mut looks = Vec::new();
    for second in seconds {
        round(&format!("{:02}:{:02}", second / 60, second % 60))?;
        if endpoint.registry.asked().heads > 0 {
            looks.push(second.to_string());
        }
    }
    let limit = "10 12 17 32 92";
    let what = "a webhook is ahead of its registry, seconds of the looks";
    Ok(goal("G19", what, looks.join(" "), limit))
}

/// Runs a whole round with all its runs, after the only base of all tasks has moved.
fn moved_base(servers: &Servers, tasks: usize) -> Result<Goal> {
    let endpoint = open(servers)?;
    let sites = [endpoint.site.clone()];
    let home = Home::make(&sites, tasks, 1, &servers.identity.ca_file)?;
    home.configure("builders:\n  command: {build: ['true', '{dockerfile}']}\n")?;
    home.push_nothing()?;
    endpoint.registry.move_only([repository(0)]);
    let watch = home.acrt(&["task", "watch", "--once", "--jobs", "2"]);
    watch.with("ACRT_BUILDER", "command").measure()?;
    let asked = endpoint.registry.asked();
    let measured = format!(
        "{} HEAD, {} manifests, {} others",
        asked.heads,
        asked.gets,
        asked.pings + asked.others
    );
    home.check(&std::collections::BTreeSet::new())?;
    let what = format!("the base of {tasks} tasks has moved");
    Ok(goal(
        "G20",
        &what,
        measured,
        "1 HEAD, 1 manifests, 1 others",
    ))
}

/// Runs the loop until a condition holds, with the real clock or a simulated one.
fn until(home: &Home, now: Option<&str>, is_so: impl Fn() -> bool) -> Result<()> {
    let mut watch = home.acrt(&["task", "watch", "--settle", "0"]);
    if let Some(now) = now {
        watch = watch.with("ACRT_NOW", now);
    }
    let mut running = watch.start()?;
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.kill()?;
    running.wait()?;
    ensure!(is_so(), "the loop did not come to what is measured");
    Ok(())
}
