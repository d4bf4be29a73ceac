//! Compares the recorded bases of images with what the bases are now.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::{
    error::Error,
    image::{Digest, Platform, Reference},
    lineage::{Base, Evidence, ImageRecord, LayerMatch, compare},
    ops::{
        App, Event, EventSink,
        answer::AzTimestamp,
        check::MirrorAnswer,
        joined::joined,
        mirror::{self, Mirror, MirrorQuery},
    },
    registry::{LookupError, ResolvedTag, copy::ImagePlace},
    watch::{BaseState, State},
};

use super::{
    answer::{BaseAnswer, ImageCheckAnswer, Row},
    assumed::Assumed,
    read::{self, Facts},
};

/// The time before which an image cannot have been built: an older time means an unknown one, as in reproducible builds.
const EARLIEST: i64 = 1_356_998_400;

/// The config of a base for a platform, read once however many images are compared with it.
type SharedRecord = Rc<OnceCell<Result<Rc<ImageRecord>, String>>>;

/// Returns the tags to look at.
pub fn tags(rows: &[Row], assumed: &Assumed) -> BTreeSet<Reference> {
    let mut tags = BTreeSet::new();
    for row in rows {
        let Ok(facts) = &row.facts else { continue };
        let platform = row.platform.as_ref();
        if facts.lineage.evidence.is_none() {
            let base = assumed.base(platform).flatten();
            tags.extend(base.and_then(|base| base.without_digest()));
        }
        let followed = facts.lineage.bases.iter().filter(|base| !base.is_frontend);
        tags.extend(
            followed.filter_map(|base| base.tag().or_else(|| assumed.tag_of(base, platform))),
        );
    }
    tags
}

/// What a tag is now, and the name by which its registry was asked.
#[derive(Clone, Copy)]
pub struct SeenTag<'a> {
    pub image: &'a Reference,
    pub seen: &'a ResolvedTag,
}

impl SeenTag<'_> {
    pub fn pinned(&self) -> Reference {
        self.image.at(self.seen.digest.clone())
    }
}

/// What all bases are now.
pub struct BaseComparator<'a> {
    pub app: &'a App,
    assumed: Assumed,
    /// By canonical name: the name that was asked for, and the answer.
    looked: BTreeMap<Reference, (Reference, Result<ResolvedTag, LookupError>)>,
    mirrors: BTreeMap<Reference, (Mirror, Option<String>)>,
    records: RefCell<HashMap<(Reference, Platform), SharedRecord>>,
}

/// The state of a base, with the evidence if only the comparison showed it.
struct BaseVerdict {
    base: BaseAnswer,
    created: Option<Timestamp>,
    evidence: Option<Evidence>,
}

impl<'a> BaseComparator<'a> {
    /// Looks at each base once.
    pub async fn look(
        app: &'a App,
        assumed: Assumed,
        tags: BTreeSet<Reference>,
        rows: &[Row],
        events: &EventSink<'_>,
    ) -> Self {
        let spelled = distinct(app, tags);
        let asked: Vec<Reference> = spelled.values().cloned().collect();
        let answers: HashMap<Reference, _> =
            app.registries().look_all(asked).await.into_iter().collect();
        let looked: BTreeMap<_, _> = spelled
            .into_iter()
            .filter_map(|(tag, spelled)| {
                let answer = answers.get(&spelled)?.clone();
                Some((tag, (spelled, answer)))
            })
            .collect();
        let mut judge = Self {
            app,
            assumed,
            looked,
            mirrors: BTreeMap::new(),
            records: RefCell::default(),
        };
        judge.mirrors = judge.compare_mirrors(rows, events).await;
        judge
    }

