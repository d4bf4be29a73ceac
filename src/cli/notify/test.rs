//! `acrt notify test`

use clap::builder::PossibleValuesParser;

use crate::{
    cli::outcome::Outcome,
    error::{Kind, Result},
    ops::{App, notify},
    view::Column,
};

const COLUMNS: &[Column] = &[
    Column::at("RECEIVER", "/receiver"),
    Column::at("EVENT", "/event"),
    Column::at("ANSWER", "/answer"),
    Column::at("ERROR", "/error"),
];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt notify test\n  acrt notify test --name chat --event recovery"
)]
pub struct NotifyTestArgs {
    /// Receiver of the config file [default: all]
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// Event of the sample
    #[arg(long, value_name = "EVENT", default_value = "failure",
        value_parser = PossibleValuesParser::new(notify::events()))]
    event: String,
}

pub fn run(app: &App, args: &NotifyTestArgs) -> Result<Outcome> {
    let answers = app.wait(notify::test(app, args.name.as_deref(), &args.event))?;
    let is_whole = answers.iter().all(|answer| answer.error.is_none());
    Ok(Outcome::of(answers, COLUMNS).with_exit((!is_whole).then_some(Kind::Failed)))
}
