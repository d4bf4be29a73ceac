//! `--query`: JMESPath on an answer, with the behaviour of jmespath.py, which az uses.

use std::{
    collections::BTreeMap,
    str::FromStr,
    sync::{Arc, LazyLock},
};

use jmespath::{
    Context, Expression, JmespathError, Rcvar, Runtime, SearchResult, Variable,
    ast::{Ast, Comparator, KeyValuePair},
    functions::{ArgumentType, CustomFunction, Function, Signature},
};
use serde_json::Value;

use super::order::MARK;

/// The longest expression: real queries are shorter, and deeply nested ones would overflow the stack.
const LONGEST: usize = 4096;

/// How deep brackets may nest.
const DEEPEST: usize = 64;

/// A function that no expression can name: it returns its argument without the order of its keys.
const PLAIN: &str = "\u{0}plain";

/// A function that no expression can name: it compares its arguments by [`compared`].
const ORDER: &str = "\u{0}order";

/// The functions that would take the order for one more key.
const LOOK_AT_KEYS: [&str; 5] = ["keys", "length", "merge", "to_string", "values"];

/// The functions that return an integer for integers.
const WHOLE: [&str; 5] = ["abs", "ceil", "floor", "sum", "to_number"];

/// The functions of JMESPath, wrapped so that none of them sees [`MARK`].
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Runtime::new();
    runtime.register_builtin_functions();
    for name in LOOK_AT_KEYS {
        if let Some(function) = runtime.deregister_function(name) {
            runtime.register_function(name, Box::new(WithoutOrder(function)));
        }
    }
    for name in WHOLE {
        if let Some(function) = runtime.deregister_function(name) {
            runtime.register_function(name, Box::new(Whole(function)));
        }
    }
    let signature = Signature::new(vec![ArgumentType::Any], None);
    let plain = |args: &[Rcvar], _: &mut Context<'_>| Ok(without_order(&args[0]));
    let plain = CustomFunction::new(signature, Box::new(plain));
    runtime.register_function(PLAIN, Box::new(plain));
    let signature = Signature::new(vec![ArgumentType::Any, ArgumentType::Any], None);
    let order = |args: &[Rcvar], _: &mut Context<'_>| Ok(Arc::new(compared(&args[0], &args[1])));
    let order = CustomFunction::new(signature, Box::new(order));
    runtime.register_function(ORDER, Box::new(order));
    runtime
});

/// Returns -1, 0 or 1 for two numbers or two texts, as jmespath.py compares them; null for anything else.
fn compared(one: &Variable, other: &Variable) -> Variable {
    let order = match (one, other) {
        (Variable::Number(one), Variable::Number(other)) => {
            let (one, other) = (one.as_f64(), other.as_f64());
            one.zip(other)
                .and_then(|(one, other)| one.partial_cmp(&other))
        }
        (Variable::String(one), Variable::String(other)) => Some(one.cmp(other)),
        _ => None,
    };
    order.map_or(Variable::Null, |order| {
        Variable::Number((order as i8).into())
    })
}

/// A parsed JMESPath expression.
#[derive(Clone)]
pub struct Query(Expression<'static>, String);

/// Why a query is invalid, or fails on an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    #[error("query is longer than {LONGEST} characters or nested deeper than {DEEPEST}")]
    TooLarge,
    #[error("query `{text}`: {problem}")]
    Wrong { text: String, problem: String },
}

impl FromStr for Query {
    type Err = InvalidQuery;

    fn from_str(text: &str) -> Result<Self, InvalidQuery> {
        let opening = |c: char| matches!(c, '(' | '[' | '{' | '!' | '&');
        if text.len() > LONGEST || text.chars().filter(|c| opening(*c)).count() > DEEPEST {
            return Err(InvalidQuery::TooLarge);
        }
        let ast = jmespath::parse(&with_json_literals(text));
        let mut ast = ast.map_err(|problem| wrong(text, &problem))?;
        order(&mut ast);
        let expression = Expression::new(text, ast, &RUNTIME);
        Ok(Self(expression, text.into()))
    }
}

impl Query {
    /// Evaluates the query on an answer. Constructed objects keep the order of their keys, for [`super::order::fields`].
    pub(super) fn pick(&self, value: &Value) -> Result<Value, InvalidQuery> {
        let found = self
            .0
            .search(value)
            .map_err(|problem| wrong(&self.1, &problem))?;
        Ok(serde_json::to_value(&*found).unwrap_or(Value::Null))
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Query").field(&self.1).finish()
    }
}

fn wrong(text: &str, problem: &JmespathError) -> InvalidQuery {
    let told = problem.to_string();
    let first = told.lines().next().unwrap_or("it does not parse");
    InvalidQuery::Wrong {
        text: text.into(),
        problem: first.to_owned(),
    }
}

