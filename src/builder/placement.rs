//! Which run starts next, and on which builder: never more on one than its capacity, the longest remaining path first. Starts nothing.

use std::{cmp::Reverse, time::Duration};

use crate::{image::Platform, sys::builders::PoolOrder};

/// A builder, as far as it matters for the placement of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    /// The platforms that it may be given; all if empty.
    pub platforms: Vec<Platform>,
    /// How many builds it may be given at once; `None` is no limit.
    pub jobs: Option<usize>,
    /// How many builds it has now.
    pub running: usize,
    /// Whether it does not answer and is not to be tried yet.
    pub is_away: bool,
}

impl Member {
    fn is_full(&self) -> bool {
        self.jobs.is_some_and(|jobs| self.running >= jobs)
    }

    /// Returns the load, in hundredths of its capacity.
    fn load(&self) -> usize {
        match self.jobs {
            Some(jobs) => self.running.saturating_mul(100) / jobs.max(1),
            None => 0,
        }
    }

    /// Tells whether it may be given a build for all of these platforms.
    pub fn builds_for(&self, platforms: &[Platform]) -> bool {
        self.platforms.is_empty() || platforms.iter().all(|one| self.platforms.contains(one))
    }
}

/// What a run requires of builders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacementRequest {
    /// The indices of the builders that may be given it.
    pub among: Vec<usize>,
    /// Which of the free builders gets it.
    pub by: PoolOrder,
    pub platforms: Vec<Platform>,
    /// Whether it may be split between several builders, where none is for all of its platforms.
    pub may_be_split: bool,
    /// The builders of the task's last run, which have its cache.
    pub last: Vec<String>,
    /// The longest time until the run and the chain of runs that wait for it are done.
    pub remaining: Duration,
    /// Whether the builder of the task's last run disappeared. Such runs go last, because the build itself may bring down one builder after
    /// another.
    pub has_lost: bool,
}

/// The part of a run that one builder carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPart {
    /// The index of the builder.
    pub member: usize,
    /// The platforms that it builds for; all of the run if empty.
    pub platforms: Vec<Platform>,
}

/// Where a run can be placed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On these builders: on one, or in parts on several at once.
    On(Vec<RunPart>),
    /// Nowhere until a run ends on one of its builders.
    Full,
    /// Nowhere until one of its builders answers.
    Away,
    /// Never: no builder is for one of its platforms.
    Unfit,
}

/// How much more load than the least loaded builder, in hundredths of its capacity, the task's last builder may have and still get the next
/// run for its cache.
const WORTH_OF_CACHE: usize = 25;

/// Places a run: on one builder for all of its platforms, or where none such answers, on one builder for each part.
pub fn place(members: &[Member], request: &PlacementRequest) -> Placement {
    let whole = place_whole(members, request);
    let is_split = request.may_be_split && request.platforms.len() > 1;
    if !is_split || matches!(whole, Placement::On(_) | Placement::Full) {
        return whole;
    }
    let mut is_away = false;
    for platform in request.platforms.chunks(1) {
        let mut its = numbered(members, request).filter(|(_, member)| member.builds_for(platform));
        let Some((_, first)) = its.next() else {
            return whole;
        };
        is_away |= first.is_away && its.all(|(_, member)| member.is_away);
    }
    if is_away {
        return Placement::Away;
    }
    let parts = free_parts(members, request);
    let covered: usize = parts.iter().map(|part| part.platforms.len()).sum();
    if covered == request.platforms.len() {
        Placement::On(parts)
    } else {
        Placement::Full
    }
}

fn numbered<'m>(
    members: &'m [Member],
    request: &'m PlacementRequest,
) -> impl Iterator<Item = (usize, &'m Member)> {
    let among = request.among.iter().copied();
    among.filter_map(|n| Some((n, members.get(n)?)))
}

fn place_whole(members: &[Member], request: &PlacementRequest) -> Placement {
    let fit: Vec<(usize, &Member)> = numbered(members, request)
        .filter(|(_, member)| member.builds_for(&request.platforms))
        .collect();
    let there = || fit.iter().copied().filter(|(_, member)| !member.is_away);
    let free: Vec<_> = there().filter(|(_, member)| !member.is_full()).collect();
    match (choose(&free, request), fit.is_empty(), there().next()) {
        (Some(member), ..) => Placement::On(vec![RunPart {
            member,
            platforms: Vec::new(),
        }]),
        (None, true, _) => Placement::Unfit,
        (None, false, None) => Placement::Away,
        (None, false, Some(_)) => Placement::Full,
    }
}

