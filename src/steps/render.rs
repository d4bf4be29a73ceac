//! Renders the templates of a task file with `gotmpl`: Go's own syntax, with the functions of Sprig that task files
//! use.
//!
//! A missing key renders as nothing, as with Go's `missingkey=zero`. All work is charged to the budget: a call that charges it is
//! inserted before each node of the parsed template, so that neither a loop nor a recursion runs for free.

use std::{collections::BTreeSet, sync::Arc};

use gotmpl::{
    MissingKey, Template, TemplateError, Value,
    parse::{
        ActionNode, BranchNode, CommandNode, Expr, ListNode, Node, Number, Parser, PipeNode,
        SmolStr,
    },
};

use crate::secret::MaskedText;

use super::{
    budget::TemplateBudget,
    data, functions, marks,
    problem::InvalidTaskFile,
    variables::Variables,
    yaml::{MAX_BYTES, TOO_LARGE},
};

/// How many iterations of `range` one file may have: far more than any real file needs, yet finite.
const MAX_TURNS: u64 = 100_000;

/// How many actions, `{{…}}`, a file may have.
const MAX_ACTIONS: usize = 10_000;

/// How many bytes all actions of a file may have.
const MAX_ACTION_BYTES: usize = 256 * 1024;

/// How many `else if` and `else with` a file may have. Each makes parsing and dropping recurse one level deeper.
const MAX_ELSE: usize = 200;

/// What Go prints for a missing value; ACR removes it, as Helm does.
const NO_VALUE: &str = "<no value>";

/// The name of the file's main template, which replaces any template of this name in the file.
const MAIN: &str = "\0";

/// The function that charges a node. No file can name it.
const PAY: &str = "\0pay";

/// Renders the templates of one file and of its aliases.
pub struct Renderer {
    budget: Arc<TemplateBudget>,
    functions: gotmpl::FuncMap,
    data: Value,
}

impl Renderer {
    /// Returns a renderer with `variables`.
    ///
    /// # Errors
    ///
    /// [`InvalidTaskFile`] where a secret contains the marks that are used for secrets.
    pub fn new(variables: &Variables) -> Result<Self, InvalidTaskFile> {
        let budget = TemplateBudget::new(variables.is_late.clone());
        let data = data::value(&variables.data()?);
        Ok(Self::new_with(budget, &variables.run.date, data))
    }

    /// Returns a renderer for templates that belong to no task file, with data of their own.
    pub fn of(data: &serde_json::Value) -> Self {
        Self::new_with(TemplateBudget::new(None), "", data::value(data))
    }

    fn new_with(budget: TemplateBudget, date: &str, data: Value) -> Self {
        let budget = Arc::new(budget);
        let mut functions = functions::all(date, &budget);
        let paying = Arc::clone(&budget);
        let pay = move |args: &[Value]| {
            let number = |n: usize| args.get(n).and_then(Value::as_int).unwrap_or_default();
            paying.at(usize::try_from(number(1)).unwrap_or_default());
            paying.pay_steps(usize::try_from(number(0)).unwrap_or_default())?;
            Ok(Value::Nil)
        };
        functions.insert(PAY.to_owned(), Arc::new(pay));
        Self {
            budget,
            functions,
            data,
        }
    }

    /// Adds a function that maps a text to a text.
    #[must_use]
    pub fn with(mut self, name: &str, function: fn(&str) -> String) -> Self {
        let function = functions::of_text(&self.budget, function);
        self.functions.insert(name.to_owned(), function);
        self
    }

    /// Adds a function that maps a number and a text to a text.
    #[must_use]
    pub fn with_number(mut self, name: &str, function: fn(usize, &str) -> String) -> Self {
        let function = functions::of_number_and_text(&self.budget, function);
        self.functions.insert(name.to_owned(), function);
        self
    }

    /// Renders the templates of `text`. Comment lines are emptied first, so that templates in comments are not rendered and line
    /// numbers stay.
    ///
    /// # Errors
    ///
    /// [`InvalidTaskFile`] where a template does not parse, a function fails, or a limit is exceeded.
    pub fn render(&self, text: &str) -> Result<MaskedText, InvalidTaskFile> {
        self.fill(without_comments(text))
    }