/// Quotes texts in backticks that are no JSON: they were valid before JEP 12, and az's own documentation uses them.
fn with_json_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '`']) {
        let (before, quoted) = rest.split_at(at);
        out.push_str(before);
        let quote = &quoted[..1];
        let Some(end) = closing(quoted) else {
            // The parser reports the error.
            out.push_str(quoted);
            return out;
        };
        let inner = &quoted[1..end];
        if quote == "`" {
            out.push_str(&json_literal(inner))
        } else {
            out.push_str(&quoted[..=end])
        }
        rest = &quoted[end + 1..];
    }
    out.push_str(rest);
    out
}

/// Returns the position of the closing quote of a text that starts with a quote.
fn closing(quoted: &str) -> Option<usize> {
    let quote = quoted.as_bytes().first()?;
    let mut escaped = false;
    let mut bytes = quoted.bytes().enumerate().skip(1);
    bytes
        .find(|(_, byte)| {
            let is_end = byte == quote && !escaped;
            escaped = *byte == b'\\' && !escaped;
            is_end
        })
        .map(|(at, _)| at)
}

fn json_literal(inner: &str) -> String {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let unescaped = inner.replace("\\`", "`");
    let quoted = format!("\"{}\"", unescaped.trim_start());
    if !is_json(&unescaped) && is_json(&quoted) {
        format!("`\"{}\"`", inner.trim_start())
    } else {
        format!("`{inner}`")
    }
}

/// Makes each object that an expression constructs hold the order of its keys.
fn order(ast: &mut Ast) {
    match ast {
        Ast::MultiHash { offset, elements } => {
            elements.iter_mut().for_each(|it| order(&mut it.value));
            elements.push(order_of(*offset, elements));
        }
        // The order must not be among an object's values.
        Ast::ObjectValues { offset, node } => plain(*offset, node),
        Ast::Comparison {
            offset,
            comparator,
            lhs,
            rhs,
        } => {
            plain(*offset, lhs);
            plain(*offset, rhs);
            if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
                compare_texts_too(*offset, lhs, rhs);
            }
        }
        Ast::Condition {
            predicate: first,
            then: second,
            ..
        }
        | Ast::And {
            lhs: first,
            rhs: second,
            ..
        }
        | Ast::Or {
            lhs: first,
            rhs: second,
            ..
        }
        | Ast::Subexpr {
            lhs: first,
            rhs: second,
            ..
        } => {
            order(first);
            order(second);
        }
        Ast::Projection { lhs, rhs, .. } => {
            order(lhs);
            order(rhs);
            end_at_object(ast);
        }
        Ast::Expref { ast: node, .. } | Ast::Flatten { node, .. } | Ast::Not { node, .. } => {
            order(node);
        }
        Ast::Function { args: nodes, .. }
        | Ast::MultiList {
            elements: nodes, ..
        } => nodes.iter_mut().for_each(order),
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::Slice { .. } => {}
    }
}

/// Makes `a < b` the comparison of [`compared`] with 0: the library compares numbers only.
fn compare_texts_too(offset: usize, lhs: &mut Ast, rhs: &mut Ast) {
    let value = Arc::new(Variable::Number(0.into()));
    let zero = Ast::Literal { offset, value };
    let rhs = std::mem::replace(rhs, zero);
    let lhs_before = std::mem::replace(lhs, Ast::Identity { offset });
    *lhs = Ast::Function {
        offset,
        name: ORDER.to_owned(),
        args: vec![lhs_before, rhs],
    };
}

/// Ends a projection at the object that it makes of each element: in jmespath.py, `[0]` in `[].{a: b}[0]` means the first of the objects. The
/// library takes it for a part of the projection.
fn end_at_object(ast: &mut Ast) {
    let Ast::Projection { offset, rhs, .. } = ast else {
        return;
    };
    let each = match &mut **rhs {
        Ast::Condition { then, .. } => then,
        _ => rhs,
    };
    let first = leftmost(each);
    if !matches!(first, Ast::MultiHash { .. }) {
        return;
    }
    let identity = Ast::Identity { offset: *offset };
    let object = std::mem::replace(first, identity.clone());
    let behind = std::mem::replace(&mut **each, object);
    let projection = std::mem::replace(ast, behind);
    *leftmost(ast) = projection;
}

/// Returns the expression whose value the others of a chain take: `a` of `a.b[0].c`.
fn leftmost(ast: &mut Ast) -> &mut Ast {
    match ast {
        Ast::Subexpr { lhs, .. } | Ast::Projection { lhs, .. } => leftmost(lhs),
        first => first,
    }
}

