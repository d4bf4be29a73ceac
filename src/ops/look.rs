//! Looks at tags and git repositories: asks each once, however many tasks depend on it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    error::Error,
    image::{Digest, Platform, Reference},
    registry::{LookupError, Registries, ResolvedTag},
    store::secrets::Secrets,
    sys::{settings::Settings, signal::Stop},
    task::{Dependency, GitContext, Manifests, one_manifest},
    watch::{
        AgedTags, FailedLook, Head, LookErrorKind, LookResult, Observation, OpenQuestions,
        QuestionTarget, Snapshot, Tags,
        schedule::{self, Pauses},
    },
};

use super::{App, Event, fetch, heads::server, joined::counted, local, verify::Verifier};

/// How many answers are processed at once. Each registry has lower limits of its own, so that a registry whose indexes come slowly delays no
/// other.
const READ_AT_ONCE: usize = 1024;

/// How many repositories of one server are asked at once.
const SOURCES_AT_ONCE: usize = 8;

/// What tasks need to know of each tag.
#[derive(Debug, Default)]
pub struct TagSubscriptions {
    tags: BTreeMap<Reference, Subscription>,
    /// As [`made_locally`] returns them.
    local: HashMap<Reference, Option<String>>,
}

/// What tasks need to know of one tag.
#[derive(Clone, Debug)]
struct Subscription {
    /// The name that the first task uses: the registry is asked by this name.
    spelled: Reference,
    /// The names that other tasks use. A login may be stored for one of them only.
    others: BTreeSet<Reference>,
    /// The digests that runs were built on.
    built_on: Vec<Digest>,
    /// The platforms that are built on it.
    platforms: BTreeSet<Platform>,
    /// Whether a task depends on it; otherwise a task has only pushed it.
    is_base: bool,
    /// When a task last pushed it.
    pushed_at: Option<Timestamp>,
    /// When the last run began that was built on it.
    run_at: Option<Timestamp>,
    /// The builder that has it, if a local task makes it: the builder of this name, or the machine's.
    local: Option<Option<String>>,
}

impl TagSubscriptions {
    /// Collects the tags that tasks depend on, and what the tasks need to know of them.
    pub fn by(app: &App, nodes: &[&Snapshot]) -> Self {
        let mut tags = BTreeMap::new();
        let local = made_locally(app, nodes);
        for node in nodes {
            for (tag, dependency) in node.followed() {
                let new = || Subscription::of(tag, dependency.image.reference());
                let subscription = tags.entry(tag.clone()).or_insert_with(new);
                subscription.local = local.get(tag).cloned();
                subscription.add(node, dependency);
            }
        }
        Self { tags, local }
    }

    /// Adds what `others` need to know of the same tags: an answer is stored for all tasks, whichever of them it was asked for.
    #[must_use]
    pub fn shared_with<'s>(mut self, others: impl IntoIterator<Item = &'s Snapshot>) -> Self {
        for node in others {
            for (tag, dependency) in node.followed() {
                if let Some(subscription) = self.tags.get_mut(tag) {
                    subscription.add(node, dependency);
                }
            }
        }
        self
    }

    /// Adds those images that the same tasks have pushed for which `which` returns true.
    #[must_use]
    pub fn with_outputs(mut self, nodes: &[&Snapshot], which: impl Fn(&Reference) -> bool) -> Self {
        for node in nodes {
            let outputs = node.outputs.iter().zip(&node.baseline.outputs);
            for (tag, output) in outputs.filter_map(|(tag, output)| Some((tag.as_ref()?, output))) {
                if which(tag) {
                    let new = || Subscription::of(tag, output.reference());
                    let subscription = self.tags.entry(tag.clone()).or_insert_with(new);
                    subscription.pushed_at = subscription.pushed_at.max(node.baseline.pushed_at());
                    subscription.local = self.local.get(tag).cloned();
                }
            }
        }
        self
    }

    pub fn tags(&self) -> BTreeSet<Reference> {
        self.tags.keys().cloned().collect()
    }

    pub fn is_base(&self, tag: &Reference) -> bool {
        self.tags.get(tag).is_some_and(|one| one.is_base)
    }

    pub fn pushed_at(&self, tag: &Reference) -> Option<Timestamp> {
        self.tags.get(tag)?.pushed_at
    }

    /// Returns whether a run has begun since the last look at a tag, which gave no answer, and was built on the tag. The tag is looked at
    /// again then, whatever pause that look has caused: its registry may answer, and a run says more than an older error.
    pub fn has_new_answer(&self, tag: &Reference, tags: &Tags) -> bool {
        let run_at = self.tags.get(tag).and_then(|one| one.run_at);
        let record = tags.get(tag).filter(|record| record.error.is_some());
        record.is_some_and(|record| run_at > record.last_looked)
    }

    /// Returns a tag by the name that the first task uses, for messages.
    pub fn spelled<'t>(&'t self, tag: &'t Reference) -> &'t Reference {
        self.tags.get(tag).map_or(tag, |one| &one.spelled)
    }

    /// Returns the looks to make at `which` of the tags, without those whose registries have asked for a pause.
    fn questions(&self, which: &[Reference], tags: &Tags, now: Timestamp) -> Vec<LookQuestion> {
        let open = which.iter().filter_map(|tag| {
            let subscription = self.tags.get(tag)?;
            let record = tags.get(tag);
            if record.is_some_and(|record| record.rests(now)) && !self.has_new_answer(tag, tags) {
                return None;
            }
            Some(LookQuestion {
                tag: tag.clone(),
                wanted: subscription.clone(),
                wants_age: tags.is_aged(tag),
                read: record.and_then(|record| {
                    let digest = record.digest.clone()?;
                    Some((digest, record.manifests.keys().cloned().collect()))
                }),
            })
        });
        open.collect()
    }
}

