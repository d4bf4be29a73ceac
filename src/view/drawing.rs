//! Draws graphs: as a tree of lines for a terminal, as Graphviz, as Mermaid and as SVG.

use std::collections::BTreeSet;

use unicode_width::UnicodeWidthStr as _;

use super::{
    canvas::{Canvas, cut},
    column::harmless,
};

#[derive(Clone, Debug)]
pub struct DrawnVertex {
    pub name: String,
    /// The note beside its name.
    pub note: String,
    /// Its status, as a colour.
    pub tone: VertexStatus,
    /// The indices of its parents.
    pub parents: Vec<usize>,
    /// The link to its page, for a picture in a web page.
    pub link: Option<String>,
    /// Whether a move affects it: edges between two such vertices are highlighted.
    pub is_lit: bool,
}

/// The status of a vertex, as a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VertexStatus {
    /// It has no status.
    Plain,
    /// It is up to date.
    Good,
    /// Work is pending.
    Pending,
    /// Something is wrong.
    Bad,
    /// It is disabled, or has never run.
    Quiet,
}

impl VertexStatus {
    /// Returns the number of its ANSI escape sequence.
    pub fn ansi(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Pending => Some("33"),
            Self::Bad => Some("31"),
            Self::Quiet => Some("2"),
        }
    }

    fn fill(self) -> &'static str {
        match self {
            Self::Plain => "#e8eaed",
            Self::Good => "#c8e6c9",
            Self::Pending => "#ffe0a3",
            Self::Bad => "#ffc9c4",
            Self::Quiet => "#f5f5f5",
        }
    }
}

/// The formats of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// A tree of lines.
    Text,
    /// The language of Graphviz.
    Dot,
    /// The language of Mermaid, which GitHub and GitLab draw.
    Mermaid,
    /// Scalable Vector Graphics 1.1.
    Svg,
}

pub(super) fn draw(vertices: &[DrawnVertex], picture: Picture, canvas: Canvas) -> String {
    match picture {
        Picture::Text => text(vertices, canvas),
        Picture::Dot => dot(vertices),
        Picture::Mermaid => mermaid(vertices),
        Picture::Svg => svg(vertices),
    }
}

fn children(vertices: &[DrawnVertex]) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); vertices.len()];
    for (n, vertex) in vertices.iter().enumerate() {
        for parent in &vertex.parents {
            if let Some(of) = children.get_mut(*parent) {
                of.push(n);
            }
        }
    }
    children
}

/// Draws a tree below each root. A vertex with several parents shows its children only at its first occurrence.
fn text(vertices: &[DrawnVertex], canvas: Canvas) -> String {
    let children = children(vertices);
    let mut seen = BTreeSet::new();
    let mut out = String::new();
    let roots = (0..vertices.len()).filter(|n| vertices[*n].parents.is_empty());
    // Vertices in a cycle are below no root.
    for root in roots.chain(0..vertices.len()) {
        if seen.contains(&root) {
            continue;
        }
        // Each with the prefix of its own line, and the prefix of its children's lines.
        let mut open = vec![(root, String::new(), String::new())];
        while let Some((n, before, below)) = open.pop() {
            let is_new = seen.insert(n);
            out.push_str(&line(
                &vertices[n],
                &before,
                is_new || children[n].is_empty(),
                canvas,
            ));
            if !is_new {
                continue;
            }
            let last = children[n].len();
            for (place, child) in children[n].iter().enumerate().rev() {
                let (branch, trunk) = if place + 1 == last {
                    ("└─ ", "   ")
                } else {
                    ("├─ ", "│  ")
                };
                open.push((
                    *child,
                    format!("{below}{branch}"),
                    format!("{below}{trunk}"),
                ));
            }
        }
    }
    out
}

fn line(vertex: &DrawnVertex, before: &str, is_whole: bool, canvas: Canvas) -> String {
    let (name, note) = (harmless(&vertex.name), harmless(&vertex.note));
    let room = canvas
        .width
        .unwrap_or(usize::MAX)
        .saturating_sub(before.width());
    let name = cut(&name, room).into_owned();
    let room = room.saturating_sub(name.width() + 2);
    let note = match (room, is_whole) {
        (0, _) => String::new(),
        (_, true) => cut(&note, room).into_owned(),
        (_, false) => cut(&format!("{note} …"), room).into_owned(),
    };
    let note = match vertex.tone.ansi().filter(|_| canvas.colour) {
        Some(colour) => format!("\x1b[{colour}m{note}\x1b[0m"),
        None => note,
    };
    let line = format!("{before}{name}  {note}");
    line.trim_end().to_owned() + "\n"
}

