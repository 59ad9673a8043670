//! Photo posts of TikTok, and the short links that lead to posts of both kinds.

use crate::support::client::{self, Answer, encode};
use crate::support::stage::tiktok::{self, BEST, TikTok, Video};
use crate::support::stage::{Reply, sha256};
use crate::support::world::{World, assert_problem, assert_seed_error, fresh_id, post, world};
use serde_json::{Value, json};

fn photos(world: &World, count: usize) -> Video {
    TikTok::photos(&fresh_id(), count).install(&world.stage)
}

fn ask(world: &World, page: &str) -> Value {
    let answer = world.post("/tiktok", &json!({"url": page}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// What a link of ours gives, whole.
#[track_caller]
fn fetch(world: &World, link: &Value) -> Answer {
    let link = link.as_str().unwrap();
    assert!(link.starts_with(&world.server.url("/stream?data=")), "{link}");
    let answer = client::get(link);
    assert_eq!((answer.status, answer.complete()), (200, true), "{link}: {}", answer.text());
    answer
}

fn name_of(answer: &Answer) -> String {
    answer.header("x-filename").unwrap().replace("%20", " ").replace("%5B", "[").replace("%5D", "]")
}

#[test]
fn a_photo_post_is_a_picker() {
    let world = world();
    let video = photos(world, 3);
    for page in [video.photo_url(), video.page_url().to_owned()] {
        let answer = ask(world, &page);
        assert_eq!((&answer["code"], &answer["status"]), (&json!(0), &json!("picker")));
        let links: Vec<&Value> = answer["photos"].as_array().unwrap().iter().map(|it| &it["url"]).collect();
        assert_eq!(links.len(), 3);
        for (photo, (entry, link)) in
            video.photos().iter().zip(answer["photos"].as_array().unwrap().iter().zip(&links))
        {
            assert_eq!(entry["type"], "photo");
            assert_eq!(sha256(&fetch(world, link).body), photo.media.sha256());
        }
        let unmarked: Vec<&Value> =
            answer["download_link"]["no_watermark"].as_array().unwrap().iter().collect();
        assert_eq!(unmarked, links);
        let sound = video.media("audio").sha256();
        for link in
            [&answer["audio"], &answer["download_link"]["mp3"], &answer["data"]["video_data"][0]["url"]]
        {
            assert_eq!(sha256(&fetch(world, link).body), sound);
        }
        let entries = answer["data"]["video_data"].as_array().unwrap();
        assert_eq!((entries.len(), &entries[0]["format"]), (1, &json!("audio-mp3")));
        assert_eq!((&answer["music_duration"], &answer["artist"]), (&json!(61_000), &json!("Sluice Gate")));
        assert_eq!(answer["author"]["signature"], "Water, all day");
        assert_eq!(fetch(world, &answer["author"]["avatar"]).header("content-type"), Some("image/jpeg"));
        assert_eq!(fetch(world, &answer["cover"]).header("content-type"), Some("image/jpeg"));
        let text = answer.to_string();
        for secret in ["tiktokcdn", tiktok::CDN, video.chain_token(), "x-signature", "Referer", "null"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn extract_lists_the_images_and_their_sound() {
    let world = world();
    let video = photos(world, 3);
    let answer = world.extract(&video.photo_url());
    assert_eq!((&answer["kind"], &answer["extractor"]), (&json!("photos"), &json!("TikTok")));
    assert_eq!(answer["webpage_url"], video.photo_url());
    assert_eq!(answer["default_format"], "audio");
    assert_eq!(answer["formats"].as_array().unwrap().len(), 1);
    let expires = humantime::parse_rfc3339(answer["expires_at"].as_str().unwrap()).unwrap();
    let expires = expires.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(expires, video.expires());
    let id = answer["id"].as_str().unwrap();
    let kinds = [("jpeg", "image/jpeg"), ("webp", "image/webp"), ("jpg", "image/jpeg")];
    let images = answer["images"].as_array().unwrap();
    assert_eq!(images.len(), 3);
    for (index, ((image, photo), (ext, kind))) in images.iter().zip(video.photos()).zip(kinds).enumerate() {
        assert_eq!((&image["width"], &image["height"]), (&json!(1080), &json!(1440 + index)));
        let token = image["token"].as_str().unwrap();
        assert_eq!(image["stream"], world.server.url(&format!("/stream?data={token}")));
        let file = fetch(world, &image["stream"]);
        assert_eq!(sha256(&file.body), photo.media.sha256());
        assert_eq!(file.header("content-type"), Some(kind));
        let number = index + 1;
        assert_eq!(name_of(&file), format!("A film of water #{id} [{id}].0{number}.{ext}"));
    }
    let text = answer.to_string();
    for secret in ["tiktokcdn", tiktok::CDN, video.chain_token(), "x-signature", "Referer", "null"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn images_are_files_like_any_other() {
    let world = world();
    let video = photos(world, 2);
    let asked = json!({"url": video.photo_url(), "filename": "%(uploader)s.%(ext)s"});
    let images = world.post("/extract", &asked).json()["images"].clone();
    let link = images[1]["stream"].as_str().unwrap();
    let bytes = fetch(world, &images[1]["stream"]).body;
    let head = client::request("HEAD", link, &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some(bytes.len().to_string().as_str())));
    let part = client::request("GET", link, &[("Range", "bytes=100-199")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, &bytes[100..200]));
    // No two images of a post have one name, whatever the template says.
    assert_eq!(name_of(&head), "sluice.02.webp");
    assert_eq!(name_of(&client::get(&format!("{link}&filename=mine"))), "mine.02.webp");
    assert_eq!(name_of(&client::get(&format!("{link}&filename={}", encode("%(id)s")))).len(), 19 + 8);
}

#[test]
fn a_post_of_photos_streams_its_sound() {
    let world = world();
    let video = photos(world, 2);
    let answer = world.get(&format!("/stream?url={}", encode(&video.photo_url())));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("audio/mpeg")));
    assert_eq!(sha256(&answer.body), video.media("audio").sha256());
}

#[test]
fn photos_need_no_sound() {
    let world = world();
    let video = TikTok::photos(&fresh_id(), 2).silent().install(&world.stage);
    let page = video.photo_url();
    let extraction = world.extract(&page);
    assert_eq!((&extraction["kind"], &extraction["formats"]), (&json!("photos"), &json!([])));
    assert!(extraction.get("default_format").is_none());
    let image = fetch(world, &extraction["images"][0]["stream"]);
    assert_eq!(sha256(&image.body), video.photos()[0].media.sha256());
    let answer = ask(world, &page);
    assert_eq!((&answer["status"], &answer["data"]["video_data"]), (&json!("picker"), &json!([])));
    assert!(answer.get("audio").is_none() && answer["download_link"].get("mp3").is_none());
    let stream = world.get(&format!("/stream?url={}", encode(&page)));
    assert_problem(&stream, 404, "format_unavailable");
    assert!(stream.json()["detail"].as_str().unwrap().contains("/extract lists the photos"));
    let chosen = world.get(&format!("/stream?url={}&format=best", encode(&page)));
    assert_problem(&chosen, 404, "format_unavailable");
}

#[test]
fn images_are_had_again_from_the_page() {
    let world = world();
    let video = photos(world, 3);
    let answer = world.extract(&video.photo_url());
    let avatar = ask(world, &video.photo_url())["author"]["avatar"].clone();
    video.move_photos(&world.stage);
    for (image, photo) in answer["images"].as_array().unwrap().iter().zip(video.photos()) {
        assert_eq!(sha256(&fetch(world, &image["stream"]).body), photo.media.sha256());
    }
    assert_eq!(fetch(world, &avatar).body.len(), 5000);
    // What does not fit into a token is looked up by its number.
    let padded = TikTok::photos(&fresh_id(), 3).cookie_padding(3500).install(&world.stage);
    let images = world.extract(&padded.photo_url())["images"].clone();
    assert_eq!(sha256(&fetch(world, &images[2]["stream"]).body), padded.photos()[2].media.sha256());
}

/// Every kind of short link, to `target`.
fn short_links(world: &World, target: &str) -> Vec<String> {
    let link = |host: &str, path: &str, status: u16| {
        tiktok::redirect(&world.stage, host, &path.replace('X', &fresh_id()), status, target)
    };
    vec![
        link("vm.tiktok.com", "/ZMX/", 301),
        link("vt.tiktok.com", "/ZSX", 302),
        link("www.tiktok.com", "/t/ZTX/", 301),
        link("www.tiktok.com", "/t/ZPX", 302),
    ]
}

#[test]
fn short_links_lead_to_posts_of_both_kinds() {
    let world = world();
    let (film, album) = (post().install(&world.stage), photos(world, 2));
    for (target, status, best) in [
        (film.page_url().to_owned(), "tunnel", film.media(BEST)),
        (album.photo_url(), "picker", album.media("audio")),
        (album.page_url().to_owned(), "picker", album.media("audio")),
    ] {
        // As the site adds them.
        for link in short_links(world, &format!("{target}?_r=1&_t=8abc")) {
            let answer = ask(world, &link);
            assert_eq!(answer["status"], status, "{link}");
            let first = &answer["data"]["video_data"][0]["url"];
            assert_eq!(sha256(&fetch(world, first).body), best.sha256(), "{link}");
            let extraction = world.extract(&link);
            assert_eq!(extraction["images"].as_array().map(Vec::len), (status == "picker").then_some(2));
            assert!(extraction["webpage_url"].as_str().unwrap().starts_with(&target), "{link}");
            let stream = world.get(&format!("/stream?url={}", encode(&link)));
            assert_eq!((stream.status, sha256(&stream.body)), (200, best.sha256()), "{link}");
        }
    }
}

#[test]
fn short_links_to_strangers_are_refused() {
    let world = world();
    world.stage.play("example.org", "/@sluice/photo/1", Reply::html("<video src=/a.mp4>"));
    for link in short_links(world, "https://example.org/@sluice/photo/1") {
        assert_seed_error(&world.post("/tiktok", &json!({"url": link})), 400, "unsupported_url");
        assert_problem(&world.post("/extract", &json!({"url": link})), 400, "unsupported_url");
        let stream = world.get(&format!("/stream?url={}", encode(&link)));
        assert_problem(&stream, 400, "unsupported_url");
    }
}