/// Wraps an expression in the function that removes the order from its result.
fn plain(offset: usize, node: &mut Ast) {
    order(node);
    let inner = std::mem::replace(node, Ast::Identity { offset });
    *node = Ast::Function {
        offset,
        name: PLAIN.to_owned(),
        args: vec![inner],
    };
}

/// Returns the field that holds the order of other fields.
fn order_of(offset: usize, elements: &[KeyValuePair]) -> KeyValuePair {
    let mut keys: Vec<Rcvar> = Vec::new();
    for KeyValuePair { key, .. } in elements {
        let name = Arc::new(Variable::String(key.clone()));
        if !keys.contains(&name) {
            keys.push(name);
        }
    }
    let value = Arc::new(Variable::Array(keys));
    KeyValuePair {
        key: MARK.to_owned(),
        value: Ast::Literal { offset, value },
    }
}

/// A function whose arguments have no order of keys.
struct WithoutOrder(Box<dyn Function>);

impl Function for WithoutOrder {
    fn evaluate(&self, args: &[Rcvar], ctx: &mut Context<'_>) -> SearchResult {
        let args: Vec<Rcvar> = args.iter().map(without_order).collect();
        self.0.evaluate(&args, ctx)
    }
}

fn without_order(value: &Rcvar) -> Rcvar {
    match &**value {
        Variable::Array(items) => {
            let items = items.iter().map(without_order).collect();
            Arc::new(Variable::Array(items))
        }
        Variable::Object(fields) => {
            let fields: BTreeMap<String, Rcvar> = fields
                .iter()
                .filter(|(key, _)| *key != MARK)
                .map(|(key, value)| (key.clone(), without_order(value)))
                .collect();
            Arc::new(Variable::Object(fields))
        }
        _ => value.clone(),
    }
}

/// A function that returns an integer where Python would, for integer arguments.
struct Whole(Box<dyn Function>);