/// Chooses one of the free builders.
fn choose(free: &[(usize, &Member)], request: &PlacementRequest) -> Option<usize> {
    let (least_loaded, least) = free.iter().min_by_key(|(_, member)| member.load())?;
    let mut lasts = free
        .iter()
        .filter(|(_, it)| request.last.contains(&it.name));
    let last = lasts.find(|(_, last)| match request.by {
        PoolOrder::Affinity => true,
        PoolOrder::Load => last.load() <= least.load() + WORTH_OF_CACHE,
        PoolOrder::Order => false,
    });
    let first = free.first().filter(|_| request.by == PoolOrder::Order);
    Some(last.or(first).map_or(*least_loaded, |(n, _)| *n))
}

/// Returns the parts of a run that can be placed now. Each builder gets as many platforms as it is for, so that there are few parts.
fn free_parts(members: &[Member], request: &PlacementRequest) -> Vec<RunPart> {
    let mut left = request.platforms.clone();
    let mut parts: Vec<RunPart> = Vec::new();
    loop {
        let covered = |member: &Member| {
            let is_for = |it: &&Platform| member.builds_for(std::slice::from_ref(it));
            left.iter().filter(is_for).count()
        };
        let mut free: Vec<(usize, &Member)> = numbered(members, request)
            .filter(|(_, member)| !member.is_away && !member.is_full())
            .filter(|(n, _)| parts.iter().all(|part| part.member != *n))
            .collect();
        let most = free.iter().map(|(_, member)| covered(member)).max();
        free.retain(|(_, member)| Some(covered(member)) == most);
        let Some(n) = choose(&free, request).filter(|_| most > Some(0)) else {
            return parts;
        };
        let (its, others) = left
            .into_iter()
            .partition(|it| members[n].builds_for(std::slice::from_ref(it)));
        left = others;
        parts.push(RunPart {
            member: n,
            platforms: its,
        });
    }
}

