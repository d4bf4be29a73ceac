//! For which platforms a builder builds, and what of an image of its own it says: small questions to builders.

use crate::{
    builder::{BuildRequest, Builder, BuilderPlatforms, HeldImage},
    image::Platform,
    sys::{
        command::CommandLine,
        environment,
        process::{self, Ended},
    },
};

use super::App;

/// The variable that docker and buildx heed where a build names no platform.
const DEFAULT: &str = "DOCKER_DEFAULT_PLATFORM";

/// Finds out for which platforms a builder builds where a task names none. It is asked once for the whole process; one that does not
/// answer is taken to run on this machine.
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
        let answer = answer(&question.line).await;
        if let Some(platform) =
            answer.and_then(|printed| question.read(&String::from_utf8_lossy(&printed)))
        {
            let mut all = app.builder_platforms.borrow_mut();
            all.insert(asked, platform.clone());
            return platform;
        }
    }
    Platform::host()
}

/// Returns what a build has just made, as far as its builder says it.
pub async fn built(builder: &Builder, request: &BuildRequest) -> Option<HeldImage> {
    inspected(&builder.inspect_built(request)?).await
}

/// Returns the image that a builder shows; none where it does not end well, or shows none.
pub async fn inspected(line: &CommandLine) -> Option<HeldImage> {
    HeldImage::parse(&answer(line).await?)
}

/// Returns the platforms that an image is for; none where its builder says nothing of it.
pub fn named(image: Option<&HeldImage>) -> Vec<Platform> {
    image.map_or_else(Vec::new, |image| image.platforms.clone())
}

/// Returns what a command prints on its output; none where it does not end well.
pub async fn answer(line: &CommandLine) -> Option<Vec<u8>> {
    let reply = process::converse(line, b"").await.ok()?;
    (reply.ended == Ended::Exited(0)).then_some(reply.output)
}
