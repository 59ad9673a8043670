//! One extraction beside others: what they share, what they don't, and what becomes of those that do not end.

mod bounds;
mod cache;
mod caps;
mod deadlines;
mod flight;
mod isolation;
mod log;
mod negative;
mod pool;
mod rogue;
mod stuck;

use crate::support::stage::streamable::{self, Clip};
use crate::support::stage::tiktok;
use crate::support::stage::{Fault, Outcome, Reply, Seen};
use crate::support::world::{World, fresh_id, post};

/// Bytes of a clip's film.
const CLIP: u64 = 20_000;

/// A page, by what a client calls it and by what yt-dlp asks for.
struct Page {
    url: String,
    host: &'static str,
    path: String,
    content: Box<dyn Fn() -> Reply + Send + Sync>,
}

/// Puts a page on a stage.
type Install = fn(&World) -> Page;

/// A site for each of yt-dlp's handlers.
const SITES: [(&str, Install); 2] = [("curl_cffi", Page::for_browsers), ("requests", Page::plain)];

impl Page {
    /// A page that yt-dlp asks for as a browser does.
    fn for_browsers(world: &World) -> Page {
        let video = post().install(&world.stage);
        let (url, path) = (video.page_url().to_owned(), video.path().to_owned());
        Page { url, host: tiktok::PAGES, path, content: Box::new(move || video.page()) }
    }

    /// A page that yt-dlp asks for as itself.
    fn plain(world: &World) -> Page {
        let clip = Clip::install(&world.stage, &fresh_id(), CLIP);
        let (url, path) = (clip.page_url(), clip.path());
        Page { url, host: streamable::API, path, content: Box::new(move || clip.page()) }
    }

    /// Shows it as `change` makes it.
    fn show(&self, world: &World, change: impl FnOnce(Reply) -> Reply) {
        world.stage.play(self.host, &self.path, change((self.content)()));
    }

    /// Keeps every answer back until the stage is told to go on.
    fn hold(&self, world: &World) {
        self.show(world, |reply| reply.fault(Fault::HeldHead));
    }

    /// How often it was asked for.
    fn count(&self, world: &World) -> usize {
        world.stage.seen_where(|seen| self.is(seen)).len()
    }

    /// Blocks until it has been asked for so often.
    fn wait_for(&self, world: &World, count: usize) {
        world.stage.wait_for(|seen| seen.iter().filter(|seen| self.is(seen)).count() >= count);
    }

    fn is(&self, seen: &Seen) -> bool {
        seen.host == self.host && seen.path() == self.path
    }
}

/// Blocks until so many answers of the stage are held back.
fn wait_for_held(world: &World, count: usize) {
    world.stage.wait_for(|seen| seen.iter().filter(|seen| seen.outcome == Outcome::Playing).count() == count);
}
