//! One build of a Dockerfile by one builder: runs its command lines in sequence, and once more after the disk was full.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    builder::{BuildRequest, DigestSource, HeldImage, Purpose},
    error::Error,
    image::{Digest, Platform, Reference},
    sys::signal::Stop,
    task::{DockerStep, Run},
    watch::Baseline,
};

use super::{
    assemble, builder_fault, builders,
    cache_traces::{self, CacheTraces},
    clean::{self, BuilderTraces},
    commands::{CommandFailure, Commands},
    execution::{Execution, Failure, GRACE},
    inputs::Inputs,
    outputs,
    push_login::or_away,
    pushed,
    resolve::Resolved,
    run_builders::PlacedBuilder,
    run_log::PrefixedLog,
    unchanged,
    why_failed::{has_no_disk, with_last_words},
    working_containers,
};

/// One build of a run: its inputs, and what was resolved.
pub(super) struct BuildJob<'a> {
    pub execution: &'a Execution<'a>,
    pub step: &'a DockerStep,
    pub inputs: &'a Inputs,
    pub resolved: &'a Resolved,
    pub images: &'a [Reference],
    pub run: &'a Run,
    /// The baseline of the task before this run.
    pub baseline: &'a Baseline,
}

/// The part of a build that one builder does, and its log.
pub(super) struct BuilderWork<'a> {
    pub on: &'a PlacedBuilder,
    pub request: BuildRequest,
    pub lines: PrefixedLog<'a>,
    pub stop: &'a Stop,
}

#[derive(Debug, Default)]
pub(super) struct BuildOutcome {
    /// The digests that the builder reported.
    pub digests: BTreeMap<Reference, Digest>,
    /// The platforms of the image as the builder reports them; empty where it does not.
    pub platforms: BTreeSet<Platform>,
}

