//! Events of git repositories: new commits on branches, and pull requests.

use serde_json::Value;

use crate::listen::hint::{Change, Hint, SourceHint};

use super::fields::text;

/// Reads an event of GitHub, Gitea or Forgejo, whose relevant fields are the same.
///
/// <https://docs.github.com/webhooks/webhook-events-and-payloads#push>, `#pull_request`
pub fn github(event: &str, body: &Value) -> Vec<Hint> {
    let change = match event {
        "push" => pushed(text(body, "/ref"), text(body, "/after")),
        "pull_request" => github_pull_request(body),
        _ => None,
    };
    hint(
        body,
        ["/repository/clone_url", "/repository/ssh_url"],
        change,
    )
}

fn github_pull_request(body: &Value) -> Option<Change> {
    // Gitea has its own word for a new commit.
    match text(body, "/action")? {
        "opened" | "reopened" | "synchronize" | "synchronized" => {}
        _ => return None,
    }
    let ours = text(body, "/pull_request/base/repo/full_name");
    let theirs = text(body, "/pull_request/head/repo/full_name");
    Some(Change::PullRequest {
        number: body.get("number")?.as_u64()?,
        into: text(body, "/pull_request/base/ref")?.to_owned(),
        commit: text(body, "/pull_request/head/sha")?.to_owned(),
        // A deleted fork has no name.
        from_fork: ours.is_none() || ours != theirs,
    })
}

/// Reads an event of GitLab.
///
/// <https://docs.gitlab.com/user/project/integrations/webhook_events/>
pub fn gitlab(event: &str, body: &Value) -> Vec<Hint> {
    let change = match event {
        // For a deleted branch, nothing is checked out.
        "Push Hook" => pushed(text(body, "/ref"), text(body, "/checkout_sha")),
        "Merge Request Hook" => gitlab_merge_request(body),
        _ => None,
    };
    hint(
        body,
        ["/project/git_http_url", "/project/git_ssh_url"],
        change,
    )
}

fn gitlab_merge_request(body: &Value) -> Option<Change> {
    let request = body.get("object_attributes")?;
    match text(request, "/action")? {
        "open" | "reopen" => {}
        // A change of labels is an update too; only a new commit has an `oldrev`.
        "update" if request.get("oldrev").is_some() => {}
        _ => return None,
    }
    let project = |key: &str| request.get(key).and_then(Value::as_u64);
    let ours = project("target_project_id");
    Some(Change::PullRequest {
        number: request.get("iid")?.as_u64()?,
        into: text(request, "/target_branch")?.to_owned(),
        commit: text(request, "/last_commit/id")?.to_owned(),
        from_fork: ours.is_none() || ours != project("source_project_id"),
    })
}

/// Returns a push to a branch; `None` for a git tag, or for a deleted branch, whose commit is all zeros.
fn pushed(name: Option<&str>, commit: Option<&str>) -> Option<Change> {
    let branch = name?.strip_prefix("refs/heads/")?;
    let commit = commit.filter(|commit| commit.bytes().any(|digit| digit != b'0'))?;
    Some(Change::Push {
        branch: branch.to_owned(),
        commit: commit.to_owned(),
    })
}

fn hint(body: &Value, urls: [&str; 2], change: Option<Change>) -> Vec<Hint> {
    let repository: Vec<String> = urls
        .iter()
        .filter_map(|pointer| text(body, pointer))
        .map(str::to_owned)
        .collect();
    let source = change
        .filter(|_| !repository.is_empty())
        .map(|change| SourceHint { repository, change });
    source.map(Hint::Source).into_iter().collect()
}
