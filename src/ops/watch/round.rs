//! One round of the watcher: looks at tags, decides tasks, and makes runs, parents first.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::LocalBoxFuture,
    stream::{FuturesUnordered, StreamExt as _},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{Kind, Result},
    image::Reference,
    ops::{
        App, Event, EventSink,
        check::{load_of, load_some},
        credential::all_logins,
        heads::{Heads, place},
        look::{LookAnswer, PendingLooks, TagSubscriptions, aged, looking_at, pauses, take_in},
        placing, recall,
        recovery::recover_crashed_runs,
    },
    registry::SeenTags,
    sys::signal::Stop,
    task::{Manifests, TaskKey},
    watch::{
        FamilySubset, Observation, OpenQuestions, Outcome, QuestionTarget, Round, Snapshot, Tags,
        Verdict, metrics::RoundMetrics, notified::outages, round::Job,
    },
};

use super::{
    baseline_update::{BaselineUpdate, begin_timers},
    hooks::HintedTargets,
    make::{JobResult, JobStart, make},
    options::{Looks, WatchOptions},
    part::{LastFullRound, StateFingerprint},
    pending_notifications::{PendingNotifications, problems_to_notify},
    placement_queue::{NextJob, PlacementQueue},
    reported::{LastReported, OutageSummary},
    round_deadline::RoundDeadline,
    round_result::RoundResult,
};

/// The state of a watcher between rounds: pending looks, runs in progress, and what is remembered.
///
/// A round ends when everything that it began has ended; in the loop it also ends when the next look is due, so that neither a registry that
/// does not answer nor a build that takes an hour delays anything else. What is still in progress then belongs to the next round.
pub struct Watcher<'a> {
    options: &'a WatchOptions,
    stop: &'a Stop,
    events: &'a EventSink<'a>,
    pending: PendingLooks,
    /// The digests of tags in this round, for its runs.
    seen: Option<SeenTags>,
    jobs: FuturesUnordered<LocalBoxFuture<'a, JobResult>>,
    running: BTreeSet<TaskKey>,
    /// How many runs this watcher has begun.
    begun: u64,
    /// The result of the last round over all tasks, if there are many.
    whole: Option<LastFullRound>,
    pub heads: Heads,
    reported: LastReported,
    pub notifications: PendingNotifications<'a>,
}

impl<'a> Watcher<'a> {
    pub fn new(options: &'a WatchOptions, stop: &'a Stop, events: &'a EventSink<'a>) -> Self {
        Self {
            options,
            stop,
            events,
            pending: PendingLooks::default(),
            seen: None,
            jobs: FuturesUnordered::new(),
            running: BTreeSet::new(),
            begun: 0,
            whole: None,
            heads: Heads::default(),
            reported: LastReported::default(),
            notifications: PendingNotifications::new(stop, events),
        }
    }

    /// Makes the next round ask the repository with one of these URLs, however recently it was asked.
    pub fn ask_again(&mut self, urls: &[String]) {
        self.heads.forget(urls);
        let places: Vec<String> = urls.iter().map(|url| place(url)).collect();
        self.pending.asked.overtake(|what| match what {
            QuestionTarget::Source(git) => places.contains(&place(&git.url)),
            QuestionTarget::Tag(_) => false,
        });
    }

    /// Returns the tasks that webhooks concern, if the next round may be limited to them; `None` where it must be over all.
    pub fn part_for(&self, app: &App, hinted: &HintedTargets) -> Option<FamilySubset> {
        // A pending answer may concern other tasks.
        let whole = self.whole.as_ref();
        let whole = whole.filter(|_| self.pending.asked.is_empty())?;
        whole.part_for(app, hinted, self.begun)
    }

    /// Returns whether runs or looks of an earlier round are in progress.
    pub fn is_busy(&self) -> bool {
        !self.jobs.is_empty() || !self.pending.asked.is_empty()
    }

    /// Waits for the runs in progress, which have been told to stop.
    pub async fn finish(&mut self) {
        while let Some(made) = self.jobs.next().await {
            self.running.remove(&made.task);
        }
        self.notifications.send_all().await;
    }

