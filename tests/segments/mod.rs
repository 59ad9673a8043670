//! Films in pieces: HLS and DASH, as packagers make them, streamed as one file.

mod addresses;
mod choice;
mod encryption;
mod faults;
mod fields;
mod hostile;
mod kinds;
mod live;
mod lost;
mod named;
mod player;
mod renewal;
mod shapes;
mod slow;
mod subtitles;

use crate::support::packaged::{Package, package};
use crate::support::world::World;
use std::sync::LazyLock;

/// One of every way to be asked for pieces, whose faults differ.
const WAYS: [&str; 7] =
    ["ts", "fmp4", "ts in ranges", "fmp4 in ranges", "aes with an iv", "aes by sequence", "dash by number"];

/// The packages of [`WAYS`].
fn ways() -> [&'static Package; WAYS.len()] {
    WAYS.map(package)
}

static IMPATIENT: LazyLock<World> = LazyLock::new(|| World::keyed(&[("DOWNLOAD_TIMEOUT", "2")]));

/// A world where two seconds of silence are too long, shared by the tests of this subject.
fn impatient() -> &'static World {
    &IMPATIENT
}
