//! Run variables in image names, as in `web:{{.Run.ID}}`.

use jiff::Timestamp;

use super::RunId;

/// What the run variables stand for.
#[derive(Clone, Debug)]
pub struct RunVariables {
    /// `Run.ID`
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
}

impl RunVariables {
    /// Returns `Run.Date`.
    #[must_use]
    pub fn written_date(&self) -> String {
        self.date.strftime("%Y%m%d-%H%M%Sz").to_string()
    }
}

/// Why a template cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// `{{` without `}}`.
    #[error("image name `{0}` has `{{{{` without `}}}}`")]
    Unclosed(String),
    /// A variable that no run has.
    #[error("image name `{text}`: no such variable `{variable}`; there are {VARIABLES}")]
    Unknown {
        /// The whole image name.
        text: String,
        /// What stands between the braces.
        variable: String,
    },
}

const VARIABLES: &str = ".Run.ID, .Run.Date, .Run.Registry, .Run.RegistryName, .Run.TaskName, .Run.OS and .Run.Architecture";

/// Tells whether the text changes from run to run. Such a tag is written once and nothing can stand on it.
#[must_use]
pub fn is_unique(text: &str) -> bool {
    text.contains("{{")
}

/// Fills in the run variables of `text`.
///
/// # Errors
///
/// [`InvalidTemplate`] if a brace is left open or a variable is unknown: a silent gap would push a wrong tag.
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
        // `.Build.ID` is the old name that ACR still takes.
        ".Run.ID" | ".Build.ID" => run.id.to_string(),
        ".Run.Date" => run.written_date(),
        ".Run.Registry" => run.registry.clone(),
        ".Run.RegistryName" => run.registry.split('.').next().unwrap_or_default().into(),
        ".Run.TaskName" => run.task.clone(),
        ".Run.OS" => run.os.clone(),
        ".Run.Architecture" => run.architecture.clone(),
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
        }
    }

    #[test]
    fn run_variables_are_filled_in_with_or_without_blanks() {
        let filled = render("web:{{.Run.ID}}-{{ .Run.Date }}", &variables());
        assert_eq!(filled.unwrap(), "web:caz-20260102-030405z");
        let filled = render("{{.Run.RegistryName}}/{{.Run.TaskName}}", &variables());
        assert_eq!(filled.unwrap(), "myreg/t1");
    }

    #[test]
    fn an_unknown_variable_or_an_open_brace_is_an_error() {
        assert_eq!(
            render("web:{{.Run.Id}}", &variables())
                .unwrap_err()
                .to_string(),
            "image name `web:{{.Run.Id}}`: no such variable `.Run.Id`; there are .Run.ID, .Run.Date, .Run.Registry, .Run.RegistryName, .Run.TaskName, .Run.OS and .Run.Architecture"
        );
        assert_eq!(
            render("web:{{.Run.ID", &variables())
                .unwrap_err()
                .to_string(),
            "image name `web:{{.Run.ID` has `{{` without `}}`"
        );
    }
}
