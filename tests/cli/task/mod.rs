//! `acrt task …`

mod cancel_run;
mod check;
mod check_cycles;
mod check_states;
mod create;
mod credential;
mod delete;
mod identity;
mod list;
mod list_runs;
mod logs;
mod run;
mod run_result;
mod show;
mod show_run;
mod signals;
mod timer;
mod update;
mod update_run;
mod verify;
mod watch;
mod watch_killed;
mod watch_listen;
mod watch_notify;
mod watch_options;
mod watch_supervised;
