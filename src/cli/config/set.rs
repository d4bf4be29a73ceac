//! `acrt config set`

use crate::{
    cli::outcome::Outcome,
    error::{Error, Result},
    ops::{self, GlobalOptions},
    view::{CannotRender, Format, UnknownFormat},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt config set defaults.registry=localhost:5000\n  acrt config set defaults.builder podman\n  acrt config set watch.everySeconds=30 registries.r.lan.plainHttp=true"
)]
pub struct SetArgs {
    /// KEY=VALUE, of which there may be several, or KEY VALUE
    #[arg(required = true, value_name = "KEY=VALUE")]
    key: Vec<String>,
}

pub fn run(around: &GlobalOptions, args: SetArgs) -> Result<Outcome> {
    ops::config::set(around, &pairs(&args.key)?, check_format)?;
    Ok(Outcome::default())
}

/// Refuses a text that is no output format of every command.
fn check_format(text: &str) -> Result<(), String> {
    match text.parse() {
        Ok(Format::Picture(_)) => Err(CannotRender::NoPicture.to_string()),
        Ok(_) => Ok(()),
        Err(problem @ UnknownFormat(_)) => Err(problem.to_string()),
    }
}

fn pairs(words: &[String]) -> Result<Vec<(String, String)>> {
    if let [key, value] = words
        && !key.contains('=')
    {
        return Ok(vec![(key.clone(), value.clone())]);
    }
    let pair = |word: &String| {
        let (key, value) = word.split_once('=').ok_or_else(|| {
            Error::invalid(format!(
                "`{}` is not of the form KEY=VALUE",
                word.escape_debug()
            ))
        })?;
        Ok((key.to_owned(), value.to_owned()))
    };
    words.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_key_and_value_are_accepted_as_one_argument_or_two() {
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            pairs(&words).ok()
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(read(&["a.b", "c=d"]), Some(vec![pair("a.b", "c=d")]));
        assert_eq!(
            read(&["a.b=c=d", "e.f="]),
            Some(vec![pair("a.b", "c=d"), pair("e.f", "")])
        );
        assert_eq!(read(&["a.b"]), None);
        assert_eq!(read(&["a.b", "c", "d"]), None);
    }
}