impl BuildJob<'_> {
    /// Builds with one builder, and once more if its disk was full and has been pruned.
    pub async fn build_on(&self, work: BuilderWork<'_>) -> Result<BuildOutcome, Failure> {
        let (execution, name) = (self.execution, &work.on.name);
        let app = execution.app;
        let traces = CacheTraces::of(execution, work.on, self.run, work.stop);
        let build = async {
            match self.try_on(&work).await {
                Err(failure)
                    if has_no_disk(&failure.error)
                        && builder_fault::free_disk(execution, name, &work.lines).await =>
                {
                    self.try_on(&work).await
                }
                built => built,
            }
        };
        let pulled = || self.resolved.pulled.keys();
        let build = working_containers::removed(work.on, pulled(), &work.lines, build);
        let built = cache_traces::noted(traces, "", pulled(), build).await;
        match built {
            Ok(outcome) => {
                builders::note_room(app, name)?;
                Ok(outcome)
            }
            Err(failure) => Err(builder_fault::with_builder_fault(execution, failure, name).await),
        }
    }

    async fn try_on(&self, work: &BuilderWork<'_>) -> Result<BuildOutcome, Failure> {
        let (execution, inputs, resolved) = (self.execution, self.inputs, self.resolved);
        let on = work.on;
        let mut request = work.request.clone();
        let mut left_out = assemble::left_out(execution, &request.context);
        assemble::leave_out(inputs, &on.builder, &mut left_out, &mut request)?;
        assemble::restrict_images(execution.app, &on.builder, &mut request)?;
        assemble::place_dockerfile(&request, resolved)?;
        // A frontend other than Docker's reads what it wants of the context. A client that may send the Dockerfile sends it whatever is
        // ignored if it is in the context, as in a state directory there.
        let is_ignored = on.builder.reads_ignore_file_beside(&execution.app.settings)
            && !inputs.dockerfile.is_foreign(&inputs.build)
            && !(on.builder.may_send_dockerfile() && left_out.has_state());
        let _lean =
            assemble::place_lean_context(execution, inputs, is_ignored, &mut request, &left_out)?;
        let pulled = resolved.pulled.keys();
        let traces = BuilderTraces::before(execution, on, self.run, pulled).await?;
        let built = self.run_steps(work, &request, traces.as_ref()).await;
        let (traces, log) = (traces.as_ref(), work.lines.log);
        clean::after_build(on, &request, traces, built.is_err(), log).await;
        built
    }

    /// Runs the command lines of the builder, one after the other.
    async fn run_steps(
        &self,
        work: &BuilderWork<'_>,
        request: &BuildRequest,
        traces: Option<&BuilderTraces<'_>>,
    ) -> Result<BuildOutcome, Failure> {
        let (execution, inputs) = (self.execution, self.inputs);
        let BuilderWork {
            on, lines, stop, ..
        } = work;
        let variables = execution.secret_variables()?;
        let commands = Commands {
            execution,
            run: self.run.run_id,
            lines,
            stop,
            limit: None,
        };
        let mut outcome = BuildOutcome::default();
        let mut unchanged = BTreeMap::new();
        for step in on.builder.plan(request)? {
            let before = match (traces, &step.purpose) {
                (Some(traces), Purpose::Publish(tags)) => traces.id_of(tags).await,
                _ => None,
            };
            if let Purpose::Push(image) = &step.purpose
                && let Some(digest) = unchanged.remove(image)
            {
                lines.say(&unchanged::in_words(image, &digest));
                outcome.digests.insert(image.clone(), digest);
                continue;
            }
            let doing = step.purpose.progress_text(self.images);
            lines.log.doing(format!("{}{doing}", lines.prefix));
            lines.line(&format!("$ {}", step.line));
            let line = variables.iter().fold(step.line, |line, (name, value)| {
                line.secret_env(name.clone(), value.clone())
            });
            let keep = match step.digest {
                DigestSource::Output => usize::MAX,
                _ => 0,
            };
            let ran = commands.run(line, GRACE, keep).await;
            let printed = match ran {
                Ok(printed) => printed,
                Err(why) => {
                    let failure = failed(why, on, &step.purpose, request);
                    return Err(or_away(execution, failure, step.purpose.pushes()).await);
                }
            };
            if step.purpose == Purpose::Build {
                let (made, built) = outputs::built(&on.builder, request, inputs, traces).await?;
                outcome.platforms = made;
                // A part is compared when the parts are joined: the same parts give the same index.
                if on.platforms.is_empty() {
                    unchanged = self.unchanged(&built).await?;
                }
            }
            if let Some(digest) = pushed::digest(&step.purpose, &step.digest, &printed)? {
                if let (Some(traces), Purpose::Publish(tags)) = (traces, &step.purpose) {
                    traces.note_pushed(tags, &digest, before).await?;
                }
                let images = step.purpose.pushes().iter().cloned();
                let pushed = images.map(|image| (image, digest.clone()));
                outcome.digests.extend(pushed);
            }
        }
        Ok(outcome)
    }

    /// Returns the tags whose images are already the same as the one just built, with their digests.
    async fn unchanged(&self, built: &[HeldImage]) -> Result<BTreeMap<Reference, Digest>, Failure> {
        let (before, now) = (&self.baseline.dependencies, &self.resolved.dependencies);
        let is_first = self.baseline.outputs.is_empty();
        if !self.step.pushes() || is_first || unchanged::is_on_another_base(before, now) {
            return Ok(BTreeMap::new());
        }
        let mut same = BTreeMap::new();
        for tag in self.images {
            let asking = unchanged::look(self.execution.app, self.baseline, tag, built);
            let found = self.execution.until_stopped(self.execution.stop, asking);
            same.insert(tag.clone(), found.await?);
        }
        Ok(unchanged::tags_left(same))
    }
}

fn failed(
    why: CommandFailure,
    on: &PlacedBuilder,
    purpose: &Purpose,
    request: &BuildRequest,
) -> Failure {
    match why {
        CommandFailure::Final(failure) => failure,
        CommandFailure::Exit(command) => {
            let how = command.how("the builder's exit code", "the builder");
            let error = Error::failed(format!("{purpose} failed: {how}"));
            with_last_words(error, &command, &on.builder, purpose, request).into()
        }
    }
}