/// Returns which of the waiting runs starts next, and on which builders: of those that can be placed now the one with the longest remaining
/// chain of runs, and among equals the one that has waited longest. `None` where all must go on waiting.
///
/// A run in parts that cannot be placed yet reserves the free places that it could use: runs behind it would otherwise take each one as it
/// becomes free, and it needs several at once.
pub fn next<'w>(
    members: &[Member],
    waiting: impl Iterator<Item = &'w PlacementRequest>,
) -> Option<(usize, Vec<RunPart>)> {
    let mut ranked: Vec<(usize, &PlacementRequest)> = waiting.enumerate().collect();
    ranked.sort_by_key(|(n, request)| (request.has_lost, Reverse(request.remaining), *n));
    let mut members = members.to_vec();
    for (n, request) in ranked {
        match place(&members, request) {
            Placement::On(parts) => return Some((n, parts)),
            Placement::Full
                if request.may_be_split && place_whole(&members, request) != Placement::Full =>
            {
                for part in free_parts(&members, request) {
                    members[part.member].running += 1;
                }
            }
            Placement::Full | Placement::Away | Placement::Unfit => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn member(name: &str, jobs: usize, running: usize) -> Member {
        Member {
            name: name.into(),
            platforms: Vec::new(),
            jobs: Some(jobs),
            running,
            is_away: false,
        }
    }

    fn request(by: PoolOrder, last: Option<&str>) -> PlacementRequest {
        PlacementRequest {
            among: vec![0, 1, 2],
            by,
            last: last.map(str::to_owned).into_iter().collect(),
            ..PlacementRequest::default()
        }
    }

    fn on(member: usize) -> Placement {
        Placement::On(vec![part(member, &[])])
    }

    fn part(member: usize, platforms: &[&str]) -> RunPart {
        RunPart {
            member,
            platforms: list(platforms),
        }
    }

    fn list(platforms: &[&str]) -> Vec<Platform> {
        platforms.iter().map(|it| it.parse().unwrap()).collect()
    }

    #[test]
    fn free_builder_is_chosen_by_the_order_of_the_pool() {
        let members = [member("a", 4, 2), member("b", 2, 0), member("c", 8, 1)];
        let chosen = |by, last| place(&members, &request(by, last));
        assert_eq!(chosen(PoolOrder::Load, None), on(1));
        assert_eq!(chosen(PoolOrder::Load, Some("c")), on(2));
        assert_eq!(chosen(PoolOrder::Load, Some("a")), on(1), "overloaded");
        assert_eq!(chosen(PoolOrder::Affinity, Some("a")), on(0));
        assert_eq!(chosen(PoolOrder::Order, Some("c")), on(0));
        let full = [member("a", 2, 2), member("b", 1, 1), member("c", 1, 0)];
        let affine = request(PoolOrder::Affinity, Some("a"));
        assert_eq!(place(&full, &affine), on(2));
        assert_eq!(place(&full[..2], &affine), Placement::Full);
    }

    #[test]
    fn builder_that_is_unreachable_or_for_other_platforms_gets_no_run() {
        let mut members = [member("a", 1, 0), member("b", 1, 0)];
        members[0].platforms = vec!["linux/arm64".parse().unwrap()];
        members[1].platforms = vec!["linux/amd64".parse().unwrap()];
        let mut run = request(PoolOrder::Load, None);
        run.platforms = vec!["linux/amd64".parse().unwrap()];
        assert_eq!(place(&members, &run), on(1));
        members[1].is_away = true;
        assert_eq!(place(&members, &run), Placement::Away);
        run.platforms.push("linux/arm64".parse().unwrap());
        assert_eq!(place(&members, &run), Placement::Unfit);
    }

    /// Two builders for arm, one for amd64, and a run for both platforms.
    fn split() -> ([Member; 3], PlacementRequest) {
        let mut members = [member("a", 1, 0), member("b", 1, 0), member("c", 2, 1)];
        members[0].platforms = list(&["linux/amd64"]);
        members[1].platforms = list(&["linux/arm64", "linux/arm/v7"]);
        members[2].platforms = list(&["linux/arm64"]);
        let mut run = request(PoolOrder::Load, None);
        run.platforms = list(&["linux/arm64", "linux/amd64"]);
        run.may_be_split = true;
        (members, run)
    }

    #[test]
    fn run_without_a_builder_for_all_platforms_is_split_over_as_few_as_possible() {
        let (mut members, mut run) = split();
        let (arm, amd) = (["linux/arm64"], ["linux/amd64"]);
        let parts = |n: usize| Placement::On(vec![part(0, &amd), part(n, &arm)]);
        let sorted = |placement: Placement| match placement {
            Placement::On(mut parts) => {
                parts.sort_by_key(|part| part.member);
                Placement::On(parts)
            }
            other => other,
        };
        let placed = |members: &[Member], run: &PlacementRequest| sorted(place(members, run));
        assert_eq!(placed(&members, &run), parts(1), "the least loaded");
        run.last = vec!["c".into(), "a".into()];
        run.by = PoolOrder::Affinity;
        assert_eq!(placed(&members, &run), parts(2));
        members[1].is_away = true;
        assert_eq!(placed(&members, &run), parts(2));
        run.platforms.extend(list(&["linux/arm/v7"]));
        assert_eq!(placed(&members, &run), Placement::Away);
        members[1].is_away = false;
        let both = part(1, &["linux/arm64", "linux/arm/v7"]);
        assert_eq!(
            placed(&members, &run),
            Placement::On(vec![part(0, &amd), both])
        );
        members[0].running = 1;
        assert_eq!(placed(&members, &run), Placement::Full);
        run.platforms.extend(list(&["linux/s390x"]));
        assert_eq!(placed(&members, &run), Placement::Unfit);
        run.may_be_split = false;
        run.platforms = list(&["linux/arm64", "linux/amd64"]);
        assert_eq!(placed(&members, &run), Placement::Unfit, "steps");
    }

    #[test]
    fn builder_for_all_platforms_is_preferred_to_a_split_until_it_is_unreachable() {
        let (members, run) = split();
        let mut members = [&members[..], &[member("all", 1, 1)]].concat();
        let run = PlacementRequest {
            among: vec![0, 1, 2, 3],
            ..run
        };
        assert_eq!(place(&members, &run), Placement::Full);
        members[3].running = 0;
        assert_eq!(place(&members, &run), on(3));
        members[3].is_away = true;
        assert!(matches!(place(&members, &run), Placement::On(parts) if parts.len() == 2));
    }

    #[test]
    fn split_run_is_not_delayed_by_runs_behind_it() {
        let (mut members, run) = split();
        members[0].running = 1;
        members[2].running = 2;
        let behind = PlacementRequest {
            platforms: list(&["linux/arm64"]),
            ..run.clone()
        };
        let waiting = [run, behind];
        assert_eq!(next(&members, waiting.iter()), None, "one place is kept");
        assert!(next(&members, waiting[1..].iter()).is_some());
        members[0].running = 0;
        assert_eq!(next(&members, waiting.iter()).unwrap().0, 0);
    }

    /// Generates dependency graphs: for each task, the lower-numbered tasks that it is built on.
    fn graphs(size: usize) -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
        let parents = prop::collection::vec(
            prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            size,
        );
        parents.prop_map(|all| {
            let of = |(n, indices): (usize, Vec<prop::sample::Index>)| match n {
                0 => BTreeSet::new(),
                n => indices.iter().map(|index| index.index(n)).collect(),
            };
            all.into_iter().enumerate().map(of).collect()
        })
    }

    /// Returns the seconds on the longest chain from each task to its end.
    fn remaining(parents: &[BTreeSet<usize>], seconds: &[u64]) -> Vec<u64> {
        let mut remaining = seconds.to_vec();
        for (n, above) in parents.iter().enumerate().rev() {
            for parent in above {
                remaining[*parent] = remaining[*parent].max(seconds[*parent] + remaining[n]);
            }
        }
        remaining
    }

    /// Simulates builders, with the given seconds for each run. Returns when each task ended and on which builder.
    fn work(
        parents: &[BTreeSet<usize>],
        seconds: &[u64],
        members: &mut [Member],
    ) -> BTreeMap<usize, (u64, usize)> {
        let remaining = remaining(parents, seconds);
        let all: Vec<usize> = (0..members.len()).collect();
        let mut ended: BTreeMap<usize, (u64, usize)> = BTreeMap::new();
        let mut running: Vec<(usize, usize, u64)> = Vec::new();
        let mut waiting: Vec<(usize, PlacementRequest)> = Vec::new();
        let mut open: Vec<usize> = (0..parents.len()).collect();
        let mut now = 0;
        loop {
            for (n, on, end) in running.extract_if(.., |(_, _, end)| *end == now) {
                members[on].running -= 1;
                assert_eq!(ended.insert(n, (end, on)), None, "run twice");
            }
            if ended.len() == parents.len() {
                break;
            }
            let is_ready = |n: &mut usize| parents[*n].iter().all(|it| ended.contains_key(it));
            for n in open.extract_if(.., is_ready) {
                let request = PlacementRequest {
                    among: all.clone(),
                    remaining: Duration::from_secs(remaining[n]),
                    ..PlacementRequest::default()
                };
                waiting.push((n, request));
            }
            while let Some((at, on)) = next(members, waiting.iter().map(|(_, request)| request)) {
                let on = on[0].member;
                members[on].running += 1;
                assert!(
                    members[on].running <= members[on].jobs.unwrap(),
                    "over capacity"
                );
                let n = waiting.remove(at).0;
                running.push((n, on, now + seconds[n]));
            }
            // Nothing changes before the next run ends.
            let ends = running.iter().map(|(_, _, end)| *end);
            now = ends.min().expect("nothing is run, and not all is done");
        }
        ended
    }

    /// Checks that every task is run once and after those that it is built on. Returns when all is done, and a lower bound for that time.
    fn makespan(parents: &[BTreeSet<usize>], seconds: &[u64]) -> (u64, u64) {
        let mut members = [member("a", 2, 0), member("b", 1, 0), member("c", 1, 0)];
        let ended = work(parents, seconds, &mut members);
        assert_eq!(ended.len(), parents.len(), "one starves");
        for (n, above) in parents.iter().enumerate() {
            for parent in above {
                let begun = ended[&n].0 - seconds[n];
                assert!(ended[parent].0 <= begun, "{n} before {parent} has ended");
            }
        }
        let done = ended.values().map(|(second, _)| *second).max().unwrap();
        let path = remaining(parents, seconds).into_iter().max().unwrap();
        (done, path.max(seconds.iter().sum::<u64>().div_ceil(4)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn random_graph_is_run_once_within_capacity_and_near_the_shortest_time(parents in graphs(200)) {
            let (done, bound) = makespan(&parents, &[1; 200]);
            prop_assert!(done * 10 <= bound * 11, "{} seconds for {}", done, bound);
        }

        #[test]
        fn runs_of_random_durations_end_within_a_tenth_of_the_shortest_time(
            parents in graphs(200),
            seconds in prop::collection::vec(1..20_u64, 200),
        ) {
            let (done, bound) = makespan(&parents, &seconds);
            prop_assert!(done * 10 <= bound * 11, "{} seconds for {}", done, bound);
        }
    }

    #[test]
    fn hundred_runs_are_spread_over_builders_by_capacity() {
        let mut members = [member("a", 2, 0), member("b", 1, 0), member("c", 1, 0)];
        let ended = work(&vec![BTreeSet::new(); 100], &[1; 100], &mut members);
        let on = |n: usize| ended.values().filter(|(_, on)| *on == n).count();
        assert_eq!([on(0), on(1), on(2)], [50, 25, 25]);
    }
}