    /// Renders a text that has no comment lines.
    pub fn fill(&self, text: String) -> Result<MaskedText, InvalidTaskFile> {
        check_size(&text)?;
        if !text.contains("{{") {
            return Ok(MaskedText::from(text));
        }
        let invalid = |problem| self.invalid(&text, problem);
        let (main, defines) = Parser::new(&text, "{{", "}}")
            .and_then(Parser::parse)
            .map_err(invalid)?;
        self.budget.at(0);
        let mut template = Template::new("")
            .missing_key(MissingKey::ZeroValue)
            .max_range_iters(MAX_TURNS)
            .funcs(self.functions.clone());
        let mut full: BTreeSet<SmolStr> = BTreeSet::new();
        for define in defines {
            let is_full = !define.body.is_empty_tree();
            match (full.contains(&define.name), is_full) {
                // As in Go, a template without a body replaces none.
                (true, false) => continue,
                (true, true) => {
                    return Err(InvalidTaskFile::at(
                        Some(define.pos.line),
                        format!("template: there are two templates `{}`", define.name),
                    ));
                }
                (false, _) => {}
            }
            if is_full {
                full.insert(define.name.clone());
            }
            template = template.add_parse_tree(&define.name, paid(define.body));
        }
        let template = template.add_parse_tree(MAIN, paid(main));
        let mut out = Limited {
            text: String::new(),
            budget: &self.budget,
            is_full: false,
        };
        let executed = template.execute_template_fmt(&mut out, MAIN, &self.data);
        if out.is_full {
            return Err(InvalidTaskFile::at(
                self.budget.line(),
                "templates make the file larger than 1 MiB",
            ));
        }
        executed.map_err(invalid)?;
        let rendered = if out.text.contains(NO_VALUE) {
            out.text.replace(NO_VALUE, "")
        } else {
            out.text
        };
        Ok(marks::read(&rendered))
    }

    fn invalid(&self, text: &str, problem: TemplateError) -> InvalidTaskFile {
        if let Some(problem) = self.budget.problem() {
            return problem;
        }
        match problem {
            // The parser reports this at the end of the file, where nobody would look for it.
            TemplateError::Lex { message, .. } if message.contains("unclosed action") => {
                let opened = text.rfind("{{").unwrap_or_default();
                let line = text[..opened].matches('\n').count() + 1;
                InvalidTaskFile::at(Some(line), "template: `{{` without `}}`")
            }
            TemplateError::Parse { line, message, .. }
            | TemplateError::Lex { line, message, .. } => {
                let line = Some(line).filter(|line| *line > 0);
                InvalidTaskFile::at(line, format!("template: {}", marks::read(&message)))
            }
            other => {
                let told = match other {
                    TemplateError::Exec(message) => message,
                    other => other.to_string(),
                };
                let told = marks::read(&told);
                InvalidTaskFile::at(self.budget.line(), format!("template: {told}"))
            }
        }
    }
}

/// Collects text up to the maximum size of a task file.
struct Limited<'a> {
    text: String,
    budget: &'a TemplateBudget,
    is_full: bool,
}

impl std::fmt::Write for Limited<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.text.len() + text.len() > MAX_BYTES {
            self.is_full = true;
            return Err(std::fmt::Error);
        }
        self.budget
            .pay_look(64 + text.len())
            .map_err(|_| std::fmt::Error)?;
        self.text.push_str(text);
        Ok(())
    }
}

