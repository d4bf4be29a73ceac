//! The least that a clap program does: the yardstick for acrt's start-up in `benches/watch`.

use clap::Parser;

/// Say hello
#[derive(Parser)]
#[command(version)]
struct Hello {
    /// Whom to greet
    #[arg(long, default_value = "world")]
    name: String,
}

fn main() {
    let hello = Hello::parse();
    // Nothing is printed unless asked for, as acrt's commands here print little.
    if hello.name.is_empty() {
        std::process::abort();
    }
}