    /// Compares the mirrors of bases with what their sources are now.
    async fn compare_mirrors(
        &self,
        rows: &[Row],
        events: &EventSink<'_>,
    ) -> BTreeMap<Reference, (Mirror, Option<String>)> {
        let platforms: BTreeSet<Platform> =
            rows.iter().filter_map(|row| row.platform.clone()).collect();
        let platforms: Vec<Platform> = platforms.into_iter().collect();
        let mut wanted = BTreeMap::new();
        for (tag, (spelled, seen)) in &self.looked {
            if let (Some(_), Ok(seen)) = (self.app.copy_of(tag), seen) {
                let registries = self.app.registries();
                let manifests = registries.platforms(spelled, seen, &platforms);
                let manifests = manifests.await.unwrap_or_default().into_iter();
                let manifests = manifests.filter(|(_, digest)| digest.is_some()).collect();
                let digest = seen.digest.clone();
                wanted.insert(tag.clone(), MirrorQuery { digest, manifests });
            }
        }
        let found = mirror::compare(self.app, &wanted).await;
        let complained = found.into_iter().filter_map(|(source, found)| {
            let advice = found.complaint(&source, &wanted.get(&source)?.digest);
            if let Some(advice) = &advice {
                events.send(Event::Warning(advice.clone()));
            }
            Some((source, (found, advice)))
        });
        complained.collect()
    }

