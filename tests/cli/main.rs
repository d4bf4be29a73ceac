//! Whole-program tests: `acrt` as it is typed, against a real registry and real builders.
//!
//! The modules mirror `src/cli`: what `acrt task create` does is tested in `task/create.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

#[path = "../support/mod.rs"]
mod support;

mod action;
mod az_differences;
mod az_lines;
mod build;
mod builder;
mod builders;
mod check_health;
mod completion;
mod config;
mod contexts;
mod deps;
mod docs_blocks;
mod farm;
mod farm_daemons;
mod farm_parts;
mod formats;
mod global;
mod help;
mod image;
mod import;
mod import_interrupted;
mod leftovers;
mod login;
mod logout;
mod manifest;
mod mirrors;
mod mistakes;
mod names;
mod notify;
mod old_state;
mod options;
mod page;
mod page_in_browser;
mod parts;
mod progress;
mod purge;
mod readme;
mod refused;
mod repository;
mod run;
mod schemas;
mod several_platforms;
mod state;
mod status;
mod strict_registry;
mod surroundings;
mod task;
mod trust;
mod tutorials;
mod typing;
