//! Rounds of `task watch`: most in which nothing has moved, and one in which tags have moved.

use std::{collections::BTreeSet, fmt, sync::Arc};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{
    content::repository,
    home::Home,
    measure::{Row, Tool, in_turns},
    options::Options,
    peers,
    places::{Door, Endpoint, Place, Servers, Wire},
};

/// The name of acrt in the tables.
pub const ACRT: &str = "acrt";

/// How many tags move when acrt's answer is checked.
const MOVED: usize = 3;

/// The tasks and tags of a measured round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// The registry.
    pub place: Place,
    /// How many tasks there are.
    pub tasks: usize,
    /// How many tags they depend on.
    pub tags: usize,
    /// How many of these tags have moved.
    pub moved: usize,
}

impl Case {
    /// A case in which each task has a tag of its own.
    #[must_use]
    pub const fn new(wire: Wire, door: Door, rtt: u64, tags: usize) -> Self {
        Self {
            place: Place { wire, door, rtt },
            tasks: tags,
            tags,
            moved: 0,
        }
    }

    /// The same case with more tasks, which share the tags.
    #[must_use]
    pub const fn shared_by(self, tasks: usize) -> Self {
        Self { tasks, ..self }
    }

    /// The same case after some tags have moved. Builds are only reported, not run.
    #[must_use]
    pub const fn after(self, moved: usize) -> Self {
        Self { moved, ..self }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tasks == self.tags {
            write!(f, "{}, {} tags", self.place, self.tags)?;
        } else {
            write!(
                f,
                "{}, {} tasks on {} tags",
                self.place, self.tasks, self.tags
            )?;
        }
        match self.moved {
            0 => Ok(()),
            moved => write!(f, ", {moved} moved"),
        }
    }
}

/// Returns the cases to measure.
#[must_use]
pub fn all(quick: bool) -> Vec<Case> {
    use {Door::*, Wire::*};
    let mut cases = Vec::new();
    let mut add = |wire, door, rtt, tags: &[usize]| {
        cases.extend(tags.iter().map(|tags| Case::new(wire, door, rtt, *tags)));
    };
    if quick {
        add(Http, Open, 0, &[1000]);
        add(Http, Open, 50, &[1, 100, 1000]);
        add(Https, Open, 0, &[1000]);
        add(Https, Open, 50, &[1, 100, 1000]);
        add(Https, Bearer, 50, &[1, 100, 1000]);
        cases.push(Case::new(Https, Open, 50, 50).shared_by(10_000));
        return cases;
    }
    for rtt in [0, 50] {
        add(Http, Open, rtt, &[1, 10, 100, 1000, 10_000]);
        add(Https, Open, rtt, &[1, 10, 100, 1000, 10_000]);
        add(Https1, Open, rtt, &[1000]);
        add(Http, Bearer, rtt, &[1000]);
        add(Https, Basic, rtt, &[100, 1000]);
        add(Https, Bearer, rtt, &[1, 10, 100, 1000]);
    }
    add(Https, Bearer, 50, &[10_000]);
    for rtt in [0, 50] {
        for wire in [Http, Https] {
            for tags in [50, 100] {
                cases.push(Case::new(wire, Open, rtt, tags).shared_by(10_000));
            }
            let many = Case::new(wire, Open, rtt, 1000).shared_by(10_000);
            cases.extend([many, many.after(10)]);
        }
    }
    cases
}

/// A case with its registry and tasks.
pub struct Prepared {
    case: Case,
    endpoint: Arc<Endpoint>,
    home: Home,
}

impl Prepared {
    /// Starts the registry and writes the tasks.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub fn new(case: Case, servers: &mut Servers) -> Result<Self> {
        let endpoint = servers.at(case.place)?;
        let sites = [endpoint.site.clone()];
        let ca_file = &servers.identity.ca_file;
        Ok(Self {
            home: Home::make(&sites, case.tasks, case.tags, ca_file)?,
            endpoint,
            case,
        })
    }

    /// Measures acrt and the other tools, and checks acrt's answer.
    ///
    /// # Errors
    ///
    /// If one of them fails, or the answer is wrong.
    pub fn measure(&self, options: &Options, servers: &Servers) -> Result<Vec<Row>> {
        let Case {
            place, tasks, tags, ..
        } = self.case;
        if self.case.moved > 0 {
            return self.measure_moved(options);
        }
        let site = &self.endpoint.site;
        let runs = options.runs();
        let watch = self.home.acrt(&["task", "watch", "--once"]);
        let mut tools = vec![Tool::new(ACRT, watch, runs)];
        let alone = tasks == tags;
        if place.wire == Wire::Http && place.door == Door::Open {
            tools.push(peers::floor(site, tags, runs)?);
        }
        // A quick run leaves curl out where there is a delay: there, the goals compare with the number of round trips.
        let has_time = !options.quick || (place.rtt == 0 && alone);
        if place.door == Door::Open && has_time && peers::is_installed("curl") {
            let ca_file = &servers.identity.ca_file;
            tools.push(peers::curl(site, tags, runs, &self.home, ca_file)?);
        }
        if alone {
            tools.extend(peers::processes(options, site, tags, servers));
        }
        let heading = self.case.to_string();
        let registry = &self.endpoint.registry;
        let rows = in_turns(&heading, tags, &tools, Some(registry))?;
        self.check_answer()
            .with_context(|| format!("the answer of acrt is wrong: {heading}"))?;
        Ok(rows)
    }

    /// Measures a round that finds moved tags, without the builds.
    fn measure_moved(&self, options: &Options) -> Result<Vec<Row>> {
        let registry = &self.endpoint.registry;
        let moved = self.some_tags(self.case.moved);
        registry.move_only(moved.iter().map(|tag| repository(*tag)));
        let watch = self
            .home
            .acrt(&["task", "watch", "--dry-run", "-o", "none"]);
        let tools = [Tool::new(ACRT, watch, options.runs())];
        let heading = self.case.to_string();
        let rows = in_turns(&heading, self.case.tags, &tools, Some(registry));
        let checked = self.home.check(&moved);
        registry.move_only([]);
        checked.with_context(|| format!("the answer of acrt is wrong: {heading}"))?;
        rows
    }

    /// Moves some tags, and checks that acrt finds exactly those.
    fn check_answer(&self) -> Result<()> {
        let moved = self.some_tags(MOVED);
        let registry = &self.endpoint.registry;
        registry.move_only(moved.iter().map(|tag| repository(*tag)));
        let checked = self.home.check(&moved);
        registry.move_only([]);
        checked
    }

    /// Returns this many tags, spread over all.
    fn some_tags(&self, count: usize) -> BTreeSet<usize> {
        let tags = self.case.tags;
        (0..count.min(tags)).map(|n| n * 7919 % tags).collect()
    }
}