    /// Returns what was seen of a tag; `None` where no registry answered.
    pub fn seen(&self, tag: &Reference) -> Option<SeenTag<'_>> {
        let (image, seen) = self.looked.get(&self.app.canonical(tag))?;
        let seen = seen.as_ref().ok()?;
        Some(SeenTag { image, seen })
    }

    /// Returns the state of one image and its bases.
    pub async fn answer(&self, row: &Row) -> ImageCheckAnswer {
        let mut answer = ImageCheckAnswer {
            image: row.image.clone(),
            services: row.services.clone(),
            containers: row.containers.clone(),
            platform: row.platform.clone(),
            digest: None,
            created: None,
            state: State::Unknown,
            reason: String::new(),
            evidence: None,
            stale_since: None,
            bases: Vec::new(),
        };
        let facts = match &row.facts {
            Ok(facts) => facts,
            Err(why) => {
                answer.reason.clone_from(why);
                return answer;
            }
        };
        answer.digest.clone_from(&facts.digest);
        answer.created = facts.record.created.map(AzTimestamp);
        answer.evidence = facts.lineage.evidence;
        let verdicts = self.verdicts(row, facts).await;
        let Some(verdicts) = verdicts else {
            answer.reason = unexplained(&facts.lineage.problems);
            return answer;
        };
        // That layers were compared shows nothing by itself: their history may have to decide.
        answer.evidence = answer
            .evidence
            .filter(|evidence| *evidence != Evidence::Layers)
            .or_else(|| verdicts.iter().find_map(|it| it.evidence))
            .or(Some(Evidence::Layers).filter(|_| !verdicts.is_empty()));
        let moved = verdicts
            .iter()
            .filter(|it| it.base.state == BaseState::Moved);
        answer.stale_since = moved.filter_map(|it| it.created).min().map(AzTimestamp);
        answer.state = state(&verdicts);
        answer.reason = reason(&verdicts);
        answer.bases = verdicts.into_iter().map(|it| it.base).collect();
        answer
    }

    /// Returns the state of each base; `None` where the bases are not known.
    async fn verdicts(&self, row: &Row, facts: &Facts) -> Option<Vec<BaseVerdict>> {
        let platform = row.platform.as_ref();
        if facts.lineage.evidence.is_none() {
            let base = self.assumed.base(platform)?;
            return Some(match base {
                Some(base) => vec![self.by_assumption(base, platform, &facts.record).await],
                None => Vec::new(),
            });
        }
        let mut verdicts = Vec::with_capacity(facts.lineage.bases.len());
        for base in &facts.lineage.bases {
            verdicts.push(self.verdict(base, platform, &facts.record).await);
        }
        Some(verdicts)
    }

    /// Compares an image with the base that is assumed for it: with its tag now, or with its digest where it has no tag.
    async fn by_assumption(
        &self,
        base: Reference,
        platform: Option<&Platform>,
        record: &ImageRecord,
    ) -> BaseVerdict {
        let named = Base {
            written: base.to_string(),
            digest: None,
            image: Some(base),
            platform: None,
            is_frontend: false,
        };
        match (&named.image, named.tag()) {
            (Some(base), None) => {
                let mut answer = BaseAnswer::new(&named);
                answer.current_digest = base.digest().cloned();
                let platform = platform.cloned().unwrap_or_else(Platform::host);
                self.by_layers(answer, record, base.clone(), &platform)
                    .await
            }
            _ => self.verdict(&named, platform, record).await,
        }
    }

    async fn verdict(
        &self,
        base: &Base,
        of_image: Option<&Platform>,
        record: &ImageRecord,
    ) -> BaseVerdict {
        let mut answer = BaseAnswer::new(base);
        let platform = base.platform.as_ref().or(of_image);
        let tag = base
            .tag()
            .or_else(|| self.assumed.tag_of(base, of_image))
            .filter(|_| !base.is_frontend);
        let Some(tag) = tag else {
            return answer.without_tag(base);
        };
        answer.image = tag.to_string();
        let tag = self.app.canonical(&tag);
        answer.mirror = self
            .mirrors
            .get(&tag)
            .map(|(found, advice)| MirrorAnswer::new(found, advice.clone()));
        let now = match self.looked.get(&tag) {
            Some((image, Ok(seen))) => SeenTag { image, seen },
            Some((_, Err(error))) => {
                let state = if error.is_absent() {
                    BaseState::Missing
                } else {
                    BaseState::Unknown
                };
                return answer.ending(state, Error::from(error.clone()).one_line());
            }
            None => return answer.ending(BaseState::Unknown, "it was not looked at".to_owned()),
        };
        answer.current_digest = Some(now.seen.digest.clone());
        let platform = platform.cloned().unwrap_or_else(Platform::host);
        match &base.digest {
            Some(digest) => self.by_digest(answer, digest, now, &platform).await,
            None => {
                let base = now.pinned();
                self.by_layers(answer, record, base, &platform).await
            }
        }
    }

    /// Compares the digest that an image was built on with what the tag is now: directly, and by the manifest for the platform.
    async fn by_digest(
        &self,
        mut answer: BaseAnswer,
        recorded: &Digest,
        SeenTag { image, seen }: SeenTag<'_>,
        platform: &Platform,
    ) -> BaseVerdict {
        if *recorded == seen.digest {
            return answer.ending(BaseState::Current, String::new());
        }
        let registries = self.app.registries();
        let now = match registries.manifest_for(image, seen, platform).await {
            Ok(Some(now)) => now,
            Ok(None) => {
                let why = format!("it no longer exists for `{platform}`");
                return answer.ending(BaseState::Missing, why);
            }
            Err(error) => return answer.ending(BaseState::Unknown, Error::from(error).one_line()),
        };
        if *recorded == now {
            return answer.ending(BaseState::Current, String::new());
        }
        // The recorded digest may be that of an index with the same manifest for this platform. If it no longer exists, the base has moved.
        let (at, before) = (
            image.at(recorded.clone()),
            ResolvedTag::at(recorded.clone()),
        );
        let before = registries.manifest_for(&at, &before, platform).await;
        if before.is_ok_and(|before| before.as_ref() == Some(&now)) {
            return answer.ending(BaseState::Current, String::new());
        }
        let current = self.created(&image.at(now), platform).await;
        answer.recorded_created = self.created(&at, platform).await.map(AzTimestamp);
        answer.current_created = current.map(AzTimestamp);
        BaseVerdict {
            created: current,
            ..answer.ending(BaseState::Moved, String::new())
        }
    }

    async fn created(&self, image: &Reference, platform: &Platform) -> Option<Timestamp> {
        let config = self.app.registries().config(image, platform).await.ok()?;
        config.created.filter(|it| it.as_second() >= EARLIEST)
    }

    /// Compares the layers of an image with those of its base.
    async fn by_layers(
        &self,
        mut answer: BaseAnswer,
        record: &ImageRecord,
        base: Reference,
        platform: &Platform,
    ) -> BaseVerdict {
        let of_base = match self.record(base, platform).await {
            Ok(of_base) => of_base,
            Err(why) => return answer.ending(BaseState::Unknown, why),
        };
        let created = of_base.created.filter(|it| it.as_second() >= EARLIEST);
        answer.current_created = created.map(AzTimestamp);
        match compare(record, &of_base) {
            LayerMatch::BuiltOn(evidence) => BaseVerdict {
                evidence: Some(evidence),
                ..answer.ending(BaseState::Current, String::new())
            },
            LayerMatch::NotBuiltOn(evidence) => {
                let why = match evidence {
                    Evidence::History => {
                        "its history does not begin with that of the base as it is now"
                    }
                    _ => "its layers do not begin with those of the base as it is now",
                };
                BaseVerdict {
                    created,
                    evidence: Some(evidence),
                    ..answer.ending(BaseState::Moved, why.to_owned())
                }
            }
            LayerMatch::Unclear(why) => answer.ending(BaseState::Unknown, why.to_owned()),
        }
    }

    async fn record(
        &self,
        base: Reference,
        platform: &Platform,
    ) -> Result<Rc<ImageRecord>, String> {
        let key = (base.clone(), platform.clone());
        let cell = Rc::clone(self.records.borrow_mut().entry(key).or_default());
        cell.get_or_init(|| async {
            let place = ImagePlace::Registry(base);
            read::record(self.app, &place, platform).await.map(Rc::new)
        })
        .await
        .clone()
    }
}