    /// Runs one round over all tasks, or over a `part` of them, which leaves to the next round what concerns all. In the loop, `outside` ends
    /// the round early; what is due then is left to the next round. Returns the result of `outside`, if it ended the round.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where the state directory cannot be used.
    pub async fn round<W>(
        &mut self,
        app: &Rc<App>,
        part: Option<FamilySubset>,
        outside: Option<impl Future<Output = W>>,
    ) -> Result<(RoundResult, Option<W>)> {
        let events = self.events;
        recover_crashed_runs(app, events).await;
        let mut round_result = RoundResult::default();
        let mut broken = 0;
        let state = StateFingerprint::now(app, self.begun);
        let until = part
            .as_ref()
            .and(self.whole.as_ref())
            .map(|whole| whole.until);
        let now = app.clock.now();
        let (mut loaded, registries) = match &part {
            Some(part) => {
                let mut loaded = self.load_part(app, part, &mut broken);
                begin_timers(app, &mut loaded, now, &mut broken, events);
                (loaded, app.registries())
            }
            None => {
                let problems = RefCell::new(Vec::new());
                let noting = EventSink::new(|event| match event {
                    Event::Problem(error) => problems.borrow_mut().push(error),
                    other => events.send(other),
                });
                let mut loaded = load_of(app, self.options.selection, &mut broken, &noting)?;
                begin_timers(app, &mut loaded, now, &mut broken, &noting);
                let logins = all_logins(app, &loaded, &mut broken, &noting)?;
                drop(noting);
                self.reported.report_new(problems.into_inner(), events);
                (loaded, app.registries_with(logins))
            }
        };
        // Drop what was seen in the last round first.
        self.seen = None;
        self.seen = Some(registries.remember_tags());
        if broken > 0 {
            round_result.take(Kind::Failed);
        }
        placing::add_away(app, &mut loaded, true);
        let nodes: Vec<&Snapshot> = loaded.iter().collect();
        let (wanted, tags) = self.ask(app, &nodes, until.is_none(), &mut round_result)?;
        // Let the requests be sent while thousands of tasks are put in order.
        tokio::task::yield_now().await;
        let mut work = RoundWork {
            app,
            nodes: &nodes,
            wanted: &wanted,
            tags,
            round: Round::beside(nodes.clone(), &self.pending.asked, &self.running)
                .of_selection(self.options.selection)
                .of_part(part),
            queue: PlacementQueue::default(),
            is_overtaken: false,
            until,
        };
        let woken = self.work(&mut work, outside, &mut round_result).await?;
        work.end()?;
        self.report(&mut work, &mut round_result)?;
        self.heads.save(app)?;
        round_result.next = work.next_due(&self.pending.asked);
        if until.is_none() {
            if let Some(problems) = problems_to_notify(app, &loaded, &work.round) {
                self.notifications.queue_round(app, problems);
            }
            let ended = app.clock.now();
            round_result.measured = Some(RoundMetrics::of(&work.round, &work.tags, now, ended));
            self.whole = LastFullRound::of(app, &work.round, state, round_result.next);
        }
        // With a simulated clock, nothing else would send them.
        if !app.clock.is_real() {
            self.notifications.send_all().await;
        }
        Ok((round_result, woken))
    }

    /// Reads a part of the tasks, and reports how many.
    fn load_part(&self, app: &App, part: &FamilySubset, broken: &mut usize) -> Vec<Snapshot> {
        let keys = part.tasks();
        let all = self
            .whole
            .as_ref()
            .map_or(0, |whole| whole.families.count());
        self.events.send(Event::Detail(format!(
            "a webhook concerns {} of {all} tasks",
            keys.len()
        )));
        load_some(app, &keys, broken, self.events)
    }

