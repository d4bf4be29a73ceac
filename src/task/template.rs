//! Run variables in image names, as in `web:{{.Run.ID}}`.

use jiff::Timestamp;

use super::{Context, RunId};

/// The values of a run's template variables.
#[derive(Clone, Debug)]
pub struct RunVariables {
    pub id: RunId,
    /// `Run.Date`, printed as `yyyyMMdd-HHmmssz` in UTC.
    pub date: Timestamp,
    /// `Run.Registry`
    pub registry: String,
    /// `Run.TaskName`
    pub task: String,
    /// `Run.OS`
    pub os: String,
    /// `Run.Architecture`
    pub architecture: String,
    /// `Run.TriggeredBy`, in the words of `task list-runs`.
    pub triggered_by: String,
    /// The variables of the checked-out commit, where the context is a git repository.
    pub source: Option<SourceVariables>,
}

/// The values of the variables of a git context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceVariables {
    /// `Run.Commit`
    pub commit: String,
    /// `Run.Repository`, the URL.
    pub repository: String,
    /// `Run.Branch`: the branch or tag that the context names; empty for the default branch.
    pub branch: String,
}

impl SourceVariables {
    /// Returns the variables of a context at a commit; `None` for a context that is no git repository.
    pub fn of(context: Option<&Context>, commit: Option<&str>) -> Option<Self> {
        let git = context?.git()?;
        Some(Self {
            commit: commit?.to_owned(),
            repository: git.url.clone(),
            branch: git.reference.clone().unwrap_or_default(),
        })
    }
}

impl RunVariables {
    /// Returns `Run.Date`.
    pub fn written_date(&self) -> String {
        self.date.strftime("%Y%m%d-%H%M%Sz").to_string()
    }
}

/// Why a template cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// `{{` without `}}`.
    #[error("image name `{0}` has `{{{{` without `}}}}`")]
    Unclosed(String),
    /// A variable that no run has.
    #[error("image name `{text}`: no such variable `{variable}`; there are {VARIABLES}")]
    Unknown { text: String, variable: String },
}

const VARIABLES: &str = ".Run.ID, .Run.Date, .Run.Registry, .Run.RegistryName, .Run.TaskName, .Run.OS and .Run.Architecture, and with a git context .Run.Commit and .Run.Branch";

/// Tells whether the text differs from run to run. Such a tag is written once, so nothing can depend on it.
pub fn is_unique(text: &str) -> bool {
    text.contains("{{")
}

/// Tells whether each run makes another tag from an image name: the template is in the tag.
pub fn makes_tags(name: &str) -> bool {
    let tag = name.rsplit_once(':').map(|(_, tag)| tag);
    tag.is_some_and(|tag| is_unique(tag) && !tag.contains('/'))
}

/// Fills in the run variables of `text`.
///
/// # Errors
///
/// [`InvalidTemplate`] for an unclosed brace or an unknown variable: leaving it empty would push a wrong tag.
pub fn render(text: &str, run: &RunVariables) -> Result<String, InvalidTemplate> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) = after
            .split_once("}}")
            .ok_or_else(|| InvalidTemplate::Unclosed(text.into()))?;
        out.push_str(before);
        // `{{-` and `-}}` trim white space in Go's templates; image names have none to trim.
        let variable = inside.trim_start_matches('-').trim_end_matches('-').trim();
        out.push_str(
            &value(variable, run).ok_or_else(|| InvalidTemplate::Unknown {
                text: text.into(),
                variable: variable.into(),
            })?,
        );
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

fn value(variable: &str, run: &RunVariables) -> Option<String> {
    Some(match variable {
        // `.Build.ID` is the old name that ACR still accepts.
        ".Run.ID" | ".Build.ID" => run.id.to_string(),
        ".Run.Date" => run.written_date(),
        ".Run.Registry" => run.registry.clone(),
        ".Run.RegistryName" => run.registry.split('.').next().unwrap_or_default().into(),
        ".Run.TaskName" => run.task.clone(),
        ".Run.OS" => run.os.clone(),
        ".Run.Architecture" => run.architecture.clone(),
        ".Run.Commit" => run.source.as_ref()?.commit.clone(),
        ".Run.Branch" => run.source.as_ref()?.branch.clone(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> RunVariables {
        RunVariables {
            id: RunId::new(35),
            date: "2026-01-02T03:04:05Z".parse().unwrap(),
            registry: "myreg.example.io".into(),
            task: "t1".into(),
            os: "linux".into(),
            architecture: "amd64".into(),
            triggered_by: "Manual".into(),
            source: None,
        }
    }

    #[test]
    fn image_name_makes_tags_if_its_tag_has_a_template() {
        for name in ["web:{{.Run.ID}}", "r.example:5000/web:v-{{ .Run.Date }}-x"] {
            assert!(makes_tags(name), "{name}");
        }
        for name in [
            "web",
            "web:latest",
            "{{.Run.ID}}/web:latest",
            "r:5000/{{.Run.ID}}",
        ] {
            assert!(!makes_tags(name), "{name}");
        }
    }

    #[test]
    fn commit_variable_is_available_for_git_contexts_only() {
        let source = SourceVariables {
            commit: "0123abc".into(),
            branch: "main".into(),
            ..SourceVariables::default()
        };
        let with = RunVariables {
            source: Some(source),
            ..variables()
        };
        let filled = render("web:{{.Run.Branch}}-{{.Run.Commit}}", &with);
        assert_eq!(filled.unwrap(), "web:main-0123abc");
        assert!(render("web:{{.Run.Commit}}", &variables()).is_err());
    }

    #[test]
    fn run_variables_are_filled_in_with_or_without_blanks() {
        let filled = render("web:{{.Run.ID}}-{{ .Run.Date }}", &variables());
        assert_eq!(filled.unwrap(), "web:caz-20260102-030405z");
        let filled = render("{{.Run.RegistryName}}/{{.Run.TaskName}}", &variables());
        assert_eq!(filled.unwrap(), "myreg/t1");
    }

    #[test]
    fn unknown_variable_or_unclosed_brace_is_an_error() {
        assert_eq!(
            render("web:{{.Run.Id}}", &variables())
                .unwrap_err()
                .to_string(),
            "image name `web:{{.Run.Id}}`: no such variable `.Run.Id`; there are .Run.ID, .Run.Date, .Run.Registry, .Run.RegistryName, .Run.TaskName, .Run.OS and .Run.Architecture, and with a git context .Run.Commit and .Run.Branch"
        );
        assert_eq!(
            render("web:{{.Run.ID", &variables())
                .unwrap_err()
                .to_string(),
            "image name `web:{{.Run.ID` has `{{` without `}}`"
        );
    }
}
