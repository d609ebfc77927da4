//! `tour`: the main job end to end in a throw-away repository.

use super::Done;
use crate::cli::Tour;
use crate::ctx::Ctx;
use crate::error::{Error, Result};

pub fn run(_args: &Tour, _ctx: &Ctx) -> Result<Done> {
    Err(Error::usage("soon"))
}