impl Subscription {
    /// Returns a subscription of nothing yet; `spelled` is the name that a task uses.
    fn of(tag: &Reference, spelled: Option<Reference>) -> Self {
        Self {
            spelled: spelled.unwrap_or_else(|| tag.clone()),
            others: BTreeSet::new(),
            built_on: Vec::new(),
            platforms: BTreeSet::new(),
            is_base: false,
            pushed_at: None,
            run_at: None,
            local: None,
        }
    }

    /// Adds what a task needs to know of its base.
    fn add(&mut self, node: &Snapshot, dependency: &Dependency) {
        let run_at = node.baseline.recorded;
        let run_at = run_at.filter(|_| node.baseline.run_id.is_some());
        self.is_base = true;
        self.run_at = self.run_at.max(run_at);
        // Only the registry part of a name can have aliases.
        if dependency.image.registry() != self.spelled.registry() {
            self.others.extend(dependency.image.reference());
        }
        if let Some(digest) = &dependency.image.digest
            && !self.built_on.contains(digest)
        {
            self.built_on.push(digest.clone());
        }
        self.platforms.extend(dependency.manifests.keys().cloned());
    }
}

/// Returns the images that local tasks make, each with the builder of its task. What a run has taken from a builder's store stays
/// local while the task that makes it is broken or gone, unless another task pushes it: a registry may have an image of the same name.
fn made_locally(app: &App, nodes: &[&Snapshot]) -> HashMap<Reference, Option<String>> {
    let mut images = HashMap::new();
    for node in nodes {
        let mut taken = node.followed().filter(|(_, it)| it.is_local).peekable();
        if taken.peek().is_some() {
            let builder = app.builder_after(&node.task, node.baseline.run_id);
            images.extend(taken.map(|(tag, _)| (tag.clone(), builder.clone())));
        }
    }
    for node in nodes.iter().filter(|node| !node.task.is_local()) {
        for image in &node.pushes {
            images.remove(image);
        }
    }
    for node in nodes.iter().filter(|node| node.task.is_local()) {
        let own = node.pushes.iter().cloned();
        let builder = app.builder_after(&node.task, node.baseline.run_id);
        images.extend(own.map(|image| (image, builder.clone())));
    }
    images
}

/// A look to make at one tag.
#[derive(Clone, Debug)]
struct LookQuestion {
    tag: Reference,
    wanted: Subscription,
    /// Whether a task needs to know how old the image is.
    wants_age: bool,
    /// The last known digest of the tag, and the platforms whose manifests are known for it.
    read: Option<(Digest, BTreeSet<Platform>)>,
}

impl LookQuestion {
    /// Returns whether the tag has this digest for the first time. Only then its manifest is read, to check that it is an image.
    fn is_new(&self, digest: &Digest) -> bool {
        let was_read = self.read.as_ref().is_some_and(|(read, _)| read == digest);
        let built_on = &self.wanted.built_on;
        !built_on.is_empty() && !was_read && !built_on.contains(digest)
    }
}

/// The answer of a registry or a git repository, also if it is an error.
#[derive(Debug)]
pub enum LookAnswer {
    Tag(Reference, Box<LookResult>),
    Source(GitContext, Head),
}

