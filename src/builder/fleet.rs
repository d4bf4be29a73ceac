//! Which run starts next, and on which builder: never more on one than it may be given, longest remaining path first. Starts nothing.

use std::cmp::Reverse;

use crate::{image::Platform, sys::builders::PoolOrder};

/// A builder, as far as it matters for who gets a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// The platforms that it may be given; all if empty.
    pub platforms: Vec<Platform>,
    /// How many builds it may be given at once; `None` is as many as there are.
    pub jobs: Option<usize>,
    /// How many it has been given.
    pub running: usize,
    /// Whether it has not answered, and is not to be asked yet.
    pub is_away: bool,
}

impl Member {
    fn is_full(&self) -> bool {
        self.jobs.is_some_and(|jobs| self.running >= jobs)
    }

    /// Returns how much it has to do for what it may be given, in hundredths.
    fn load(&self) -> usize {
        match self.jobs {
            Some(jobs) => self.running.saturating_mul(100) / jobs.max(1),
            None => 0,
        }
    }

    fn builds_for(&self, platforms: &[Platform]) -> bool {
        self.platforms.is_empty() || platforms.iter().all(|one| self.platforms.contains(one))
    }
}

/// What a run asks of builders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The numbers of the builders that may have it.
    pub among: Vec<usize>,
    /// Which of those that are free gets it.
    pub by: PoolOrder,
    /// The platforms that it builds for.
    pub platforms: Vec<Platform>,
    /// The builder that had the last run of its task, and so its cache.
    pub last: Option<String>,
    /// How many tasks wait for it at most, one built on the other.
    pub height: usize,
}

/// Where a run can go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// To this builder.
    On(usize),
    /// Nowhere, until a run ends on one of its builders.
    Full,
    /// Nowhere, until one of its builders answers.
    Away,
    /// Nowhere ever: no builder is for all of its platforms.
    Unfit,
}

/// How much more than the least loaded builder, in hundredths of what it may be given, a task's last one may have to do and still get
/// its next run for the cache.
const WORTH_OF_CACHE: usize = 25;

/// Chooses the builder for a run.
#[must_use]
pub fn place(members: &[Member], wish: &Wish) -> Placement {
    let among = wish.among.iter().copied();
    let fit: Vec<(usize, &Member)> = among
        .filter_map(|n| Some((n, members.get(n)?)))
        .filter(|(_, member)| member.builds_for(&wish.platforms))
        .collect();
    let there = || fit.iter().filter(|(_, member)| !member.is_away);
    let free = || there().filter(|(_, member)| !member.is_full());
    let least = free().min_by_key(|(_, member)| member.load());
    let Some((least_loaded, least)) = least else {
        return match (fit.is_empty(), there().next()) {
            (true, _) => Placement::Unfit,
            (false, None) => Placement::Away,
            (false, Some(_)) => Placement::Full,
        };
    };
    let last = free().find(|(_, member)| Some(&member.name) == wish.last.as_ref());
    let last = last.filter(|(_, last)| match wish.by {
        PoolOrder::Affinity => true,
        PoolOrder::Load => last.load() <= least.load() + WORTH_OF_CACHE,
        PoolOrder::Order => false,
    });
    let first = free().next().filter(|_| wish.by == PoolOrder::Order);
    Placement::On(last.or(first).map_or(*least_loaded, |(n, _)| *n))
}

