//! A step that pushes: each image once, without those whose tag has the same image already.

use std::collections::BTreeMap;

use crate::{
    builder::BuildRequest,
    image::{Digest, Reference},
    ops::{
        assemble,
        execution::{Failure, GRACE},
        local, pushed,
        unchanged::{self, Unchanged},
    },
    steps::step::PushTarget,
};

use super::{
    step_context::StepBuild,
    step_run::{StepFailure, StepRun},
};

/// How often a push is tried, as in ACR.
const PUSHES: u32 = 3;

pub(super) async fn push(work: &StepRun<'_>, images: &[PushTarget]) -> Result<(), StepFailure> {
    let (shared, app) = (work.shared, work.shared.execution.app);
    let made = shared.made_before(work.step);
    let request = BuildRequest {
        images: images.iter().map(|pushed| pushed.image.clone()).collect(),
        scratch: shared.workspace.step(&work.step.id)?,
        auth_dir: shared.auth_dir.clone(),
        plain_http: assemble::unverified(app, images.iter().map(|pushed| &pushed.image)),
        ..BuildRequest::default()
    };
    let mut unchanged = unchanged(work, images).await?;
    for pushed in images {
        let image = &pushed.image;
        let written: Option<Reference> = pushed.written.parse().ok();
        let other = written.filter(|name| !made.contains(image) && made.contains(name));
        let naming = other.and_then(|name| {
            let builder = &shared.on.builder;
            builder.tag(&name.to_string(), &image.to_string())
        });
        if let Some(line) = naming {
            work.run("naming the image", line, GRACE).await?;
        }
        let digest = match unchanged.remove(image) {
            Some(digest) => {
                work.lines.say(&unchanged::in_words(image, &digest));
                Some(digest)
            }
            None => push_one(work, &request, image).await?,
        };
        let mut found = shared.found.borrow_mut();
        found.pushed.push((image.clone(), digest));
    }
    Ok(())
}

/// Returns the tags whose images are already what a step has built for them, with their digests.
async fn unchanged(
    work: &StepRun<'_>,
    images: &[PushTarget],
) -> Result<BTreeMap<Reference, Digest>, Failure> {
    let mut same = BTreeMap::new();
    for pushed in images {
        let found = look_at_pushed(work, &pushed.image).await?;
        same.insert(pushed.image.clone(), found);
    }
    Ok(unchanged::tags_left(same))
}

/// Looks at a tag that may already have the image which a step has built for it, for one platform.
async fn look_at_pushed(
    work: &StepRun<'_>,
    image: &Reference,
) -> Result<Option<Unchanged>, Failure> {
    let is_one_image = {
        let found = work.shared.found.borrow();
        let is_its = |build: &&StepBuild| build.images.contains(image);
        let mut builds = found.builds.values().filter(is_its).peekable();
        builds.peek().is_some() && builds.all(|build| build.platforms.len() == 1)
    };
    if !is_one_image {
        return Ok(None);
    }
    let app = work.shared.execution.app;
    let asking = async {
        let held = local::held(&work.shared.on.builder, image)
            .await
            .ok()
            .flatten()?;
        unchanged::look(app, work.shared.baseline, image, &[held]).await
    };
    let shared = work.shared;
    shared.execution.until_stopped(&shared.stop, asking).await
}

async fn push_one(
    work: &StepRun<'_>,
    request: &BuildRequest,
    image: &Reference,
) -> Result<Option<Digest>, StepFailure> {
    let planned = work.shared.on.builder.push(request, image)?;
    let mut tries = 1;
    let printed = loop {
        let line = planned.line.clone();
        match work.run_builder(line, &planned.purpose, request).await {
            Ok(printed) => break printed,
            Err(StepFailure::Exit { .. }) if tries < PUSHES => {
                tries += 1;
                work.shared.pause(tries - 1).await?;
            }
            Err(trouble) => return Err(trouble),
        }
    };
    Ok(pushed::digest(&planned.purpose, &planned.digest, &printed)?)
}
