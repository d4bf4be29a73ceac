//! The registry client with real registries, with real proxies in front of them, and with a server that misbehaves on
//! purpose.
//!
//! Every test counts its requests: too many requests are as wrong as wrong answers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod another_process;
mod distribution;
mod documents;
mod nginx;
mod scripted;
mod service;
mod settings;
mod token_service;

mod absent;
mod artifacts;
mod cache;
mod copy;
mod health;
mod helpers;
mod hostile;
mod index;
mod limits;
mod lists;
mod logins;
mod look;
mod mounts;
mod network;
mod proxy;
mod redirects;
mod tls;
mod tokens;
mod uploads;