    /// Starts everything that is due: looks at the tags of these tasks, and if `whole`, questions to git repositories; except what is
    /// pending.
    fn ask(
        &mut self,
        app: &App,
        nodes: &[&Snapshot],
        whole: bool,
        round_result: &mut RoundResult,
    ) -> Result<(TagSubscriptions, Tags)> {
        let events = self.events;
        let now = app.clock.now();
        let all = self.options.looks == Looks::All;
        self.heads.recall(app, events)?;
        let sources = if whole {
            self.heads.open(app, nodes, all)
        } else {
            BTreeMap::new()
        };
        let mut aged = aged(nodes.iter().copied());
        if let Some(last) = self.whole.as_ref().filter(|_| !whole) {
            for (tag, built_on) in &last.aged {
                aged.entry(tag.clone())
                    .or_default()
                    .extend(built_on.iter().cloned());
            }
        }
        let mut tags = recall::tags(app, events)?
            .debounced_by(self.options.settle)
            .remembering(aged)
            .with_heads(self.heads.said());
        let wanted = TagSubscriptions::by(app, nodes).with_outputs(nodes, |_| {
            app.settings.config.watch.images_every_seconds > 0
        });
        if whole {
            tags.keep_only(&wanted.tags());
        }
        take_in_own(&mut tags, nodes);
        let outdated: BTreeSet<Reference> = nodes
            .iter()
            .flat_map(|node| node.outdated(&tags, now).cloned())
            .collect();
        let due: Vec<Reference> = wanted
            .tags()
            .into_iter()
            .filter(|tag| {
                if wanted.is_base(tag) {
                    all || outdated.contains(tag)
                        || wanted.has_new_answer(tag, &tags)
                        || is_due(app, &tags, tag, now)
                } else {
                    is_output_due(app, &wanted, &tags, tag)
                }
            })
            .collect();
        events.send(looking_at(due.len()));
        self.overtake(&due, &tags);
        round_result.looks = self.pending.ask_tags(app, &wanted, &due, &mut tags);
        self.pending.ask_sources(app, sources, now, self.stop);
        Ok((wanted, tags))
    }

    /// Marks pending looks as overtaken whose tags have become due again since the look started.
    fn overtake(&mut self, due: &[Reference], tags: &Tags) {
        let asked = &mut self.pending.asked;
        for tag in due {
            let what = QuestionTarget::Tag(tag.clone());
            let since = asked.since(&what);
            if since.is_some() && tags.get(tag).and_then(|record| record.next_look) != since {
                asked.overtake(|other| *other == what);
            }
        }
    }

    /// Applies answers and makes runs until there is nothing more to do.
    async fn work<W>(
        &mut self,
        work: &mut RoundWork<'_>,
        outside: Option<impl Future<Output = W>>,
        round_result: &mut RoundResult,
    ) -> Result<Option<W>> {
        let app = work.app;
        let mut deadline = RoundDeadline::default();
        // A simulated clock would end each round before its first answer.
        let is_loop = outside.is_some() && app.clock.is_real();
        let mut outside = std::pin::pin!(outside.map_or_else(
            || futures_util::future::Either::Left(std::future::pending()),
            futures_util::future::Either::Right
        ));
        loop {
            while let Some(answer) = self.pending.try_next() {
                self.answered(work, answer);
            }
            self.start(work)?;
            if self.stop.requested().is_some() {
                self.stopped(work, round_result).await;
                return Ok(None);
            }
            if !self.is_busy() && !work.queue.is_held_up() {
                return Ok(None);
            }
            let due = if is_loop {
                let asked = &self.pending.asked;
                deadline.until_due(app.clock.now(), || work.next_due(asked))
            } else {
                Some(Duration::MAX)
            };
            let Some(due) = due else {
                return Ok(None);
            };
            tokio::select! {
                biased;
                _ = self.stop.wait() => {}
                made = self.jobs.next(), if !self.jobs.is_empty() => if let Some(made) = made {
                    self.ended(work, made, round_result);
                },
                answer = self.pending.next(), if !self.pending.asked.is_empty() => if let Some(answer) = answer {
                    self.answered(work, answer);
                },
                given = &mut outside => return Ok(Some(given)),
                never = self.notifications.send_forever() => match never {},
                () = app.clock.sleep(due), if is_loop => continue,
                // A place on a builder may be free again.
                () = app.clock.pause(placing::WAIT), if work.queue.is_held_up() => continue,
            }
            deadline.may_be_sooner();
        }
    }