/// Returns the tags whose earlier digests have to be remembered, because tasks require a minimum age of their bases.
pub fn aged<'s>(nodes: impl IntoIterator<Item = &'s Snapshot>) -> AgedTags {
    let nodes = nodes.into_iter().filter(|node| !node.ages.is_empty());
    let bases = nodes.flat_map(|node| node.followed_by_age());
    let mut aged = AgedTags::new();
    for (tag, dependency, _) in bases.filter(|(_, _, age)| !age.is_zero()) {
        let built_on = aged.entry(tag.clone()).or_default();
        built_on.extend(dependency.image.digest.clone());
    }
    aged
}

/// Returns the event that says how many tags are being looked at.
pub fn looking_at<'a>(tags: usize) -> Event<'a> {
    Event::Doing(format!("looking at {}", counted(tags, "tag")))
}

/// All looks that have not been answered yet. They may outlive the round that started them, so that a registry which does not answer delays
/// no task that depends on others.
#[derive(Debug)]
pub struct PendingLooks {
    work: JoinSet<()>,
    sender: mpsc::UnboundedSender<LookAnswer>,
    receiver: mpsc::UnboundedReceiver<LookAnswer>,
    /// What has not been answered yet. A question counts as pending until it is removed here.
    pub asked: OpenQuestions,
}

impl Default for PendingLooks {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            work: JoinSet::new(),
            sender,
            receiver,
            asked: OpenQuestions::default(),
        }
    }
}

impl PendingLooks {
    /// Looks at `which` of the tags, unless a look at them is pending: with one HEAD each, and one GET only where an index moved. Returns how
    /// many looks it starts.
    pub fn ask_tags(
        &mut self,
        app: &App,
        wanted: &TagSubscriptions,
        which: &[Reference],
        tags: &mut Tags,
    ) -> usize {
        let now = app.clock.now();
        let mut questions = wanted.questions(which, tags, now);
        questions.retain(|one| self.asked.ask(QuestionTarget::Tag(one.tag.clone()), now));
        for question in &questions {
            // If the tag becomes due again from now on, this answer is too old.
            tags.entry(&question.tag).next_look = Some(now);
        }
        let asked = questions.len();
        if asked == 0 {
            return 0;
        }
        let (stored, questions): (Vec<_>, Vec<_>) = questions
            .into_iter()
            .partition(|one| one.wanted.local.is_some());
        if !stored.is_empty() {
            let (settings, sender) = (app.settings.clone(), self.sender.clone());
            let choice = app.global_options.builder.clone();
            self.work.spawn_local(async move {
                for question in stored {
                    let look = look_in_store(&settings, choice.as_deref(), question, now).await;
                    let _ = sender.send(look);
                }
            });
        }
        let (registries, sender) = (app.registries(), self.sender.clone());
        let verifier = Rc::clone(&app.verifier);
        self.work.spawn_local(async move {
            look(registries, verifier, questions, now, |look| {
                // If the receiver is gone, the answer is not needed.
                let _ = sender.send(look);
            })
            .await;
        });
        asked
    }

    /// Asks git repositories for their commits, unless a question to them is pending.
    pub fn ask_sources(
        &mut self,
        app: &App,
        sources: BTreeMap<GitContext, Secrets>,
        now: Timestamp,
        stop: &Stop,
    ) {
        // One answer is for all folders of a repository.
        let mut servers: BTreeMap<String, Questions> = BTreeMap::new();
        for (git, secrets) in sources {
            if self.asked.ask(QuestionTarget::Source(git.clone()), now) {
                let whole = GitContext {
                    folder: None,
                    ..git.clone()
                };
                let open = servers.entry(server(&git.url)).or_default();
                let entry = open.entry(whole).or_insert((secrets, Vec::new()));
                entry.1.push(git);
            }
        }
        // A server that hangs delays only the tasks that depend on it.
        for open in servers.into_values() {
            self.ask_server(app, open, stop);
        }
    }

    fn ask_server(&mut self, app: &App, open: Questions, stop: &Stop) {
        let memory_mib = app.settings.config.limits.memory_mib;
        let (sender, stop) = (self.sender.clone(), stop.clone());
        self.work.spawn_local(async move {
            let asked = futures_util::stream::iter(open).map(async |(git, (secrets, all))| {
                let head = match fetch::head(&git, &secrets, &stop, memory_mib).await {
                    Ok(commit) => Head::At(commit),
                    Err(error) => Head::Unknown {
                        hint: error.advice().map(str::to_owned),
                        why: error.one_line(),
                    },
                };
                for git in all {
                    let _ = sender.send(LookAnswer::Source(git, head.clone()));
                }
            });
            asked
                .buffer_unordered(SOURCES_AT_ONCE)
                .collect::<()>()
                .await;
        });
    }

