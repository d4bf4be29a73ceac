//! Asks builders for which platforms they build, and what they say of images in their store.

use std::collections::BTreeSet;

use crate::{
    builder::{BuildRequest, Builder, BuilderPlatforms, HeldImage, Question},
    image::{Digest, Platform},
    sys::{
        command::CommandLine,
        environment,
        process::{self, Ended},
    },
};

use super::App;

/// The variable from which docker and buildx take the platform where a build names none.
const DEFAULT: &str = "DOCKER_DEFAULT_PLATFORM";

/// Returns for which platforms a builder builds where a task names none. It is asked once in a process; a builder that does not answer is
/// taken to run on this machine.
pub async fn of(app: &App, builder: &Builder) -> BuilderPlatforms {
    let default = environment::variable(DEFAULT);
    builder.platforms(own(app, builder).await, default.as_deref())
}

async fn own(app: &App, builder: &Builder) -> Platform {
    for question in builder.platform_questions() {
        let asked = question.line.to_string();
        let known = app.builder_platforms.borrow().get(&asked).cloned();
        if let Some(platform) = known {
            return platform;
        }
        if let Some(platform) = ask(&question).await.flatten() {
            let mut all = app.builder_platforms.borrow_mut();
            all.insert(asked, platform.clone());
            return platform;
        }
    }
    Platform::host()
}

/// Returns the image that a build has just made, if its builder can show it.
pub async fn built(builder: &Builder, request: &BuildRequest) -> Option<HeldImage> {
    inspected(&builder.inspect_built(request)?).await
}

/// Returns a manifest list in the builder's store; `None` where it has none of this name.
pub async fn list(builder: &Builder, name: &str) -> Option<HeldImage> {
    inspected(&builder.inspect_list(name)?).await
}

/// Returns the image that a command shows; `None` where it fails or shows none.
pub async fn inspected(line: &CommandLine) -> Option<HeldImage> {
    HeldImage::parse(&answer(line).await?)
}

/// Returns the answer of a builder to a question; `None` where it gives none.
pub async fn ask<T>(question: &Question<T>) -> Option<T> {
    Some(question.read(&text(&question.line).await?))
}

/// Returns the output of a command as text; `None` where it fails.
pub async fn text(line: &CommandLine) -> Option<String> {
    Some(String::from_utf8_lossy(&answer(line).await?).into_owned())
}

/// Returns the ids of images that a command prints, one on each line; `None` where it fails.
pub async fn ids(line: &CommandLine) -> Option<BTreeSet<Digest>> {
    let text = text(line).await?;
    let ids = text.split_whitespace();
    Some(ids.filter_map(|id| id.parse().ok()).collect())
}

/// Returns the output of a command; `None` where it fails.
pub async fn answer(line: &CommandLine) -> Option<Vec<u8>> {
    let reply = process::ask(line).await.ok()?;
    (reply.ended == Ended::Exited(0)).then_some(reply.output)
}