/// Returns which of the runs that wait starts next, and on which builder: of those that can go anywhere now the one that most others wait
/// for, one after the other, and among such the one that has waited longest. None where all have to wait on.
#[must_use]
pub fn next<'w>(
    members: &[Member],
    waiting: impl Iterator<Item = &'w Wish>,
) -> Option<(usize, usize)> {
    let mut best: Option<((usize, Reverse<usize>), usize)> = None;
    for (n, wish) in waiting.enumerate() {
        let rank = (wish.height, Reverse(n));
        if best.is_none_or(|(other, _)| rank > other)
            && let Placement::On(member) = place(members, wish)
        {
            best = Some((rank, member));
        }
    }
    best.map(|((_, Reverse(n)), member)| (n, member))
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

    fn wish(by: PoolOrder, last: Option<&str>) -> Wish {
        Wish {
            among: vec![0, 1, 2],
            by,
            last: last.map(str::to_owned),
            ..Wish::default()
        }
    }

    #[test]
    fn free_builder_is_chosen_as_the_pool_says() {
        let members = [member("a", 4, 2), member("b", 2, 0), member("c", 8, 1)];
        let on = |by, last| place(&members, &wish(by, last));
        assert_eq!(on(PoolOrder::Load, None), Placement::On(1));
        assert_eq!(on(PoolOrder::Load, Some("c")), Placement::On(2));
        assert_eq!(
            on(PoolOrder::Load, Some("a")),
            Placement::On(1),
            "overloaded"
        );
        assert_eq!(on(PoolOrder::Affinity, Some("a")), Placement::On(0));
        assert_eq!(on(PoolOrder::Order, Some("c")), Placement::On(0));
        let full = [member("a", 2, 2), member("b", 1, 1), member("c", 1, 0)];
        let affine = wish(PoolOrder::Affinity, Some("a"));
        assert_eq!(place(&full, &affine), Placement::On(2));
        assert_eq!(place(&full[..2], &affine), Placement::Full);
    }

    #[test]
    fn builder_that_is_away_or_for_other_platforms_gets_nothing() {
        let mut members = [member("a", 1, 0), member("b", 1, 0)];
        members[0].platforms = vec!["linux/arm64".parse().unwrap()];
        members[1].platforms = vec!["linux/amd64".parse().unwrap()];
        let mut run = wish(PoolOrder::Load, None);
        run.platforms = vec!["linux/amd64".parse().unwrap()];
        assert_eq!(place(&members, &run), Placement::On(1));
        members[1].is_away = true;
        assert_eq!(place(&members, &run), Placement::Away);
        run.platforms.push("linux/arm64".parse().unwrap());
        assert_eq!(place(&members, &run), Placement::Unfit);
    }

    /// Tasks in the order of their numbers, each with those of the numbers before that it is built on.
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

    fn heights(parents: &[BTreeSet<usize>]) -> Vec<usize> {
        let mut heights = vec![0; parents.len()];
        for (n, above) in parents.iter().enumerate().rev() {
            for parent in above {
                heights[*parent] = heights[*parent].max(heights[n] + 1);
            }
        }
        heights
    }

    /// Lets builders work, one second for each run. Returns when each task ended and on which builder.
    fn work(
        parents: &[BTreeSet<usize>],
        members: &mut [Member],
    ) -> BTreeMap<usize, (usize, usize)> {
        let heights = heights(parents);
        let all: Vec<usize> = (0..members.len()).collect();
        let mut ended: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        let mut waiting: Vec<(usize, Wish)> = Vec::new();
        let mut queued = BTreeSet::new();
        for second in 1.. {
            for (n, above) in parents.iter().enumerate() {
                if above.iter().all(|parent| ended.contains_key(parent)) && queued.insert(n) {
                    let wish = Wish {
                        among: all.clone(),
                        height: heights[n],
                        ..Wish::default()
                    };
                    waiting.push((n, wish));
                }
            }
            let mut running = Vec::new();
            while let Some((at, on)) = next(members, waiting.iter().map(|(_, wish)| wish)) {
                members[on].running += 1;
                assert!(
                    members[on].running <= members[on].jobs.unwrap(),
                    "over capacity"
                );
                running.push((waiting.remove(at).0, on));
            }
            assert!(!running.is_empty(), "nothing is run, and not all is done");
            for (n, on) in running {
                members[on].running -= 1;
                assert_eq!(ended.insert(n, (second, on)), None, "run twice");
            }
            if ended.len() == parents.len() {
                break;
            }
        }
        ended
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn all_is_run_once_within_capacity_and_nearly_as_soon_as_it_can_be(parents in graphs(200)) {
            let mut members = [member("a", 2, 0), member("b", 1, 0), member("c", 1, 0)];
            let ended = work(&parents, &mut members);
            prop_assert_eq!(ended.len(), 200, "one starves");
            for (n, above) in parents.iter().enumerate() {
                for parent in above {
                    prop_assert!(ended[parent].0 < ended[&n].0, "{} before {}", n, parent);
                }
            }
            let makespan = ended.values().map(|(second, _)| *second).max().unwrap();
            let path = heights(&parents).into_iter().max().unwrap() + 1;
            let bound = path.max(200_usize.div_ceil(4));
            prop_assert!(makespan * 10 <= bound * 11, "{} seconds for {}", makespan, bound);
        }
    }

    #[test]
    fn hundred_runs_spread_over_builders_as_these_may_be_given() {
        let mut members = [member("a", 2, 0), member("b", 1, 0), member("c", 1, 0)];
        let ended = work(&vec![BTreeSet::new(); 100], &mut members);
        let on = |n: usize| ended.values().filter(|(_, on)| *on == n).count();
        assert_eq!([on(0), on(1), on(2)], [50, 25, 25]);
    }
}