    fn answered(&mut self, work: &mut RoundWork<'_>, answer: LookAnswer) {
        let (now, awaited) = (work.app.clock.now(), answer.awaited());
        let asked = self.pending.asked.since(&awaited).unwrap_or(now);
        let is_overtaken = self.pending.asked.answered(&awaited);
        if is_overtaken && answer.is_good() && self.ask_once_more(work, &awaited) {
            return;
        }
        if let LookAnswer::Source(git, head) = &answer {
            self.heads.keep(git, head, asked, now);
        }
        take_in(work.app, work.wanted, &mut work.tags, answer);
        work.round.answered(&awaited);
    }

    /// Repeats a question whose answer may be out of date. Returns whether the new answer has to be waited for.
    fn ask_once_more(&mut self, work: &mut RoundWork<'_>, what: &QuestionTarget) -> bool {
        match what {
            QuestionTarget::Tag(tag) => {
                let which = std::slice::from_ref(tag);
                let tags = &mut work.tags;
                self.pending.ask_tags(work.app, work.wanted, which, tags);
            }
            QuestionTarget::Source(git) => {
                let mut sources = self.heads.open(work.app, work.nodes, false);
                sources.retain(|one, _| one == git);
                let (app, now) = (work.app, work.app.clock.now());
                self.pending.ask_sources(app, sources, now, self.stop);
            }
        }
        self.pending.asked.has(what)
    }

    /// Decides tasks as far as possible, and starts as many runs as may be in progress at once.
    fn start(&mut self, work: &mut RoundWork<'_>) -> Result<()> {
        if self.stop.requested().is_some() {
            return Ok(());
        }
        work.decide();
        while self.jobs.len() < self.options.jobs
            && let Some(next) = work.queue.next(work.app)?
        {
            let (job, place) = match next {
                NextJob::Run(job, _) if job.decided <= earlier(work.app) => {
                    self.decide_again(work, &job);
                    continue;
                }
                NextJob::Run(job, place) => (job, place),
                NextJob::Away(job, away) => {
                    work.round.put_off(&job.task, away);
                    work.decide();
                    continue;
                }
            };
            // Store what was seen before anything is built on it.
            work.remember()?;
            self.running.insert(job.task.clone());
            self.begun += 1;
            let app = Rc::clone(work.app);
            let bases = work.round.dependencies(&job.task);
            let start = JobStart { job, place, bases };
            self.jobs
                .push(make(app, start, self.stop, self.events).boxed_local());
        }
        Ok(())
    }

    /// Decides a run again that has waited for its place, after another look at its bases: a base that has moved meanwhile then leads to one
    /// run with the new digest, not to two.
    fn decide_again(&mut self, work: &mut RoundWork<'_>, job: &Job) {
        let earlier = earlier(work.app);
        let node = work.round.node_of(&job.task);
        let bases = node.into_iter().flat_map(|node| node.followed());
        let is_old = |tag: &&Reference| {
            let looked = work.tags.get(tag).and_then(|record| record.last_looked);
            looked.is_none_or(|looked| looked <= earlier)
        };
        let old = bases.map(|(tag, _)| tag).filter(is_old).cloned().collect();
        work.round.decide_again(&job.task);
        self.ask_before_deciding(work, old);
        work.decide();
    }

    /// Looks at images before any task that depends on them is decided.
    fn ask_before_deciding(&mut self, work: &mut RoundWork<'_>, images: Vec<Reference>) {
        let (app, wanted) = (work.app, work.wanted);
        self.pending.ask_tags(app, wanted, &images, &mut work.tags);
        for image in images {
            let awaited = QuestionTarget::Tag(image);
            if self.pending.asked.has(&awaited) {
                work.round.await_answer(awaited);
            }
        }
    }

