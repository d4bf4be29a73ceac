//! Functions on numbers.

use gotmpl::Value;

use super::{Answer, Function, arg, fail, float, whole};

pub(super) const ALL: &[(&str, Function)] = &[
    ("int", |a| Ok(Value::Int(whole(a, 0)))),
    ("int64", |a| Ok(Value::Int(whole(a, 0)))),
    ("atoi", |a| Ok(Value::Int(whole(a, 0)))),
    ("float64", |a| Ok(Value::Float(float(arg(a, 0))))),
    ("add", |a| Ok(Value::Int(all(a).fold(0, i64::wrapping_add)))),
    ("add1", |a| Ok(Value::Int(whole(a, 0).wrapping_add(1)))),
    ("sub", |a| {
        Ok(Value::Int(whole(a, 0).wrapping_sub(whole(a, 1))))
    }),
    ("mul", |a| Ok(Value::Int(all(a).fold(1, i64::wrapping_mul)))),
    ("div", |a| divided(whole(a, 0).checked_div(whole(a, 1)))),
    ("mod", |a| divided(whole(a, 0).checked_rem(whole(a, 1)))),
    ("max", |a| Ok(Value::Int(all(a).max().unwrap_or(0)))),
    ("min", |a| Ok(Value::Int(all(a).min().unwrap_or(0)))),
    ("ceil", |a| Ok(Value::Float(float(arg(a, 0)).ceil()))),
    ("floor", |a| Ok(Value::Float(float(arg(a, 0)).floor()))),
    ("round", |a| {
        let power = i32::try_from(whole(a, 1).clamp(0, 15)).unwrap_or(0);
        let factor = 10f64.powi(power);
        Ok(Value::Float((float(arg(a, 0)) * factor).round() / factor))
    }),
];

fn all(args: &[Value]) -> impl Iterator<Item = i64> {
    (0..args.len()).map(|n| whole(args, n))
}

fn divided(result: Option<i64>) -> Answer {
    match result {
        Some(number) => Ok(Value::Int(number)),
        None => fail("division by zero"),
    }
}
