//! Pages that hold on to whoever asks for them, below users of their own; any video id will do.

use super::super::{Fault, Reply, Stage};
use super::PAGES;
use std::time::Duration;

/// Bytes of a page that comes one byte at a time: as long as an ordinary one.
const PAGE: usize = 213_000;

/// Pause between two such bytes, and before each redirect.
const PAUSE: Duration = Duration::from_secs(1);

/// Plays `/@hang/` (never an answer), `/@drip/` (a head, then a byte per second) and `/@circle/` (a redirect to
/// itself, after a second). Call it before a post is installed for any id, which would take their places.
pub fn install(stage: &Stage) {
    stage.play_below(PAGES, "/@hang/", |_| Reply::html("").fault(Fault::HeldHead));
    stage.play_below(PAGES, "/@drip/", |_| {
        Reply::html(" ".repeat(PAGE)).fault(Fault::Slow { chunk: 1, pause: PAUSE })
    });
    stage.play_below(PAGES, "/@circle/", |path| {
        Reply::redirect(302, &format!("https://{PAGES}{path}")).delay(PAUSE)
    });
}
