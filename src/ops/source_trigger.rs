//! Makes source triggers of `--commit-trigger-enabled` and `--pull-request-trigger-enabled`.

use crate::{
    error::{Error, Result},
    task::{Context, SourceEvent, SourceTrigger, Status, Step, trigger::DEFAULT_SOURCE_TRIGGER},
};

use super::{Event, EventSink};

/// The options for source triggers; `None` changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTriggerPatch {
    /// Whether new commits run the task.
    pub commits: Option<bool>,
    pub pull_requests: Option<bool>,
    /// A name other than the default one, which is kept in a disabled trigger if nothing enables it.
    pub name: Option<String>,
}

/// Makes the source triggers of a new task. As in az, a token implies that commits trigger the task; without one the option has to be given,
/// because a public repository needs no token.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where the context is no git repository.
pub fn of_new(
    patch: &SourceTriggerPatch,
    step: &Step,
    has_token: bool,
) -> Result<Vec<SourceTrigger>> {
    let is_git = step.context().and_then(Context::git).is_some();
    let commits = patch.commits.unwrap_or(is_git && has_token);
    let patch = SourceTriggerPatch {
        commits: Some(commits),
        ..patch.clone()
    };
    changed(&patch, Vec::new(), step)
}

pub fn changed(
    patch: &SourceTriggerPatch,
    old: Vec<SourceTrigger>,
    step: &Step,
) -> Result<Vec<SourceTrigger>> {
    let wanted = [
        (SourceEvent::Commit, patch.commits),
        (SourceEvent::PullRequest, patch.pull_requests),
    ];
    let asks = wanted.iter().any(|(_, on)| *on == Some(true)) || patch.name.is_some();
    if asks && step.context().and_then(Context::git).is_none() {
        return Err(Error::invalid(
            "the context is no git repository: it has no commits or pull requests to wait for",
        )
        .hint("leave out --commit-trigger-enabled, --pull-request-trigger-enabled and --source-trigger-name"));
    }
    let mut old = old.into_iter();
    let first = old.next();
    if first.is_none() && !asks {
        return Ok(Vec::new());
    }
    let mut trigger = first.unwrap_or_else(|| SourceTrigger {
        name: DEFAULT_SOURCE_TRIGGER.into(),
        status: Status::Disabled,
        source_trigger_events: Vec::new(),
    });
    if let Some(name) = &patch.name {
        trigger.name.clone_from(name);
    }
    let before = trigger.source_trigger_events.clone();
    for (event, on) in wanted {
        let Some(on) = on else { continue };
        trigger
            .source_trigger_events
            .retain(|other| *other != event);
        if on {
            trigger.source_trigger_events.push(event);
            trigger.status = Status::Enabled;
        }
    }
    if trigger.source_trigger_events.is_empty() {
        // Its events are kept while it is disabled, as for the other triggers.
        trigger.source_trigger_events = before;
        trigger.status = Status::Disabled;
    }
    Ok(std::iter::once(trigger).chain(old).collect())
}

/// Reports what a source trigger cannot do by itself.
pub fn report_pull_requests(triggers: &[SourceTrigger], events: &EventSink<'_>) {
    let waits = triggers.iter().any(|trigger| {
        trigger.status == Status::Enabled
            && trigger
                .source_trigger_events
                .contains(&SourceEvent::PullRequest)
    });
    if waits {
        events.send(Event::Note(
            "a trigger by pull requests is kept in the definition and runs nothing: acrt follows commits".into(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(context: &str) -> Step {
        serde_yaml::from_str(&format!(
            "{{type: Docker, contextPath: '{context}', dockerFilePath: Dockerfile}}"
        ))
        .unwrap()
    }

    fn patch(commits: Option<bool>, pull_requests: Option<bool>) -> SourceTriggerPatch {
        SourceTriggerPatch {
            commits,
            pull_requests,
            name: None,
        }
    }

    const GIT: &str = "https://example.com/web.git";

    #[test]
    fn source_trigger_is_enabled_by_a_token_or_by_the_option() {
        let events = |patch, token| {
            let made = of_new(&patch, &step(GIT), token).unwrap();
            made.first().map(|it| it.source_trigger_events.clone())
        };
        assert_eq!(events(patch(None, None), false), None);
        assert_eq!(
            events(patch(None, None), true),
            Some(vec![SourceEvent::Commit])
        );
        assert_eq!(events(patch(Some(false), None), true), None);
        assert_eq!(
            events(patch(Some(true), Some(true)), false),
            Some(vec![SourceEvent::Commit, SourceEvent::PullRequest])
        );
    }

    #[test]
    fn name_of_a_source_trigger_that_is_not_enabled_is_kept_and_refused_without_git() {
        let named = |commits| SourceTriggerPatch {
            name: Some("mine".into()),
            ..patch(commits, None)
        };
        for commits in [None, Some(false)] {
            let off = of_new(&named(commits), &step(GIT), false).unwrap();
            assert_eq!(off[0].status, Status::Disabled);
            let on = changed(&patch(Some(true), None), off, &step(GIT)).unwrap();
            assert_eq!(
                (on[0].name.as_str(), on[0].status),
                ("mine", Status::Enabled)
            );
        }
        assert!(of_new(&named(None), &step("/c"), false).is_err());
    }

    #[test]
    fn source_trigger_of_a_local_folder_can_only_be_disabled() {
        assert!(of_new(&patch(Some(true), None), &step("/c"), false).is_err());
        assert_eq!(
            of_new(&patch(Some(false), Some(false)), &step("/c"), false).unwrap(),
            []
        );
        assert_eq!(of_new(&patch(None, None), &step("/c"), true).unwrap(), []);
    }

    #[test]
    fn disabled_source_trigger_stays_in_the_definition_and_can_be_enabled() {
        let git = step(GIT);
        let on = of_new(&patch(Some(true), None), &git, false).unwrap();
        let off = changed(&patch(Some(false), None), on.clone(), &git).unwrap();
        assert_eq!(off[0].status, Status::Disabled);
        assert_eq!(off[0].source_trigger_events, [SourceEvent::Commit]);
        assert_eq!(changed(&patch(Some(true), None), off, &git).unwrap(), on);
        assert_eq!(changed(&patch(None, None), on.clone(), &git).unwrap(), on);
    }
}