impl Function for Whole {
    fn evaluate(&self, args: &[Rcvar], ctx: &mut Context<'_>) -> SearchResult {
        let result = self.0.evaluate(args, ctx)?;
        let float = match &*result {
            Variable::Number(number) if number.is_f64() => number.as_f64(),
            _ => None,
        };
        let Some(float) = float.filter(|it| it.fract() == 0.0 && it.abs() < 9e15) else {
            return Ok(result);
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be whole and small"
        )]
        let whole = float as i64;
        Ok(Arc::new(Variable::Number(whole.into())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::view::order::{fields, forget};

    fn pick(query: &str, value: &Value) -> Value {
        let mut picked = query.parse::<Query>().unwrap().pick(value).unwrap();
        forget(&mut picked);
        picked
    }

    #[test]
    fn query_filters_and_functions_work_and_counts_are_integers() {
        let runs = json!([{"id": "ca1", "n": 6}, {"id": "ca2", "n": 7}]);
        assert_eq!(pick("[?n > `6`].id", &runs), json!(["ca2"]));
        for (query, expected) in [
            ("sum([].n)", json!(13)),
            ("avg([].n)", json!(6.5)),
            ("avg([[0].n, [0].n])", json!(6.0)),
            ("floor(avg([].n))", json!(6)),
            ("abs([0].n)", json!(6)),
            ("to_number(`\"7\"`)", json!(7)),
            ("length(@)", json!(2)),
        ] {
            assert_eq!(
                pick(query, &runs).to_string(),
                expected.to_string(),
                "{query}"
            );
        }
    }

    #[test]
    fn query_compares_texts_and_ends_projections_at_objects_as_in_python() {
        let all = json!([{"x": 1, "s": "a"}, {"x": 2, "s": "b"}]);
        for (query, expected) in [
            ("[?s < 'b'].x", json!([1])),
            ("[?s <= 'b'].x", json!([1, 2])),
            ("[?'b' > s].x", json!([1])),
            ("[?s >= 'b' && x > `1`].x", json!([2])),
            ("[?x >= `1.5`].x", json!([2])),
            ("[?s < x].x", json!([])),
            ("[?x < `true`].x", json!([])),
            ("[?s < y].x", json!([])),
            ("[].{a: x}[0]", json!({"a": 1})),
            ("[].{a: x}[0].a", json!(1)),
            ("[*].{a: x}[-1:]", json!([{"a": 2}])),
            ("[?x > `1`].{a: x}[0].a", json!(2)),
            ("[*].{a: x}[?a == `1`].a", json!([1])),
            ("[].{a: x}.a", json!(null)),
            ("[].{a: x} | [0].a", json!(1)),
            ("[0].{a: x}.a", json!(1)),
            ("[].{a: {b: x}}[1].a.b", json!(2)),
        ] {
            assert_eq!(pick(query, &all), expected, "{query}");
        }
    }

    #[test]
    fn invalid_query_is_refused_when_parsed() {
        assert!(matches!(
            "[?(".parse::<Query>(),
            Err(InvalidQuery::Wrong { .. })
        ));
        let deep = "(".repeat(5000);
        assert_eq!(deep.parse::<Query>().unwrap_err(), InvalidQuery::TooLarge);
    }

    #[test]
    fn query_objects_keep_the_order_of_their_keys() {
        let run = json!({"id": "ca1", "n": 6, "more": {"b": 1, "a": 2}});
        let keys = |query: &str| {
            let picked = query.parse::<Query>().unwrap().pick(&run).unwrap();
            let fields = fields(picked.as_object().unwrap());
            let keys = fields.iter().map(|(key, _)| *key);
            keys.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys("{z: id, b: n, a: more}"), "z b a");
        assert_eq!(keys("{z: id, b: n, z: n}"), "z b");
        assert_eq!(keys("{x: {d: id, c: n}}.x"), "d c");
        assert_eq!(keys("[{d: id, c: n}] | [0]"), "d c");
        // Objects that are not constructed by the query have sorted keys.
        assert_eq!(keys("more"), "a b");
        assert_eq!(keys("merge({b: n}, {a: n})"), "a b");
    }

    #[test]
    fn query_functions_sort_keys() {
        let run = json!({"n": 6});
        for (query, expected) in [
            ("keys({b: n, a: n})", json!(["a", "b"])),
            ("values({b: n})", json!([6])),
            ("length({b: n, a: n})", json!(2)),
            ("{b: n}.*", json!([6])),
            ("to_string({b: n})", json!("{\"b\":6}")),
            ("{b: n} == `{\"b\": 6}`", json!(true)),
            ("map(&keys({b: @}), [n])", json!([["b"]])),
        ] {
            assert_eq!(pick(query, &run), expected, "{query}");
        }
    }

    #[test]
    fn query_literals_in_backticks_may_be_unquoted_texts() {
        let runs = json!([{"s": "Failed"}, {"s": "a`b"}, {"s": "it's"}]);
        for (query, expected) in [
            ("[?s==`Failed`].s", json!(["Failed"])),
            ("[?s==`\"Failed\"`].s", json!(["Failed"])),
            ("[?s==` Failed`].s", json!(["Failed"])),
            ("[?s==`a\\`b`].s", json!(["a`b"])),
            ("[?s=='`Failed`'].s", json!([])),
            ("[?s=='it\\'s'].s", json!(["it's"])),
            ("`20`", json!(20)),
            ("`[1, 2]`", json!([1, 2])),
        ] {
            assert_eq!(pick(query, &runs), expected, "{query}");
        }
        assert!("`open".parse::<Query>().is_err());
        assert!("`a\"b`".parse::<Query>().is_err());
    }

    #[test]
    fn every_jmespath_function_is_supported() {
        let value = json!({"n": [3, 1, 2], "t": ["b", "a"], "o": [{"k": 2}, {"k": 1}], "s": "abc"});
        for (query, expected) in [
            ("abs(`-1`)", json!(1)),
            ("avg(n)", json!(2)),
            ("ceil(`1.2`)", json!(2)),
            ("contains(s, 'b')", json!(true)),
            ("ends_with(s, 'c')", json!(true)),
            ("floor(`1.8`)", json!(1)),
            ("join('-', t)", json!("b-a")),
            ("sort(keys(o[0]))", json!(["k"])),
            ("length(n)", json!(3)),
            ("map(&k, o)", json!([2, 1])),
            ("max(n)", json!(3)),
            ("max_by(o, &k).k", json!(2)),
            ("merge(o[0], {x: s}).x", json!("abc")),
            ("min(n)", json!(1)),
            ("min_by(o, &k).k", json!(1)),
            ("not_null(none, s)", json!("abc")),
            ("reverse(n)", json!([2, 1, 3])),
            ("sort(t)", json!(["a", "b"])),
            ("sort_by(o, &k)[0].k", json!(1)),
            ("starts_with(s, 'a')", json!(true)),
            ("sum(n)", json!(6)),
            ("to_array(s)", json!(["abc"])),
            ("to_number('12')", json!(12)),
            ("to_string(n[0])", json!("3")),
            ("type(n)", json!("array")),
            ("values(o[0])", json!([2])),
        ] {
            let found = pick(query, &value);
            let is_same =
                found == expected || found.as_f64().is_some_and(|f| Some(f) == expected.as_f64());
            assert!(is_same, "{query}: {found}");
        }
    }
}
