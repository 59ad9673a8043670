//! Sites of HLS and DASH as their extractors see them: Cloudflare Stream, Picarto and Reddit.
//!
//! The shapes follow yt-dlp's `cloudflarestream.py`, `picarto.py` and `reddit.py`. What is in their manifests is the
//! caller's: a file is put below the manifest's folder by its name.

use super::media::Media;
use super::{Reply, Stage};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Name → bytes.
pub type Files = BTreeMap<String, Bytes>;

/// Puts files below a folder.
fn serve(stage: &Stage, host: &str, folder: &str, files: &Files) {
    for (name, bytes) in files {
        let reply = Reply::media(&Media::of(bytes.clone())).content_type(kind(name)).no_head();
        stage.play(host, &format!("{folder}{name}"), reply);
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("m3u8") => "application/x-mpegURL",
        Some("mpd") => "application/dash+xml",
        Some("ts") => "video/mp2t",
        _ => "video/mp4",
    }
}

/// Where Cloudflare Stream has its manifests.
pub const CLOUDFLARE: &str = "cloudflarestream.com";

/// Puts a film on Cloudflare Stream: `video.m3u8` and `video.mpd` are its manifests; either may be missing. `id` has 32
/// hexadecimal digits. Gives its address.
pub fn cloudflare(stage: &Stage, id: &str, files: &Files) -> String {
    serve(stage, CLOUDFLARE, &format!("/{id}/manifest/"), files);
    stage.play(CLOUDFLARE, &format!("/{id}/thumbnails/thumbnail.jpg"), Reply::media(&Media::new(9, 5000)));
    format!("https://watch.cloudflarestream.com/{id}")
}

const PICARTO_API: &str = "ptvintern.picarto.tv";
/// Where Picarto's broadcasts are.
pub const PICARTO_EDGE: &str = "edge1-eu-west.picarto.tv";
/// Where Picarto's recordings are.
pub const PICARTO_RECORDINGS: &str = "recording-eu-1.picarto.tv";

/// Announces a broadcast of a channel whose playlist is somewhere else on [`PICARTO_EDGE`]. Gives its address. One
/// channel or recording at a time: all share one address that is told apart by its query alone.
pub fn picarto_live(stage: &Stage, channel: &str, playlist: &str) -> String {
    let stream = format!("golive+{channel}");
    let data = json!({
        "channel": {"adult": false, "id": "123", "online": true, "stream_name": stream, "title": "Painting"},
        "getLoadBalancerUrl": {"url": format!("http://{PICARTO_EDGE}")},
    });
    answer(stage, PICARTO_API, "/ptvapi", &json!({"data": data}));
    let source = json!({"type": "html5/application/vnd.apple.mpegurl", "url": format!("https://{PICARTO_EDGE}{playlist}")});
    answer(stage, PICARTO_EDGE, &format!("/stream/json_{stream}.js"), &json!({"source": [source]}));
    format!("https://picarto.tv/{channel}")
}

/// Puts a recording on Picarto: `index.m3u8` is its playlist. Gives its address.
pub fn picarto_recording(stage: &Stage, id: &str, files: &Files) -> String {
    let name = format!("ArtofZod_{id}.mkv");
    let video = json!({
        "id": id, "title": "Art of Zod", "adult": false, "file_name": name, "channel": {"name": "ArtofZod"},
        "video_recording_image_url": format!("https://{PICARTO_RECORDINGS}/stream/recordings/{id}.jpg"),
    });
    answer(stage, PICARTO_API, "/ptvapi", &json!({"data": {"video": video}}));
    serve(stage, PICARTO_RECORDINGS, &format!("/stream/hls/{name}/"), files);
    format!("https://picarto.tv/ArtofZod/videos/{id}")
}

/// Where Reddit has its films.
pub const REDDIT_FILMS: &str = "v.redd.it";

/// Puts a post with a film on Reddit: `HLSPlaylist.m3u8` and `DASHPlaylist.mpd` are its manifests, and
/// `DASH_220.mp4` the file without sound that it falls back to. Gives its address.
pub fn reddit(stage: &Stage, post: &str, id: &str, files: &Files) -> String {
    let slug = format!("/r/videos/comments/{post}");
    let cookie = "loid=abc; Domain=.reddit.com; Path=/; Secure";
    stage.play("old.reddit.com", "/", Reply::html("<!DOCTYPE html><title>reddit</title>").cookie(cookie));
    let film = format!("https://{REDDIT_FILMS}/{id}");
    let video = json!({
        "fallback_url": format!("{film}/DASH_220.mp4?source=fallback"),
        "hls_url": format!("{film}/HLSPlaylist.m3u8?a=1767225600%2Cabc&amp;v=1&amp;f=sd"),
        "dash_url": format!("{film}/DASHPlaylist.mpd?a=1767225600%2Cabc&amp;v=1&amp;f=sd"),
        "height": 220, "width": 392, "bitrate_kbps": 800, "duration": 6, "is_gif": false,
        "transcoding_status": "completed",
    });
    let data = json!({
        "title": "That small heart attack.", "author": "Antw87", "subreddit": "videos", "ups": 100, "downs": 0,
        "num_comments": 7, "over_18": false, "created_utc": 1_501_941_939.0, "url": film,
        "secure_media": {"reddit_video": video}, "media": {"reddit_video": video},
    });
    let listing = json!([{"kind": "Listing", "data": {"children": [{"kind": "t3", "data": data}]}}]);
    answer(stage, "www.reddit.com", &format!("{slug}/.json"), &listing);
    serve(stage, REDDIT_FILMS, &format!("/{id}/"), files);
    format!("https://www.reddit.com{slug}/that_small_heart_attack/")
}

fn answer(stage: &Stage, host: &str, path: &str, value: &Value) {
    stage.play(host, path, Reply::text("application/json", value.to_string()));
}
