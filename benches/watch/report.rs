//! The figures as tables for people and as JSON.

use std::{fmt::Write as _, fs::File, path::Path};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{
    goals::{Goal, Verdict},
    measure::Row,
    slow::Neighbours,
};

/// Above this share of other programs, times are unreliable.
const DISTURBED: f64 = 0.2;

/// All results.
#[derive(Serialize)]
pub struct Report {
    /// The figures.
    pub rows: Vec<Row>,
    /// How a slow registry affects the others.
    pub neighbours: Option<Neighbours>,
    /// The goals.
    pub goals: Vec<Goal>,
}

impl Report {
    /// Formats the report as markdown tables.
    ///
    /// # Errors
    ///
    /// Never; only the formatting functions return a `Result`.
    pub fn markdown(&self) -> Result<String> {
        let mut text = String::new();
        let mut heading = "";
        for row in &self.rows {
            if row.heading != heading {
                heading = &row.heading;
                self.head(row, &mut text)?;
            }
            self.line(row, &mut text)?;
        }
        if self.rows.iter().any(|row| row.foreign > DISTURBED) {
            writeln!(
                text,
                "\n`*` others took more than a fifth of the machine meanwhile."
            )?;
        }
        writeln!(
            text,
            "\n| goal | where | measured | at most | |\n|---|---|---|---|---|"
        )?;
        let mut goals: Vec<&Goal> = self.goals.iter().collect();
        goals.sort_by_key(|goal| goal.name[1..].parse::<u32>().unwrap_or_default());
        for goal in goals {
            let verdict = match goal.verdict {
                Verdict::Met => "met",
                Verdict::Near => "near",
                Verdict::Missed => "missed",
            };
            let Goal {
                name,
                heading,
                measured,
                limit,
                ..
            } = goal;
            writeln!(
                text,
                "| {name} | {heading} | {measured} | {limit} | {verdict} |"
            )?;
        }
        Ok(text)
    }

    fn head(&self, row: &Row, text: &mut String) -> Result<()> {
        writeln!(text, "\n#### {}\n", row.heading)?;
        if row.tags == 0 {
            writeln!(
                text,
                "| command | wall, median | best | CPU | memory |\n|---|---|---|---|---|"
            )?;
        } else {
            writeln!(
                text,
                "| tool | wall, median | best | CPU | CPU a tag | memory | HEAD | tokens | other | connections | at once | bytes a tag |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
            )?;
        }
        Ok(())
    }

    fn line(&self, row: &Row, text: &mut String) -> Result<()> {
        let millis =
            |duration: std::time::Duration| format!("{:.1} ms", duration.as_secs_f64() * 1e3);
        let mark = if row.foreign > DISTURBED { " *" } else { "" };
        let bound = if row.peak_is_bound { "≤ " } else { "" };
        write!(
            text,
            "| {} | {}{mark} | {} | {} |",
            row.tool,
            millis(row.wall),
            millis(row.best),
            millis(row.cpu)
        )?;
        let memory = format!("{bound}{:.1} MiB", row.peak_mib());
        if row.tags == 0 {
            writeln!(text, " {memory} |")?;
            return Ok(());
        }
        let micros = row.cpu.as_secs_f64() * 1e6 / row.tags as f64;
        write!(text, " {micros:.0} µs | {memory} |")?;
        match &row.asked {
            Some(asked) => writeln!(
                text,
                " {} | {} | {} | {} | {} | {:.0} |",
                asked.heads,
                asked.tokens,
                asked.needless(),
                asked.connections,
                asked.most_in_flight,
                row.bytes_per_tag().unwrap_or_default()
            )?,
            None => writeln!(text, " – | – | – | – | – | – |")?,
        }
        Ok(())
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let cannot = || format!("cannot write `{}`", path.display());
        let file = File::create(path).with_context(cannot)?;
        serde_json::to_writer_pretty(file, self).with_context(cannot)
    }
}