impl BaseAnswer {
    fn new(base: &Base) -> Self {
        Self {
            image: base.written.clone(),
            state: BaseState::Unknown,
            recorded_digest: base.digest.clone(),
            current_digest: None,
            recorded_created: None,
            current_created: None,
            error: None,
            mirror: None,
        }
    }

    fn ending(mut self, state: BaseState, why: String) -> BaseVerdict {
        self.state = state;
        self.error = Some(why).filter(|why| !why.is_empty());
        BaseVerdict {
            base: self,
            created: None,
            evidence: None,
        }
    }

    /// Returns why a base without a tag is not looked at.
    fn without_tag(self, base: &Base) -> BaseVerdict {
        if base.is_frontend {
            return self.ending(
                BaseState::NotFollowed,
                "it only reads the Dockerfile".to_owned(),
            );
        }
        match &base.image {
            Some(image) => {
                let name = image.name();
                let why = format!(
                    "it is pinned by its digest, and no tag is named; to compare it with one: --base {name}:TAG"
                );
                self.ending(BaseState::NotFollowed, why)
            }
            None => {
                let why = "only its digest is named, or with an invalid name; if you know it: --base IMAGE";
                self.ending(BaseState::Unknown, why.to_owned())
            }
        }
    }
}

/// Returns the state of an image by the states of its bases: certain states come before unknown ones.
fn state(verdicts: &[BaseVerdict]) -> State {
    let order = [
        (BaseState::Moved, State::Stale),
        (BaseState::Missing, State::Missing),
        (BaseState::Unknown, State::Unknown),
        (BaseState::Current, State::Current),
    ];
    let found = order
        .into_iter()
        .find(|(state, _)| verdicts.iter().any(|it| it.base.state == *state));
    found.map_or(State::FollowsNothing, |(_, state)| state)
}

/// Returns on one line the state of each base that is not current.
fn reason(verdicts: &[BaseVerdict]) -> String {
    if verdicts.is_empty() {
        return "it depends on no image".to_owned();
    }
    let parts = verdicts.iter().filter_map(|it| {
        let base = &it.base;
        let short = |digest: &Option<Digest>| {
            let digest = digest.as_ref().map(|digest| digest.short().to_owned());
            digest.unwrap_or_else(|| "?".to_owned())
        };
        let dated = |digest: &Option<Digest>, made: &Option<AzTimestamp>| {
            let made = made.map(|made| format!(" of {}", made.0.strftime("%Y-%m-%d")));
            format!("{}{}", short(digest), made.unwrap_or_default())
        };
        match (base.state, &base.error) {
            (BaseState::Moved, None) => Some(format!(
                "{} {} -> {}",
                base.image,
                dated(&base.recorded_digest, &base.recorded_created),
                dated(&base.current_digest, &base.current_created)
            )),
            (_, Some(why)) if why.contains(base.image.as_str()) => Some(why.clone()),
            (_, Some(why)) => Some(format!("{}: {why}", base.image)),
            _ => None,
        }
    });
    joined(parts, "; ")
}

/// Says that nothing is known of the bases of an image, and what to do.
fn unexplained(problems: &[String]) -> String {
    let nothing =
        "nothing says what it was built on; if you know it: --base IMAGE or --dockerfile FILE";
    match problems {
        [] => nothing.to_owned(),
        some => format!("{nothing}; {}", some.join("; ")),
    }
}

/// Returns tags by canonical name, each with the first of its names: this name is used to ask the registry.
fn distinct(app: &App, tags: BTreeSet<Reference>) -> BTreeMap<Reference, Reference> {
    let mut distinct = BTreeMap::new();
    for tag in tags {
        distinct.entry(app.canonical(&tag)).or_insert(tag);
    }
    distinct
}
