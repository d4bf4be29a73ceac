//! The client in a process of its own, for an environment of its own: it runs this test program once more.

use std::process::Output;

use acrt::{
    registry::Registries,
    sys::{clock::Clock, config::RegistrySettings, settings::Settings},
};

use super::{service::program, settings::reference};

/// The images that the other process looks at, separated by spaces.
const IMAGES: &str = "ACRT_TEST_IMAGES";

/// Looks at images in a process with only these variables.
pub fn look(images: &str, variables: &[(&str, &str)]) -> Output {
    let this = std::env::current_exe().unwrap();
    let mut command = program(this.to_str().unwrap());
    command.args([
        "--exact",
        "another_process::itself",
        "--ignored",
        "--nocapture",
    ]);
    command
        .env_clear()
        .env(IMAGES, images)
        .envs(variables.iter().copied());
    command.output().unwrap()
}

/// Tells whether a process printed `what`.
pub fn says(output: &Output, what: &str) -> bool {
    String::from_utf8_lossy(&output.stdout).contains(what)
}

#[tokio::test]
#[ignore = "started by the other tests"]
async fn itself() {
    let mut settings = Settings::load(None, None, false).unwrap();
    let plain = RegistrySettings {
        plain_http: Some(true),
        ..RegistrySettings::default()
    };
    settings
        .config
        .registries
        .insert("registry.test".to_owned(), plain);
    let images = acrt::sys::environment::variable(IMAGES).unwrap();
    let registries = Registries::new(&settings, Clock::System, Vec::new());
    let tags = images.split(' ').map(reference).collect();
    for (tag, seen) in registries.look_all(tags).await {
        match seen {
            Ok(seen) => println!("seen {tag} {}", seen.digest),
            Err(error) => {
                let error = acrt::Error::from(error);
                println!("error {}; {:?}", error.one_line(), error.advice());
            }
        }
    }
}
