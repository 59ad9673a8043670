//! Pages that only an extractor takes which takes any host: helper processes, and what becomes of them.

mod crowd;
mod harm;
mod held;
mod helpers;

use crate::support::client::Answer;
use crate::support::processes::children;
use crate::support::stage::{Media, Reply, sha256};
use crate::support::world::{World, fresh_id};
use serde_json::{Value, json};

/// What yt-dlp calls the first film of a page with the title "A film".
const TITLE: &str = "A film (1)";

/// A page of nobody's, with a film in it.
struct Stranger {
    url: String,
    host: String,
    film: Media,
}

impl Stranger {
    fn install(world: &World) -> Stranger {
        let host = format!("stranger-{}.example.net", fresh_id());
        let film = Media::new(7, 50_000);
        world.stage.play(&host, "/", Reply::html(page(r#"<video src="/film.mp4"></video>"#)));
        world.stage.play(&host, "/film.mp4", Reply::media(&film).content_type("video/mp4"));
        Stranger { url: format!("https://{host}/"), host, film }
    }

    /// Another page of its host.
    fn page(&self, world: &World, path: &str, body: &str) -> String {
        world.stage.play(&self.host, path, Reply::html(page(body)));
        format!("https://{}{path}", self.host)
    }

    /// A page that keeps yt-dlp busy for minutes.
    fn trap(&self, world: &World, path: &str) -> String {
        self.page(world, path, &"<iframe ".repeat(64 << 10))
    }

    /// That it extracts and streams, every byte of it.
    fn check(&self, world: &World) {
        let extraction = world.extract(&self.url);
        assert_eq!(extraction["title"], TITLE, "{extraction}");
        let stream = extraction["formats"][0]["stream"].as_str().unwrap();
        let answer = crate::support::client::get(stream);
        assert_eq!((answer.status, sha256(&answer.body)), (200, self.film.sha256()));
    }
}

fn page(body: &str) -> String {
    format!("<!DOCTYPE html><html><head><title>A film</title></head><body>{body}</body></html>")
}

fn ask(world: &World, url: &str) -> Answer {
    world.post("/extract", &json!({"url": url, "fresh": true}))
}

/// What `/health` says of the helpers.
fn quarantine(world: &World) -> Value {
    world.get("/health").json()["quarantine"].clone()
}

/// Blocks until that has these values.
#[track_caller]
fn wait_for_helpers(world: &World, wanted: &[(&str, u64)]) {
    world.wait_until(|| {
        let found = quarantine(world);
        let holds = |(name, value): &(&str, u64)| found[*name].as_u64() == Some(*value);
        if wanted.iter().all(holds) { Ok(()) } else { Err(found) }
    });
}

/// How many helpers have ended for that reason.
fn ended(world: &World, reason: &str) -> u64 {
    quarantine(world)["ended"][reason].as_u64().unwrap_or(0)
}

/// The forks of the zygote, which is the server's only child as long as no script runs.
fn helpers(world: &World) -> Vec<u32> {
    children(world.server.pid()).into_iter().flat_map(children).collect()
}
