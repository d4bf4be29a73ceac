//! The dependency graph, drawn as by `acrt task graph -o svg`.

use maud::{PreEscaped, html};

use crate::{
    task::TaskKey,
    view::{DrawnVertex, VertexStatus, svg},
    watch::State,
};

use super::parts::{base_path, frame, task_path, text};

/// How many vertices one picture may have.
const MOST: usize = 300;

/// A base or a task in the graph.
#[derive(Clone, Debug)]
pub struct GraphVertex {
    /// The name of the image or the task.
    pub name: String,
    /// The note beside the name.
    pub note: String,
    /// The task; `None` for a base.
    pub key: Option<TaskKey>,
    pub state: Option<State>,
    /// The indices of its parents.
    pub parents: Vec<usize>,
    /// Whether it is affected by a move that is not built yet.
    pub is_lit: bool,
}

/// Shows the whole graph, or the ancestors and descendants of one task.
pub fn graph(vertices: Vec<GraphVertex>, of: Option<&str>) -> String {
    let count = vertices.len();
    let is_lit = vertices.iter().any(|vertex| vertex.is_lit);
    let main = html! {
        h1 { "What depends on what" }
        @if let Some(of) = of { p { "Around " (text(of)) " · " a href="/graph" { "everything" } } }
        div id="graph" data-live {
            @if count == 0 { p.dim { "There are no tasks." } }
            @else if count > MOST {
                p { (count) " bases and tasks are too many for one picture: the page of each task leads to its own." }
                p { code { "acrt task graph -o svg" } " draws them all." }
            } @else {
                @if is_lit { p role="status" { "A base has moved: what is to be rebuilt for it is lit." } }
                div.picture.scroll tabindex="0" role="region" aria-label="Graph" {
                    (PreEscaped(svg(&vertices.into_iter().map(vertex).collect::<Vec<_>>())))
                }
            }
        }
    };
    frame("Graph", "/graph", &main)
}

fn vertex(of: GraphVertex) -> DrawnVertex {
    let link = match &of.key {
        Some(key) => task_path(key),
        None => base_path(&of.name),
    };
    DrawnVertex {
        name: of.name,
        note: of.note,
        tone: tone(of.state),
        parents: of.parents,
        link: Some(link),
        is_lit: of.is_lit,
    }
}

fn tone(state: Option<State>) -> VertexStatus {
    match state.map(State::severity) {
        None => VertexStatus::Plain,
        Some(0) => VertexStatus::Good,
        Some(1) => VertexStatus::Quiet,
        Some(2) => VertexStatus::Pending,
        Some(_) => VertexStatus::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graph_highlights_the_path_of_a_moved_base_and_escapes_names() {
        let vertex = |name: &str, is_lit, parents: &[usize]| GraphVertex {
            name: name.into(),
            note: "<i>".into(),
            key: None,
            state: Some(State::Stale),
            parents: parents.to_vec(),
            is_lit,
        };
        let all = vec![
            vertex("a\"><script>", true, &[]),
            vertex("b", true, &[0]),
            vertex("c", false, &[0]),
        ];
        let page = graph(all, None);
        assert_eq!(page.matches("class=\"lit\"").count(), 1, "{page}");
        assert_eq!(page.matches("<script").count(), 1);
        assert!(
            page.contains("href=\"/bases?image=a%22%3E%3Cscript%3E\"") && !page.contains("<i>")
        );
        let many = (0..=MOST).map(|_| vertex("x", false, &[])).collect();
        assert!(graph(many, None).contains("too many for one picture"));
    }
}