/// Refuses a text on which the parser would recurse too deep or use too much memory.
fn check_size(text: &str) -> Result<(), InvalidTaskFile> {
    if text.len() > MAX_BYTES {
        return Err(InvalidTaskFile::new(TOO_LARGE));
    }
    if marks::has_marks(text) {
        return Err(InvalidTaskFile::new(
            "the file has U+FDD0 or U+FDD1, which are no characters",
        ));
    }
    let line = |at: usize| Some(text[..at].matches('\n').count() + 1);
    // Counts `else` anywhere, even outside of actions: counting too many does no harm.
    let mut branches = text.match_indices("else").filter(|(at, _)| {
        let rest = text[at + 4..].trim_start();
        rest.starts_with("if") || rest.starts_with("with")
    });
    if let Some((at, _)) = branches.nth(MAX_ELSE) {
        return Err(InvalidTaskFile::at(
            line(at),
            format!("the templates of the file have more than {MAX_ELSE} `else if`"),
        ));
    }
    let (mut actions, mut bytes, mut end) = (0, 0, 0);
    while let Some(begin) = text[end..].find("{{").map(|at| end + at + 2) {
        end = begin + length_of_action(&text[begin..]);
        actions += 1;
        bytes += end - begin;
        if actions > MAX_ACTIONS {
            let told = format!("the file has more than {MAX_ACTIONS} templates");
            return Err(InvalidTaskFile::at(line(begin), told));
        }
        if bytes > MAX_ACTION_BYTES {
            let told = "the templates of the file are longer than 256 KiB in all";
            return Err(InvalidTaskFile::at(line(begin), told));
        }
    }
    Ok(())
}

/// Returns the length in bytes of the action at the start of `text`; the whole text if the action is not closed.
fn length_of_action(text: &str) -> usize {
    let comment = text.strip_prefix('-').unwrap_or(text).trim_start();
    if let Some(rest) = comment.strip_prefix("/*") {
        let at = text.len() - rest.len();
        return rest.find("*/").map_or(text.len(), |end| at + end + 2);
    }
    let bytes = text.as_bytes();
    let (mut at, mut quote) = (0, None);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(b'`'), b'`') => quote = None,
            (Some(b'`'), _) => {}
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (None, byte @ (b'"' | b'\'' | b'`')) => quote = Some(byte),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Inserts a charge before each node that does any work.
fn paid(list: ListNode) -> ListNode {
    // A template without a body must stay so: it replaces no other template.
    if list.is_empty_tree() {
        return list;
    }
    let mut nodes = Vec::with_capacity(2 * list.nodes.len());
    for node in list.nodes {
        let branch = |branch: BranchNode| BranchNode {
            body: paid(branch.body),
            else_body: branch.else_body.map(paid),
            ..branch
        };
        let (cost, line, node) = match node {
            Node::Action(node) => (cost_of(&node.pipe), node.pos.line, Node::Action(node)),
            Node::If(node) => (cost_of(&node.pipe), node.pos.line, Node::If(branch(node))),
            Node::With(node) => (cost_of(&node.pipe), node.pos.line, Node::With(branch(node))),
            Node::Range(node) => (
                cost_of(&node.pipe),
                node.pos.line,
                Node::Range(branch(node)),
            ),
            Node::Template(node) => {
                let cost = node.pipe.as_ref().map_or(0, cost_of);
                (1 + cost, node.pos.line, Node::Template(node))
            }
            Node::List(list) => (1, list.pos.line, Node::List(paid(list))),
            other @ (Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_)) => {
                nodes.push(other);
                continue;
            }
        };
        nodes.push(payment(cost, line, list.pos));
        nodes.push(node);
    }
    ListNode { nodes, ..list }
}

/// Returns a node that charges the budget and prints nothing.
fn payment(cost: usize, line: usize, pos: gotmpl::parse::Pos) -> Node {
    let number = |n: usize| {
        let whole = i64::try_from(n).unwrap_or(i64::MAX);
        Expr::Number(pos, Number::Int(whole))
    };
    let args = vec![
        Expr::Identifier(pos, PAY.into()),
        number(cost),
        number(line),
    ];
    Node::Action(ActionNode {
        pos,
        pipe: PipeNode {
            pos,
            // The result is assigned to a variable, so it is not printed.
            decl: vec![PAY.into()],
            commands: vec![CommandNode { pos, args }],
            is_assign: false,
        },
    })
}