    /// Handles the end of a run: the images that it pushed are looked at before the tasks that depend on them are decided.
    fn ended(
        &mut self,
        work: &mut RoundWork<'_>,
        mut made: JobResult,
        round_result: &mut RoundResult,
    ) {
        self.running.remove(&made.task);
        if let Some(problem) = made
            .unanswered
            .take_if(|_| work.round.is_running(&made.task))
        {
            round_result.add(&made);
            work.round.had_no_answer(&made.task, problem);
            return;
        }
        if let Some(job) = made
            .put_back
            .take_if(|job| work.round.is_running(&job.task))
        {
            // Another builder may have a place for it at once.
            work.enqueue(*job);
            return;
        }
        round_result.add(&made);
        if made.outcome != Outcome::Busy {
            self.notifications.queue_run(work.app, &made.task);
        }
        work.is_overtaken |= !work.round.is_running(&made.task);
        if made.outcome == Outcome::Succeeded {
            for image in work.round.pushes(&made.task) {
                let what = QuestionTarget::Tag(image);
                self.pending.asked.overtake(|other| *other == what);
            }
            work.pushed(&made);
            let images = work.round.wanted_images(&made.task);
            self.ask_before_deciding(work, images);
        }
        work.round.finished(&made.task, made.outcome);
    }

    /// Waits for the runs in progress, which have been told to stop.
    async fn stopped(&mut self, work: &mut RoundWork<'_>, round_result: &mut RoundResult) {
        while let Some(made) = self.jobs.next().await {
            self.running.remove(&made.task);
            round_result.add(&made);
            work.round.finished(&made.task, made.outcome);
        }
        if let Some(signal) = self.stop.requested() {
            round_result.take(signal.kind());
        }
    }

    /// Reports the verdicts, each once.
    fn report(&mut self, work: &mut RoundWork<'_>, round_result: &mut RoundResult) -> Result<()> {
        let events = self.events;
        for (tag, moves) in work.tags.report_flapping(work.app.clock.now()) {
            events.send(Event::Warning(format!(
                "`{}` is flapping: it moved {moves} times within an hour; --settle SECONDS waits until it is quiet",
                work.wanted.spelled(&tag)
            )));
        }
        work.remember()?;
        let mut summary = OutageSummary::default();
        let (mut notes, mut silent) = (Vec::new(), Vec::new());
        for (node, verdict, outcome) in work.round.verdicts() {
            let key = node.task.key();
            round_result.take_verdict(verdict);
            let is_news = self.reported.is_news(&key, verdict);
            if outcome.is_none() {
                let now = work.app.clock.now();
                notes.extend(BaselineUpdate::of(node, verdict, &work.tags, now));
            }
            if let Verdict::Changed(change) = verdict
                && node.baseline.reported_change.as_ref() == Some(&change.named)
            {
                continue;
            }
            if let Some(problems) = verdict.silence() {
                silent.push((key, problems));
            } else if is_news && summary.admits(verdict) {
                events.send(Event::Decided {
                    task: &key,
                    verdict,
                });
            }
        }
        summary.report_the_rest(events);
        if work.until.is_none() {
            let silent = silent.iter().map(|(key, all)| (key.clone(), *all));
            self.reported.report_outages(&outages(silent), events);
        }
        let mut renewed = 0;
        for baseline_update in notes {
            renewed += usize::from(baseline_update.renewed.is_some());
            if renewed > RENEWED_AT_ONCE && baseline_update.reported.is_none() {
                continue;
            }
            // If it cannot be written, the remaining reports matter more.
            if let Err(error) = baseline_update.write(work.app) {
                round_result.take(Kind::Failed);
                events.send(Event::Problem(error));
                break;
            }
        }
        Ok(())
    }
}

struct RoundWork<'a> {
    app: &'a Rc<App>,
    nodes: &'a [&'a Snapshot],
    wanted: &'a TagSubscriptions,
    tags: Tags,
    round: Round<'a>,
    /// The runs that wait for a place on a builder.
    queue: PlacementQueue,
    /// Whether a run of an earlier round has ended, so that the next round knows more.
    is_overtaken: bool,
    /// When the next round over all tasks is due, if this one is over a part of them.
    until: Option<Timestamp>,
}

