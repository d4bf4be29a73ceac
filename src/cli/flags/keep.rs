//! `--keep-tags` and `--keep-days` of a task.

use crate::task::Patch;

// Which of the tags that runs make from templates are kept.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct KeepArgs {
    /// How many of the newest tags made from {{.Run.ID}} are kept after a run [default: all]
    #[arg(long, help_heading = "Images", value_name = "COUNT")]
    keep_tags: Option<u32>,
    /// For how many days such tags are kept; with --keep-tags, the newest are kept for longer
    #[arg(long, help_heading = "Images", value_name = "DAYS")]
    keep_days: Option<u32>,
}

impl KeepArgs {
    /// Returns the changes; 0 keeps all tags, as without the option.
    pub fn patch(self) -> (Patch<u32>, Patch<u32>) {
        let patch = |count: Option<u32>| match count {
            Some(0) => Patch::Clear,
            count => count.into(),
        };
        (patch(self.keep_tags), patch(self.keep_days))
    }
}