    /// Waits for the next answer; `None` where nothing is pending.
    pub async fn next(&mut self) -> Option<LookAnswer> {
        if self.asked.is_empty() {
            return None;
        }
        self.receiver.recv().await
    }

    /// Returns an answer that has arrived already.
    pub fn try_next(&mut self) -> Option<LookAnswer> {
        self.receiver.try_recv().ok()
    }

    /// Waits for all answers and applies them.
    pub async fn all(&mut self, app: &App, wanted: &TagSubscriptions, tags: &mut Tags) {
        while let Some(answer) = self.next().await {
            self.asked.answered(&answer.awaited());
            take_in(app, wanted, tags, answer);
        }
    }
}

/// The questions to the repositories of one server, each with all contexts that need the answer.
type Questions = BTreeMap<GitContext, (Secrets, Vec<GitContext>)>;

impl LookAnswer {
    /// Returns whether the question was answered without an error.
    pub fn is_good(&self) -> bool {
        match self {
            Self::Tag(_, looked) => looked.result.is_ok(),
            Self::Source(_, head) => matches!(head, Head::At(_)),
        }
    }

    /// Returns the question that this answers.
    pub fn awaited(&self) -> QuestionTarget {
        match self {
            Self::Tag(tag, _) => QuestionTarget::Tag(tag.clone()),
            Self::Source(git, _) => QuestionTarget::Source(git.clone()),
        }
    }
}

/// Applies an answer, and decides when its tag is looked at next.
pub fn take_in(app: &App, wanted: &TagSubscriptions, tags: &mut Tags, answer: LookAnswer) {
    match answer {
        LookAnswer::Tag(tag, looked) => {
            let pauses = pauses(app, wanted.is_base(&tag), &tag);
            tags.take_in(&tag, *looked, pauses, app.clock.now());
        }
        LookAnswer::Source(git, head) => tags.set_head(git, head),
    }
}

/// Returns the pauses between looks at a tag: those of its registry, or those for pushed images that no task depends on.
pub fn pauses(app: &App, is_base: bool, tag: &Reference) -> Pauses {
    let watch = &app.settings.config.watch;
    let (shortest, longest) = if is_base {
        let settings = app.settings.registry(tag.registry());
        watch.pause(&settings, schedule::is_public(tag.registry()))
    } else {
        (watch.images_pause(), watch.images_pause())
    };
    Pauses::new(shortest, longest, watch.longest_pause()).together_at(app.clock.second())
}

/// Asks a builder what it has under the name of a local image.
async fn look_in_store(
    settings: &Settings,
    choice: Option<&str>,
    question: LookQuestion,
    asked: Timestamp,
) -> LookAnswer {
    let Subscription {
        spelled,
        platforms,
        local,
        ..
    } = question.wanted;
    let choice = choice.or_else(|| local.as_ref()?.as_deref());
    let held = match local::store(choice, settings).await {
        Ok(builder) => local::held(&builder, &spelled).await,
        Err(error) => Err(error),
    };
    let result = match held.map(|held| held.and_then(|held| held.id)) {
        Ok(Some(id)) => Ok(Observation {
            manifests: one_manifest(Some(&id), &platforms),
            digest: id,
            created: None,
        }),
        Ok(None) => Err(FailedLook {
            kind: LookErrorKind::Absent,
            ..FailedLook::unknown(format!("the builder has no `{}`", spelled.familiar()))
        }),
        Err(error) => Err(failed(&error, LookErrorKind::Unknown)),
    };
    let looked = LookResult {
        asked,
        result,
        not_before: None,
    };
    LookAnswer::Tag(question.tag, Box::new(looked))
}