fn dot(vertices: &[DrawnVertex]) -> String {
    let quoted = |text: &str| harmless(text).replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = "digraph acrt {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=monospace];\n".to_owned();
    for (n, vertex) in vertices.iter().enumerate() {
        let (name, note, fill) = (
            quoted(&vertex.name),
            quoted(&vertex.note),
            vertex.tone.fill(),
        );
        out.push_str(&format!(
            "  n{n} [label=\"{name}\\n{note}\", fillcolor=\"{fill}\"];\n"
        ));
    }
    for (from, to) in edges(vertices) {
        out.push_str(&format!("  n{from} -> n{to};\n"));
    }
    out + "}\n"
}

fn mermaid(vertices: &[DrawnVertex]) -> String {
    let quoted = |text: &str| {
        let text = harmless(text).replace('#', "#35;").replace('"', "#quot;");
        text.replace('<', "#lt;").replace('>', "#gt;")
    };
    let mut out = "flowchart LR\n".to_owned();
    for (n, vertex) in vertices.iter().enumerate() {
        let (name, note) = (quoted(&vertex.name), quoted(&vertex.note));
        let fill = vertex.tone.fill();
        out.push_str(&format!(
            "  n{n}[\"{name}<br/>{note}\"]\n  style n{n} fill:{fill},color:#202124\n"
        ));
    }
    for (from, to) in edges(vertices) {
        out.push_str(&format!("  n{from} --> n{to}\n"));
    }
    out
}

fn edges(vertices: &[DrawnVertex]) -> impl Iterator<Item = (usize, usize)> {
    let all = vertices.iter().enumerate();
    all.flat_map(|(to, vertex)| vertex.parents.iter().map(move |from| (*from, to)))
}

/// Lengths in the picture, in its units.
const LETTER: usize = 8;
const HEIGHT: usize = 40;
const GAP: usize = 16;
const BETWEEN: usize = 56;

/// Draws vertices in columns: each to the right of all its parents.
pub fn svg(vertices: &[DrawnVertex]) -> String {
    let columns = columns(vertices);
    let width = |n: &usize| {
        let vertex = &vertices[*n];
        vertex.name.width().max(vertex.note.width()) * LETTER + 2 * GAP
    };
    let mut places = vec![(0, 0, 0); vertices.len()];
    let (mut x, mut lowest) = (GAP, GAP);
    for column in &columns {
        let widest = column.iter().map(width).max().unwrap_or(0);
        for (row, n) in column.iter().enumerate() {
            let y = GAP + row * (HEIGHT + GAP);
            places[*n] = (x, y, widest);
            lowest = lowest.max(y + HEIGHT + GAP);
        }
        x += widest + BETWEEN;
    }
    let right = x.saturating_sub(BETWEEN) + GAP;
    // Links do not work in an SVG shown as an image.
    let has_links = vertices.iter().any(|vertex| vertex.link.is_some());
    let role = if has_links { "group" } else { "img" };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {lowest}\" width=\"{right}\" height=\"{lowest}\" role=\"{role}\" font-family=\"ui-monospace, monospace\" font-size=\"13\">\n<title>What depends on what</title>\n"
    );
    for (from, to) in edges(vertices) {
        let ((x1, y1, wide), (x2, y2, _)) = (places[from], places[to]);
        let (x1, y1, y2) = (x1 + wide, y1 + HEIGHT / 2, y2 + HEIGHT / 2);
        let (left, right) = (x1 + BETWEEN / 2, x2.saturating_sub(BETWEEN / 2));
        let line = if vertices[from].is_lit && vertices[to].is_lit {
            "class=\"lit\" stroke=\"#e8710a\" stroke-width=\"3\""
        } else {
            "stroke=\"#80868b\""
        };
        out.push_str(&format!(
            "<path d=\"M{x1} {y1} C{left} {y1} {right} {y2} {x2} {y2}\" fill=\"none\" {line}/>\n"
        ));
    }
    for (vertex, (x, y, wide)) in vertices.iter().zip(&places) {
        let (name, note) = (escaped(&vertex.name), escaped(&vertex.note));
        let (fill, middle, first, second) = (vertex.tone.fill(), x + wide / 2, y + 17, y + 33);
        let (open, close) = match &vertex.link {
            Some(link) => (format!("<a href=\"{}\">", escaped(link)), "</a>"),
            None => ("<g>".to_owned(), "</g>"),
        };
        out.push_str(&format!(
            "{open}<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"{fill}\" stroke=\"#80868b\"/><text x=\"{middle}\" y=\"{first}\" text-anchor=\"middle\" fill=\"#202124\">{name}</text><text x=\"{middle}\" y=\"{second}\" text-anchor=\"middle\" fill=\"#3c4043\" font-size=\"11\">{note}</text>{close}\n"
        ));
    }
    out + "</svg>\n"
}

