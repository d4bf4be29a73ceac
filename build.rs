//! Which commit a released program was made of, and of which day: what `acrt --version` says behind its number.
//!
//! Builds for work say neither, so that a commit compiles nothing anew. Packages name both by `ACRT_COMMIT` and `SOURCE_DATE_EPOCH`.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells it by variables, and git by its output"
)]

use std::{env, path::Path, process::Command};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = Path::new(&root);
    for name in ["ACRT_COMMIT", "SOURCE_DATE_EPOCH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    let named = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let mut commit = named("ACRT_COMMIT");
    let mut day = named("SOURCE_DATE_EPOCH").and_then(|seconds| day(seconds.parse().ok()?));
    if named("PROFILE").as_deref() == Some("release") && is_checkout(root) {
        for file in ["HEAD", "packed-refs"]
            .into_iter()
            .map(str::to_owned)
            .chain(git(root, &["symbolic-ref", "HEAD"]))
        {
            if let Some(path) = git(root, &["rev-parse", "--git-path", &file])
                && root.join(&path).exists()
            {
                println!("cargo:rerun-if-changed={path}");
            }
        }
        commit = commit.or_else(|| git(root, &["rev-parse", "HEAD"]));
        day = day.or_else(|| {
            self::day(
                git(root, &["show", "--no-patch", "--format=%ct", "HEAD"])?
                    .parse()
                    .ok()?,
            )
        });
    }
    println!(
        "cargo:rustc-env=ACRT_BUILD={}",
        said(commit.as_deref(), day.as_deref())
    );
}

/// Returns what stands behind the number of the version: ` (1a2b3c4d5e6f 2026-01-31)`, as far as it is known.
pub fn said(commit: Option<&str>, day: Option<&str>) -> String {
    let commit = commit.map(|commit| commit.get(..12).unwrap_or(commit));
    match (commit, day) {
        (Some(commit), Some(day)) => format!(" ({commit} {day})"),
        (Some(known), None) | (None, Some(known)) => format!(" ({known})"),
        (None, None) => String::new(),
    }
}

/// Returns the day of a time in seconds since 1970, in UTC: `2026-01-31`.
///
/// The calendar is counted in eras of 400 years that begin on the first of March.
pub fn day(seconds: u64) -> Option<String> {
    let days = i64::try_from(seconds / 86400).ok()? + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// Tells whether the folder is the top of a git repository, and not inside of one of somebody else's.
pub fn is_checkout(root: &Path) -> bool {
    git(root, &["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix.is_empty())
}

/// Returns what git prints, or nothing where it cannot say.
pub fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