/// Looks at tags, and sends each answer as soon as it arrives.
async fn look(
    registries: Rc<Registries>,
    verifier: Rc<Verifier>,
    questions: Vec<LookQuestion>,
    asked: Timestamp,
    tell: impl Fn(LookAnswer),
) {
    let questions: HashMap<Reference, LookQuestion> = questions
        .into_iter()
        .map(|question| (question.wanted.spelled.clone(), question))
        .collect();
    let which = questions.keys().cloned().collect();
    let looks = registries.looks(which).map(async |(spelled, result)| {
        let question = questions.get(&spelled)?;
        let (spelled, result) = by_any_name(&registries, &question.wanted, result).await;
        let others = &question.wanted.others;
        if let Ok(seen) = result.as_ref()
            && !others.is_empty()
        {
            // Runs ask by the names in their files.
            registries.remember_for(others, &spelled, seen).await;
        }
        let mut question = question.clone();
        question.wanted.spelled = spelled;
        let not_before = result.as_ref().err().and_then(LookupError::retry_at);
        let result = match result {
            Ok(seen) => observation(&registries, &verifier, &question, seen).await,
            Err(error) => Err(miss(error)),
        };
        let looked = LookResult {
            asked,
            result,
            not_before,
        };
        Some(LookAnswer::Tag(question.tag, Box::new(looked)))
    });
    let mut looks = std::pin::pin!(looks.buffer_unordered(READ_AT_ONCE));
    while let Some(look) = looks.next().await {
        look.into_iter().for_each(&tell);
    }
}

/// Asks by the other names of an image if the registry requires a login for the first: logins are stored by name.
async fn by_any_name(
    registries: &Registries,
    wanted: &Subscription,
    mut result: Result<ResolvedTag, LookupError>,
) -> (Reference, Result<ResolvedTag, LookupError>) {
    for other in &wanted.others {
        if !result.as_ref().is_err_and(LookupError::is_refused) {
            break;
        }
        match registries.look(other).await {
            Ok(seen) => return (other.clone(), Ok(seen)),
            Err(error) if !error.is_refused() => result = Err(error),
            Err(_) => {}
        }
    }
    (wanted.spelled.clone(), result)
}

fn miss(error: LookupError) -> FailedLook {
    let kind = match &error {
        error if error.is_absent() => LookErrorKind::Absent,
        error if error.is_no_image() => LookErrorKind::NoImage,
        _ => LookErrorKind::Unknown,
    };
    failed(&error.into(), kind)
}

fn failed(error: &Error, kind: LookErrorKind) -> FailedLook {
    FailedLook {
        message: error.one_line(),
        hint: error.advice().map(str::to_owned),
        kind,
        rejected: None,
    }
}

/// Reads what the tag's digest stands for. If the registry reports one digest and serves the content of another, the tag is unknown, even if
/// that content is what was built on.
async fn observation(
    registries: &Registries,
    verifier: &Verifier,
    question: &LookQuestion,
    seen: ResolvedTag,
) -> Result<Observation, FailedLook> {
    let spelled = &question.wanted.spelled;
    let is_new = question.is_new(&seen.digest);
    if is_new {
        registries
            .expect_image(spelled, &seen)
            .await
            .map_err(miss)?;
        let image = spelled.at(seen.digest.clone());
        let verified = verifier.verify(spelled, &image).await;
        verified.map_err(|refusal| FailedLook {
            rejected: Some(seen.digest.clone()),
            ..failed(&refusal.into(), LookErrorKind::Unverified)
        })?;
    }
    let manifests = manifests(registries, question, &seen).await.map_err(miss)?;
    let platform = question.wanted.platforms.first();
    let created = match platform.filter(|_| is_new && question.wants_age) {
        Some(platform) => {
            let image = spelled.at(seen.digest.clone());
            // An image without a creation time is as old as it was first seen.
            let config = registries.config(&image, platform).await;
            config.ok().and_then(|config| config.created)
        }
        None => None,
    };
    Ok(Observation {
        digest: seen.digest,
        manifests,
        created,
    })
}

/// Returns the manifest for each wanted platform, as far as it is not known yet.
async fn manifests(
    registries: &Registries,
    question: &LookQuestion,
    seen: &ResolvedTag,
) -> Result<Manifests, LookupError> {
    // If all tasks were built on this very digest, nothing else has to be compared.
    let wanted = &question.wanted;
    if wanted.built_on.iter().all(|digest| *digest == seen.digest) {
        return Ok(Manifests::new());
    }
    let read = question.read.as_ref();
    let read = read.filter(|(digest, _)| *digest == seen.digest);
    let is_missing =
        |platform: &&Platform| read.is_none_or(|(_, platforms)| !platforms.contains(*platform));
    let missing: Vec<Platform> = wanted
        .platforms
        .iter()
        .filter(is_missing)
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(Manifests::new());
    }
    let found = registries
        .platforms(&wanted.spelled, seen, &missing)
        .await?;
    Ok(found.into_iter().collect())
}
