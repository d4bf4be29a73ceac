//! Random templates from all constructs of the template language.

use super::inputs::Random;

/// The functions of templates; each may be called with anything.
const FUNCTIONS: &[&str] = &[
    "abbrev",
    "add",
    "add1",
    "and",
    "append",
    "atoi",
    "b64dec",
    "b64enc",
    "camelcase",
    "cat",
    "ceil",
    "coalesce",
    "compact",
    "concat",
    "contains",
    "date",
    "default",
    "dict",
    "div",
    "empty",
    "eq",
    "first",
    "float64",
    "floor",
    "fromJson",
    "ge",
    "get",
    "gt",
    "has",
    "hasKey",
    "hasPrefix",
    "hasSuffix",
    "html",
    "indent",
    "index",
    "initial",
    "initials",
    "int",
    "int64",
    "join",
    "js",
    "kebabcase",
    "keys",
    "last",
    "le",
    "len",
    "list",
    "lower",
    "lt",
    "max",
    "merge",
    "min",
    "mod",
    "mul",
    "ne",
    "nindent",
    "nospace",
    "not",
    "now",
    "omit",
    "or",
    "pick",
    "plural",
    "prepend",
    "print",
    "printf",
    "println",
    "quote",
    "regexFind",
    "regexMatch",
    "regexReplaceAll",
    "regexReplaceAllLiteral",
    "repeat",
    "replace",
    "required",
    "rest",
    "reverse",
    "round",
    "sha256sum",
    "slice",
    "snakecase",
    "sortAlpha",
    "split",
    "splitList",
    "squote",
    "sub",
    "substr",
    "ternary",
    "title",
    "toJson",
    "toPrettyJson",
    "toString",
    "toStrings",
    "trim",
    "trimAll",
    "trimPrefix",
    "trimSuffix",
    "trunc",
    "tuple",
    "uniq",
    "until",
    "untilStep",
    "untitle",
    "upper",
    "urlquery",
    "values",
    "without",
];

const ATOMS: &[&str] = &[
    ".",
    "$",
    ".Run",
    ".Run.ID",
    ".Values",
    ".Values.map.k",
    ".Values.list",
    ".Values.pin",
    ".Secrets.token",
    ".Secrets",
    ".ValuesJSON",
    ".None.none",
    "$a",
    "$b",
    "nil",
    "true",
    "false",
    "0",
    "1",
    "3",
    "-1",
    "100",
    "1000",
    "99990",
    "1048576",
    "9223372036854775807",
    "1.5",
    "1e300",
    "0x7f",
    "'a'",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"%s %d %v\"",
    "\"%q|%x|%-9s\"",
    "\"%65535d\"",
    "\"%*d\"",
    "\"%[1]s%[1]s\"",
    "\"{\\\"a\\\":[1,2]}\"",
    "\"[[[[[[]]]]]]\"",
    "\"(a|b)*c\"",
    "\"(?:a{50}){20}\"",
    "\"\\\\w+\"",
    "\"$1$1\"",
    "\"2006-01-02\"",
    "`raw`",
    "\"\u{fdd0}\"",
    "\"ä€😀\"",
];

/// Returns a file of templates.
pub fn file(random: &mut Random) -> String {
    let mut out = String::from("{{$a := list 1 \"x\"}}{{$b := \"y\"}}env: ['A=");
    let nodes = 1 + random.below(8);
    for _ in 0..nodes {
        node(random, 0, &mut out);
    }
    out + "']\nsteps:\n- cmd: x {{$b}}\n"
}

fn node(random: &mut Random, depth: usize, out: &mut String) {
    let deep = depth > 4;
    match random.below(if deep { 4 } else { 12 }) {
        0 => out.push_str("text "),
        1 | 2 => {
            let value = pipeline(random, 0);
            out.push_str(&format!("{{{{{value}}}}}"));
        }
        3 => {
            let variable = ["$a", "$b"][random.below(2)];
            let value = pipeline(random, 0);
            out.push_str(&format!("{{{{{variable} = {value}}}}}"));
        }
        4..=6 => {
            let over = match random.below(3) {
                0 => "until 99990".to_owned(),
                1 => format!("until {}", random.below(300)),
                _ => pipeline(random, 0),
            };
            let grow = [
                "$a = list $a $a",
                "$a = append $a $a",
                "$b = cat $b $b",
                "$a = dict \"a\" $a",
                "$a = concat $a $a",
            ];
            out.push_str(&format!("{{{{range {over}}}}}"));
            if random.below(2) == 0 {
                out.push_str(&format!("{{{{{}}}}}", grow[random.below(grow.len())]));
            }
            node(random, depth + 1, out);
            out.push_str("{{end}}");
        }
        7 | 8 => {
            let value = pipeline(random, 0);
            let word = ["if", "with"][random.below(2)];
            out.push_str(&format!("{{{{{word} {value}}}}}"));
            node(random, depth + 1, out);
            for _ in 0..random.below(4) {
                out.push_str(&format!("{{{{else if {}}}}}", pipeline(random, 1)));
                node(random, depth + 1, out);
            }
            out.push_str("{{end}}");
        }
        9 => {
            let name = random.below(3);
            out.push_str(&format!("{{{{define \"{name}\"}}}}"));
            node(random, depth + 1, out);
            out.push_str("{{end}}");
        }
        10 => {
            let (name, value) = (random.below(3), pipeline(random, 0));
            out.push_str(&format!("{{{{template \"{name}\" {value}}}}}"));
        }
        _ => out
            .push_str(["{{break}}", "{{continue}}", "{{/* x */}}", "{{- $b -}}"][random.below(4)]),
    }
}

fn pipeline(random: &mut Random, depth: usize) -> String {
    let mut out = command(random, depth);
    for _ in 0..random.below(3) {
        let function = FUNCTIONS[random.below(FUNCTIONS.len())];
        out += &format!(" | {function}");
        if random.below(2) == 0 {
            out += &format!(" {}", value(random, depth + 1));
        }
    }
    out
}

fn command(random: &mut Random, depth: usize) -> String {
    if random.below(4) == 0 {
        return value(random, depth);
    }
    let mut out = FUNCTIONS[random.below(FUNCTIONS.len())].to_owned();
    for _ in 0..random.below(4) {
        out += &format!(" {}", value(random, depth + 1));
    }
    out
}

fn value(random: &mut Random, depth: usize) -> String {
    match depth < 4 && random.below(3) == 0 {
        true => format!("({})", pipeline(random, depth + 1)),
        false => ATOMS[random.below(ATOMS.len())].to_owned(),
    }
}