/// Counts the lookups and calls of a pipeline.
fn cost_of(pipe: &PipeNode) -> usize {
    fn of(expr: &Expr) -> usize {
        match expr {
            Expr::Field(_, fields) => fields.len(),
            Expr::Variable(_, _, fields) => 1 + fields.len(),
            Expr::Pipe(_, pipe) => cost_of(pipe),
            Expr::Chain(_, inner, fields) => of(inner) + fields.len(),
            _ => 1,
        }
    }
    let commands = pipe.commands.iter();
    1 + commands.flat_map(|one| &one.args).map(of).sum::<usize>()
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('#') {
            out.push_str(if line.ends_with('\n') { "\n" } else { "" });
        } else {
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        secret::Secret,
        steps::variables::{TemplateRun, Values},
    };

    fn render(text: &str) -> Result<MaskedText, InvalidTaskFile> {
        let mut values =
            Values::parse("list: [a, b]\nport: 80\nnested: {deep: {x: 1}}\nname: web").unwrap();
        values.set("on", "yes");
        values.set_secret("pin", Secret::new("1234"));
        let variables = Variables {
            run: TemplateRun {
                id: "ca1".into(),
                registry: "r.io".into(),
                date: "20260102-030405z".into(),
                ..TemplateRun::default()
            },
            values,
            secrets: [("token".to_owned(), Secret::new("hunter2"))].into(),
            is_late: None,
        };
        Renderer::new(&variables).unwrap().render(text)
    }

    fn rendered(text: &str) -> String {
        match render(text) {
            Ok(text) => text.reveal().to_owned(),
            Err(problem) => format!("! {problem}"),
        }
    }

    /// Returns a text with its secret parts hidden.
    fn shown(text: &str) -> String {
        render(text).map_or_else(|problem| format!("! {problem}"), |text| text.to_string())
    }

    #[test]
    fn template_variables_are_filled_in() {
        assert_eq!(
            rendered("{{.Run.ID}} {{ .Run.Registry }} {{.Build.ID}}"),
            "ca1 r.io ca1"
        );
        assert_eq!(
            rendered("{{.Values.name}}:{{.Values.port}} {{.Values.nested.deep.x}}"),
            "web:80 1"
        );
        assert_eq!(rendered("{{.Secrets.token}}"), "hunter2");
    }

    #[test]
    fn missing_template_variable_is_empty() {
        assert_eq!(rendered("[{{.Values.nope}}]"), "[]");
        assert_eq!(rendered("[{{.Values.nope.deeper}}]"), "[]");
        assert_eq!(rendered("[{{.Run.Nope}}] [{{.Nope}}]"), "[] []");
        assert_eq!(rendered("[{{.Values.nope | upper}}]"), "[]");
    }

    #[test]
    fn template_conditions_loops_and_scopes_work() {
        assert_eq!(
            rendered("{{if .Values.on}}a{{else}}b{{end}}{{if .Values.off}}c{{else}}d{{end}}"),
            "ad"
        );
        assert_eq!(
            rendered("{{range $i, $x := .Values.list}}{{$i}}{{$x}} {{end}}"),
            "0a 1b "
        );
        assert_eq!(rendered("{{with .Values.nested.deep}}{{.x}}{{end}}"), "1");
        assert_eq!(rendered("{{if eq .Values.name \"web\"}}yes{{end}}"), "yes");
        assert_eq!(
            rendered("{{$a := .Values.name}}{{printf \"%s-%d\" $a 3}}"),
            "web-3"
        );
    }

    #[test]
    fn template_trim_markers_and_comments_leave_nothing() {
        assert_eq!(rendered("a {{- .Run.ID -}} b"), "aca1b");
        assert_eq!(rendered("a{{/* nothing */}}b"), "ab");
        assert_eq!(
            rendered("x: 1\n  # {{ broken\ny: {{.Run.ID}}\n"),
            "x: 1\n\ny: ca1\n"
        );
    }

    #[test]
    fn invalid_template_is_reported_with_its_line() {
        assert!(rendered("a: 1\nb: {{ .Run.ID\n").starts_with("! line 2: template: "));
        assert!(rendered("a: {{ nosuch 1 }}").contains("nosuch"));
        assert!(rendered("{{if}}").starts_with("! line 1: template: "));
    }

    #[test]
    fn template_result_derived_from_a_secret_is_secret_and_nothing_else() {
        for (template, expected) in [
            ("{{.Secrets.token}}-{{.Run.ID}}", "***-ca1"),
            ("{{.Values.pin}}", "***"),
            ("{{.Secrets.token | b64enc}}", "***"),
            ("{{.Secrets.token | upper | trunc 3}}", "***"),
            ("{{printf \"A=%s %d\" .Secrets.token 3}}", "A=*** 3"),
            ("{{printf \"%q\" .Secrets.token}}", "***"),
            ("{{print \"a\" .Secrets.token}}", "a***"),
            ("{{.Secrets.token | quote}}", "\"***\""),
            ("{{.Secrets.token | squote}}", "'***'"),
            ("{{list \"a\" .Secrets.token | join \",\"}}", "a,***"),
            (
                "{{list (cat \"a\" .Secrets.token) | toJson}}",
                "[\"a ***\"]",
            ),
            (
                "{{range splitList \"t\" .Secrets.token}}[{{.}}]{{end}}",
                "[***][***]",
            ),
            ("{{.Secrets.none | default .Secrets.token}}", "***"),
            (
                "{{len .Secrets.token}}{{if eq .Secrets.token \"hunter2\"}}yes{{end}}",
                "7yes",
            ),
            (
                "{{index .Secrets \"token\"}}-{{slice .Secrets.token 1 3}}",
                "***-***",
            ),
            ("{{replace \"a\" .Secrets.token \"bab\"}}", "***"),
            ("{{regexReplaceAll \"h\" .Secrets.token \"x\"}}", "***"),
            ("{{.Secrets.token | indent 2}}", "  ***"),
            (
                "{{(fromJson (dict \"a\" .Secrets.token | toJson)).a}}",
                "***",
            ),
            ("{{.Secrets}}", "map[token:***]"),
            ("{{fail .Secrets.token}}", "! line 1: template: ***"),
        ] {
            let told = shown(template);
            assert!(!told.contains("hunter"), "{template}: {told}");
            assert!(told.ends_with(expected), "{template}: {told}");
        }
        assert_eq!(rendered("{{printf \"%q\" .Secrets.token}}"), "\"hunter2\"");
        assert!(shown("{{.ValuesJSON}}").contains("\"pin\":\"***\""));
    }

    #[test]
    fn endless_template_output_is_refused() {
        assert_eq!(
            rendered("{{range until 90000}}{{repeat 100 \"x\"}}{{end}}"),
            "! line 1: templates make the file larger than 1 MiB"
        );
    }

    const MADE: &str = "templates make more than 8 MiB";
    const STEPS: &str = "templates take more than 500000 steps";
    const DEEP: &str = "templates nest lists and mappings more than 100 deep";

    /// Each fails at once, with the exceeded limit and its line.
    #[test]
    fn template_that_would_exhaust_time_or_memory_is_refused() {
        let calls: String = (0..60)
            .map(|n| format!("{{{{define \"{n}\"}}}}{{{{template \"{}\"}}}}{{{{template \"{0}\"}}}}{{{{end}}}}", n + 1))
            .collect();
        for (template, expected) in [
            (
                "{{$l := list}}{{range until 99990}}{{$l = list $l}}{{end}}x",
                DEEP,
            ),
            (
                "{{$l := dict}}{{range until 99990}}{{$l = dict \"a\" $l}}{{end}}x",
                DEEP,
            ),
            (
                "{{$l := list}}{{range until 99990}}{{$l = append (list) $l}}{{end}}x",
                DEEP,
            ),
            (
                "{{replace \"a\" (repeat 1048576 \"b\") (repeat 1048576 \"a\")}}",
                MADE,
            ),
            (
                "{{$s := \"x\"}}{{range until 100}}{{$s = cat $s $s}}{{end}}",
                MADE,
            ),
            (
                "{{$s := list 1}}{{range until 100}}{{$s = concat $s $s}}{{end}}",
                MADE,
            ),
            (
                "{{range until 100}}{{len (uniq (until 100000))}}{{end}}",
                MADE,
            ),
            (
                "{{$s := repeat 1000000 \"x\"}}{{range until 100}}{{$s = print $s $s}}{{end}}",
                MADE,
            ),
            ("{{printf (repeat 100000 \"%65535d\") 1}}", MADE),
            (
                "{{printf \"%*d\" 65535 1 | repeat 15 | splitList \"\"}}",
                MADE,
            ),
            (
                "{{regexReplaceAll \"\" (repeat 10000 \"x\") (repeat 10000 \"y\")}}",
                MADE,
            ),
            ("{{join (repeat 100000 \"x\") (until 1000)}}", MADE),
            (
                "{{range until 1000}}{{$x := until 1000 | toJson}}{{end}}",
                MADE,
            ),
            (
                "{{$l := list 1}}{{range until 60}}{{$l = list $l $l}}{{end}}{{$l}}",
                STEPS,
            ),
            (
                "{{$l := list 1}}{{range until 18}}{{$l = list $l $l}}{{end}}{{$x := toJson $l}}",
                STEPS,
            ),
            (
                "{{range until 1000}}{{range until 1000}}{{end}}{{end}}",
                "template: range iteration budget exhausted",
            ),
            (
                "{{range until 900}}{{range until 100}}{{$x := 1}}{{$x = $x}}{{$x = $x}}{{end}}{{end}}",
                STEPS,
            ),
            (
                "{{$s := repeat 1000000 \"x\"}}{{range until 100000}}{{$x := trunc 1 $s}}{{end}}",
                STEPS,
            ),
            (
                "{{range until 100000}}{{$x := regexMatch \"a{1000}\" \"b\"}}{{end}}",
                STEPS,
            ),
            (
                &format!("{calls}{{{{define \"60\"}}}}x{{{{end}}}}{{{{template \"0\"}}}}"),
                STEPS,
            ),
        ] {
            let told = rendered(template);
            let expected = format!("! line 1: {expected}");
            assert_eq!(told, expected, "{}", &template[..template.len().min(90)]);
        }
    }

    #[test]
    fn template_that_would_overflow_the_stack_is_refused() {
        let many = |text: &str, count: usize| text.repeat(count);
        let elses = format!("\n{{{{if 0}}}}{}{{{{end}}}}", many("{{else if 0}}", 12_000));
        let withs = format!(
            "{{{{if 0}}}}{}{{{{end}}}}",
            many("{{else  with 0}}", 12_000)
        );
        let ifs = format!("{}{}", many("{{if 1}}", 5000), many("{{end}}", 5000));
        let parens = format!("{{{{{}1{}}}}}", many("(", 5000), many(")", 5000));
        let endless = "{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}";
        for (template, expected) in [
            (
                elses.as_str(),
                "! line 2: the templates of the file have more than 200 `else if`",
            ),
            (
                &withs,
                "! line 1: the templates of the file have more than 200 `else if`",
            ),
            (&ifs, "! template: template nesting depth exceeded 100"),
            (&parens, "! template: template nesting depth exceeded 100"),
            (endless, "! line 1: template: recursion limit exceeded"),
        ] {
            let told = rendered(template);
            assert!(told.starts_with(expected), "{told}");
        }
        // What is just within the limits works even on the small stack of a test thread.
        let elses = format!(
            "{{{{if 0}}}}{}{{{{else}}}}x{{{{end}}}}",
            many("{{else if 0}}", 190)
        );
        assert_eq!(rendered(&elses), "x");
        let parens = format!("{{{{{}1{}}}}}", many("(print ", 90), many(")", 90));
        assert_eq!(rendered(&parens), "1");
    }

    #[test]
    fn file_with_too_many_templates_is_refused() {
        let told = rendered(&"{{1}}".repeat(10_001));
        assert_eq!(told, "! line 1: the file has more than 10000 templates");
        let told = rendered(&format!("{{{{{}}}}}", "1 \"}}\" ".repeat(50_000)));
        let long = "! line 1: the templates of the file are longer than 256 KiB in all";
        assert_eq!(told, long);
    }

    #[test]
    fn template_text_with_internal_marks_is_refused() {
        assert!(rendered("a\u{fdd1}b").starts_with("! the file has U+FDD0 or U+FDD1"));
        let variables = Variables {
            secrets: [("s".to_owned(), Secret::new("a\u{fdd1}b"))].into(),
            ..Variables::default()
        };
        assert!(Renderer::new(&variables).is_err());
    }
}
