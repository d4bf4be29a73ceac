//! Functions on numbers.

use gotmpl::{TemplateError, Value};

use super::call::{Call, CallResult, Function, fail};

pub(super) const ALL: &[(&str, Function)] = &[
    ("int", |c| Ok(Value::Int(c.whole(0)?))),
    ("int64", |c| Ok(Value::Int(c.whole(0)?))),
    ("atoi", |c| Ok(Value::Int(c.whole(0)?))),
    ("float64", |c| Ok(Value::Float(c.float(0)?))),
    ("add", |c| {
        Ok(Value::Int(all(c)?.into_iter().fold(0, i64::wrapping_add)))
    }),
    ("add1", |c| Ok(Value::Int(c.whole(0)?.wrapping_add(1)))),
    ("sub", |c| {
        Ok(Value::Int(c.whole(0)?.wrapping_sub(c.whole(1)?)))
    }),
    ("mul", |c| {
        Ok(Value::Int(all(c)?.into_iter().fold(1, i64::wrapping_mul)))
    }),
    ("div", |c| divided(c.whole(0)?.checked_div(c.whole(1)?))),
    ("mod", |c| divided(c.whole(0)?.checked_rem(c.whole(1)?))),
    ("max", |c| {
        Ok(Value::Int(all(c)?.into_iter().max().unwrap_or(0)))
    }),
    ("min", |c| {
        Ok(Value::Int(all(c)?.into_iter().min().unwrap_or(0)))
    }),
    ("biggest", |c| {
        Ok(Value::Int(all(c)?.into_iter().max().unwrap_or(0)))
    }),
    ("addf", |c| decimal(floats(c)?.into_iter().sum())),
    ("add1f", |c| decimal(c.float(0)? + 1.0)),
    ("subf", |c| reduced(c, |one, other| one - other)),
    ("mulf", |c| decimal(floats(c)?.into_iter().product())),
    ("divf", |c| match floats(c)?.get(1..) {
        Some(by) if by.contains(&0.0) => fail("division by zero"),
        _ => {
            let all = floats(c)?.into_iter().reduce(|one, other| one / other);
            Ok(Value::Float(all.unwrap_or(0.0)))
        }
    }),
    ("maxf", |c| reduced(c, f64::max)),
    ("minf", |c| reduced(c, f64::min)),
    ("ceil", |c| Ok(Value::Float(c.float(0)?.ceil()))),
    ("floor", |c| Ok(Value::Float(c.float(0)?.floor()))),
    ("round", |c| {
        let power = i32::try_from(c.whole(1)?.clamp(0, 15)).unwrap_or(0);
        let factor = 10f64.powi(power);
        Ok(Value::Float((c.float(0)? * factor).round() / factor))
    }),
];

fn all(call: &Call<'_>) -> Result<Vec<i64>, TemplateError> {
    (0..call.args.len()).map(|n| call.whole(n)).collect()
}

fn floats(call: &Call<'_>) -> Result<Vec<f64>, TemplateError> {
    (0..call.args.len()).map(|n| call.float(n)).collect()
}

fn reduced(call: &Call<'_>, with: fn(f64, f64) -> f64) -> CallResult {
    decimal(floats(call)?.into_iter().reduce(with).unwrap_or(0.0))
}

/// Returns a sum as Sprig does, which computes in decimals: 0.1 and 0.2 are 0.3.
fn decimal(number: f64) -> CallResult {
    let rounded = format!("{number:.14e}").parse();
    Ok(Value::Float(rounded.unwrap_or(number)))
}

fn divided(result: Option<i64>) -> CallResult {
    match result {
        Some(number) => Ok(Value::Int(number)),
        None => fail("division by zero"),
    }
}
