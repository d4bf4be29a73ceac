//! `acrt image`

pub mod check;
pub mod check_attested;
mod check_compose;
mod check_hostile;
mod check_stores;
