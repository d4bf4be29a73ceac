//! `acrt task …`

mod check;
mod create;
mod credential;
mod delete;
mod list;
mod list_runs;
mod logs;
mod run;
mod show;
mod show_run;
mod update;
mod watch;