/// Returns the vertices in columns, each column ordered by the positions of parents. A cycle is broken where it is entered.
fn columns(vertices: &[DrawnVertex]) -> Vec<Vec<usize>> {
    let mut depths: Vec<usize> = vec![0; vertices.len()];
    // Each pass moves at least one vertex, up to the length of the longest path; the count of passes ends it for a
    // cycle.
    for _ in 0..vertices.len() {
        let mut moved = false;
        for n in 0..vertices.len() {
            let parents = vertices[n].parents.iter().filter(|parent| **parent != n);
            let depth = parents.map(|parent| depths[*parent] + 1).max().unwrap_or(0);
            if depth > depths[n] && depth < vertices.len() {
                depths[n] = depth;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut columns: Vec<Vec<usize>> = Vec::new();
    let mut rows: Vec<usize> = vec![0; vertices.len()];
    let deepest = depths.iter().max().copied().unwrap_or(0);
    for depth in 0..=deepest {
        let mut column: Vec<usize> = (0..vertices.len())
            .filter(|n| depths[*n] == depth)
            .collect();
        column.sort_by_key(|n| {
            let parents = &vertices[*n].parents;
            let sum: usize = parents.iter().map(|parent| rows[*parent]).sum();
            (sum * 1000).checked_div(parents.len()).unwrap_or(0)
        });
        for (row, n) in column.iter().enumerate() {
            rows[*n] = row;
        }
        if !column.is_empty() {
            columns.push(column);
        }
    }
    columns
}

fn escaped(text: &str) -> String {
    let text = harmless(text).replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex(name: &str, note: &str, tone: VertexStatus, parents: &[usize]) -> DrawnVertex {
        DrawnVertex {
            name: name.into(),
            note: note.into(),
            tone,
            parents: parents.to_vec(),
            link: None,
            is_lit: false,
        }
    }

    fn diamond() -> Vec<DrawnVertex> {
        vec![
            vertex("node:20", "rebuilds 3", VertexStatus::Plain, &[]),
            vertex("left", "stale", VertexStatus::Pending, &[0]),
            vertex("right", "current", VertexStatus::Good, &[0]),
            vertex("top", "failing", VertexStatus::Bad, &[1, 2]),
        ]
    }

    fn drawn(vertices: &[DrawnVertex], picture: Picture) -> String {
        draw(vertices, picture, Canvas::default())
    }

    #[test]
    fn tree_draws_dependants_once_and_marks_repeated_vertices() {
        let mut vertices = diamond();
        vertices.push(vertex("last", "never-run", VertexStatus::Quiet, &[3]));
        assert_eq!(
            drawn(&vertices, Picture::Text),
            "node:20  rebuilds 3\n├─ left  stale\n│  └─ top  failing\n│     └─ last  never-run\n└─ right  current\n   └─ top  failing …\n"
        );
    }

    #[test]
    fn tree_is_cut_at_the_terminal_width() {
        let canvas = Canvas {
            width: Some(12),
            colour: false,
        };
        let lines = draw(&diamond(), Picture::Text, canvas);
        assert!(lines.lines().all(|line| line.width() <= 12), "{lines}");
        assert!(lines.contains("node:20  re…"), "{lines}");
    }

    #[test]
    fn cycle_in_a_drawing_ends() {
        let circle = [
            vertex("a", "cycle", VertexStatus::Bad, &[1]),
            vertex("b", "cycle", VertexStatus::Bad, &[0]),
            vertex("c", "cycle", VertexStatus::Bad, &[2]),
        ];
        let text = drawn(&circle, Picture::Text);
        assert_eq!(
            text,
            "a  cycle\n└─ b  cycle\n   └─ a  cycle …\nc  cycle\n└─ c  cycle …\n"
        );
        assert!(drawn(&circle, Picture::Svg).ends_with("</svg>\n"));
    }

    #[test]
    fn names_are_escaped_in_every_drawing_language() {
        let odd = [vertex("a\"<b>&\\", "x\u{1b}[2J", VertexStatus::Plain, &[])];
        assert!(drawn(&odd, Picture::Dot).contains(r#"label="a\"<b>&\\\nx\\u{1b}[2J""#));
        assert!(drawn(&odd, Picture::Svg).contains("a&quot;&lt;b&gt;&amp;\\"));
        assert!(drawn(&odd, Picture::Mermaid).contains("[\"a#quot;#lt;b#gt;&\\"));
        assert!(!drawn(&odd, Picture::Text).contains('\u{1b}'));
    }

    #[test]
    fn drawing_has_each_vertex_and_each_edge_once() {
        let svg = drawn(&diamond(), Picture::Svg);
        assert_eq!(
            (svg.matches("<rect").count(), svg.matches("<path").count()),
            (4, 4)
        );
        let dot = drawn(&diamond(), Picture::Dot);
        assert!(
            dot.contains("n1 -> n3;") && dot.contains("n2 -> n3;"),
            "{dot}"
        );
        assert!(drawn(&diamond(), Picture::Mermaid).contains("n0 --> n2\n"));
    }
}
