//! `acrt task graph`

use std::cell::Cell;

use crate::{
    cli::{columns, flags::one_task::SomeTaskArgs, outcome::Outcome, report::Report},
    error::Result,
    ops::{
        App,
        graph::{GraphNode, graph},
        task::none_yet,
    },
    view::{DrawnVertex, View},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task graph\n  acrt task graph web\n  acrt task graph -o svg > chain.svg\n  acrt task graph -o mermaid"
)]
#[command(mut_arg("bare_name", |arg| arg.help("Only what this task depends on, and what depends on it")))]
pub struct GraphArgs {
    #[command(flatten)]
    task: SomeTaskArgs,
}

pub fn run(app: &App, report: &Report, args: GraphArgs) -> Result<Outcome> {
    let only = args.task.find(app)?;
    let broken = Cell::default();
    let answer = graph(app, only.as_ref(), &report.events_noting(&broken))?;
    if let Some(none) = none_yet(app)? {
        report.note(&none);
    }
    let nodes = answer.nodes.iter().zip(answer.parents());
    let vertices = nodes.map(|(node, parents)| vertex(node, parents)).collect();
    let view = View::of(answer, columns::GRAPH).rows_at("/nodes");
    Ok(Outcome::answer(view.with_graph(vertices).for_people()).with_exit(broken.get()))
}

fn vertex(node: &GraphNode, parents: Vec<usize>) -> DrawnVertex {
    DrawnVertex {
        name: node.name.clone(),
        note: node.note(),
        tone: columns::tone(node.state.map(|state| state.word())),
        parents,
        link: None,
        is_lit: false,
    }
}
