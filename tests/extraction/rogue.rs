//! Extractors that leave things behind: the next job finds none of them.

use crate::support::rogue::{HOST, Rogue};
use crate::support::stage::Reply;

/// Every place that the plugin marks.
const MARKS: &str = "marks: self ydl params cookies gone";

#[test]
fn a_job_finds_nothing_that_an_earlier_one_left() {
    // One worker, so one session.
    let world = Rogue::with(&[("MAX_WORKERS", "1")]);
    world.stage.play_below(HOST, "/page/", |_| Reply::html("a page"));
    let title = |deed: &str, name: &str| world.extract(&Rogue::page(deed, name))["title"].clone();
    for round in ["1", "2"] {
        assert_eq!(title("spoil", round), MARKS, "the plugin leaves no marks");
        assert_eq!(title("look", round), "marks:");
    }
    let pages = world.stage.seen_at(HOST);
    assert_eq!(pages.len(), 2);
    for page in pages {
        assert!(page.header("user-agent").is_some_and(|name| name.starts_with("Mozilla/")), "{page:?}");
        assert!(!format!("{page:?}").contains("canary"), "{page:?}");
    }
    // Nor does another site's extractor.
    let video = crate::support::world::post().install(&world.stage);
    world.extract(video.page_url());
    assert!(video.seen(&world.stage).iter().all(|seen| !format!("{seen:?}").contains("canary")));
}

#[test]
fn what_extractors_keep_in_their_classes_goes_with_the_job() {
    let world = Rogue::with(&[("MAX_WORKERS", "2")]);
    for name in ["1", "2", "3"] {
        let title = world.extract(&Rogue::page("keep", name))["title"].clone();
        assert_eq!(title, format!("kept: None None now: {name} {name}"));
    }
}
