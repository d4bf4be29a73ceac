//! The machine: time, settings, command lines and processes. Nothing here knows about images.

pub mod aliases;
pub mod beneath;
pub mod blocking;
pub mod builders;
pub mod clock;
pub mod command;
pub mod config;
mod config_edit;
pub mod config_file;
pub mod environment;
pub mod limits;
pub mod loop_health;
pub mod mounts;
pub mod near;
pub mod ownership;
pub mod plain_file;
pub mod process;
pub mod proxy;
pub mod secret;
pub mod service;
pub mod settings;
pub mod signal;
pub mod terminal;
pub mod workers;