impl RoundWork<'_> {
    /// Stores what was seen, if it is new.
    fn remember(&mut self) -> Result<()> {
        self.app.store.note_tags(&mut self.tags)
    }

    /// Decides tasks as far as possible, and adds their runs to the queue.
    fn decide(&mut self) {
        while let Some(job) = self.round.next(&self.tags, self.app.clock.now()) {
            self.enqueue(job);
        }
    }

    fn enqueue(&mut self, job: Job) {
        let node = self.round.node_of(&job.task);
        self.queue.push(self.app, job, node);
    }

    /// Records what a run has pushed. If an earlier round began the run, its tags are marked due, so that the next round looks at them first.
    fn pushed(&mut self, made: &JobResult) {
        let now = self.app.clock.now();
        for output in &made.pushed {
            if let (Some(image), Some(digest)) = (output.reference(), &output.digest) {
                let tag = self.app.canonical(&image);
                self.tags.take_in_pushed(&tag, digest);
                // The push counts as a look; otherwise an older look would be taken for a push by another client.
                if !self.wanted.is_base(&tag) && self.tags.get(&tag).is_some() {
                    let seen = Observation {
                        digest: digest.clone(),
                        manifests: Manifests::new(),
                        created: None,
                    };
                    self.tags.observe(&tag, seen, now);
                }
            }
        }
        if self.round.is_running(&made.task) {
            return;
        }
        for image in self.round.pushes(&made.task) {
            if self.wanted.is_base(&image) {
                self.tags.entry(&image).next_look = Some(now);
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        self.round.judge_outputs(&self.tags, self.app.clock.now());
        let built_on = self.round.built_on();
        if !built_on.is_empty() {
            self.tags.built_on(&built_on);
        }
        self.remember()
    }

    /// Returns when something is due next, without pending questions.
    fn next_due(&self, asked: &OpenQuestions) -> Option<Timestamp> {
        let now = self.app.clock.now();
        if self.is_overtaken || self.round.leaves_some() {
            return Some(now);
        }
        let is_open = |tag: &Reference| !asked.has(&QuestionTarget::Tag(tag.clone()));
        let look = if asked.is_empty() {
            self.tags.next_look(now, |_| true)
        } else {
            self.tags.next_look(now, is_open)
        };
        let due = look.into_iter().chain(self.round.next_due(now));
        due.chain(self.until).min()
    }
}

/// How long a run may have waited for its place and still start without being decided again. It is shorter than builds take, and long enough
/// that many short runs do not each ask for the same base.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(2);

/// Returns the time before which a decision is too old to start a run.
fn earlier(app: &App) -> Timestamp {
    let now = app.clock.now();
    now.saturating_sub(AT_ONCE).unwrap_or(Timestamp::MIN)
}

/// How many tasks per round get a new record of files that have changed without changing the bases. The others are read again in the next
/// round, so that a checkout of thousands of files does not cause as many writes in one round.
const RENEWED_AT_ONCE: usize = 100;

/// Returns whether a pushed image is to be looked at: once a day. The first look is a day after the push, which included a look.
fn is_output_due(app: &App, wanted: &TagSubscriptions, tags: &Tags, tag: &Reference) -> bool {
    let now = app.clock.now();
    let pause = app.settings.config.watch.images_pause();
    let after = |time: Timestamp| time.saturating_add(pause).unwrap_or(Timestamp::MAX);
    let next = tags.get(tag).and_then(|record| record.next_look);
    // A time further ahead than the pause was written by a clock that has been set back since.
    let next = next.filter(|next| *next <= after(now));
    let next = next.or_else(|| wanted.pushed_at(tag).map(after));
    next.is_some_and(|next| next <= now || next > after(now))
}

fn is_due(app: &App, tags: &Tags, tag: &Reference, now: Timestamp) -> bool {
    tags.get(tag)
        .is_none_or(|record| record.is_due(pauses(app, true, tag), now))
}

/// Marks the images that tasks have pushed as settled, so that tasks that depend on them do not wait for the debounce.
fn take_in_own(tags: &mut Tags, nodes: &[&Snapshot]) {
    for (tag, _, digest) in nodes.iter().flat_map(|node| node.pushed()) {
        if tags.get(tag).is_some() {
            tags.take_in_pushed(tag, digest);
        }
    }
}
