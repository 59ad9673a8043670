//! YouTube as its extractor sees it: a page, a player with challenges in it, and media that only their solutions open.
//!
//! The shape follows yt-dlp's `youtube/_video.py`, and the player what `yt-dlp-ejs` reads of one. The solutions are
//! computed here a second time, by what the player's source says, so that nobody's solver is compared with itself.

use super::media::Media;
use super::{Reply, Stage};
use serde_json::{Value, json};

/// Where pages, the player and its interface live.
pub const PAGES: &str = "www.youtube.com";
/// Where media lives, as one of the many hosts of that kind.
pub const MEDIA: &str = "rr3---sn-4g5e6nsz.googlevideo.com";

/// The player. Its functions are written again below.
const PLAYER: &str = include_str!("youtube/base.js");
const PLAYER_PATH: &str = "/s/player/5ec1a7e0/player_ias.vflset/en_US/base.js";
/// What the links hold before they are solved, as the player's functions take it.
const SIGNATURE: &str = "AJfQdSswRgIhAPq3xZ7mVtWc0LkYb9E2uNsTgHd5Xo1iR8vMwKpJfUQeAiEA6yCzBnDl4tGrOhSa";
pub const N: &str = "k3xq_z-7hfq2wm9r";

/// Formats: itag, type, codecs, height and whether a signature is asked for.
const LADDER: [(u32, &str, &str, Option<u32>, bool); 3] = [
    (18, "video/mp4", "avc1.42001E, mp4a.40.2", Some(360), true),
    (137, "video/mp4", "avc1.640028", Some(1080), true),
    (140, "audio/mp4", "mp4a.40.2", None, false),
];

/// A video.
pub struct Video {
    id: String,
    films: Vec<(u32, Media)>,
    /// Language and kind of each.
    captions: Vec<(String, Option<String>)>,
}

impl Video {
    /// Puts a video of three formats on the stage. `id` has eleven characters.
    pub fn install(stage: &Stage, id: &str) -> Video {
        Video::captioned(stage, id, &[])
    }

    /// The same with subtitles: language, kind (`asr`: made by a machine) and text.
    pub fn captioned(stage: &Stage, id: &str, captions: &[(&str, Option<&str>, &str)]) -> Video {
        assert_eq!(id.len(), 11);
        let films = LADDER.map(|(itag, ..)| (itag, Media::new(u64::from(itag), 30_000 + u64::from(itag))));
        let named =
            captions.iter().map(|(language, kind, _)| ((*language).to_owned(), kind.map(str::to_owned)));
        let video = Video { id: id.to_owned(), films: films.to_vec(), captions: named.collect() };
        for (language, _, text) in captions {
            // Real ones are told apart by the query; the stage tells them apart by the path.
            stage.play(PAGES, &format!("/api/timedtext/{id}/{language}"), Reply::text("text/vtt", *text));
        }
        let response = video.response();
        let ytcfg = json!({
            "PLAYER_JS_URL": PLAYER_PATH,
            "INNERTUBE_API_KEY": "AIza-of-the-stage",
            "INNERTUBE_CONTEXT": {"client": {"clientName": "WEB", "clientVersion": "2.20260708.00.00"}},
            "VISITOR_DATA": "Cgt2aXNpdG9yLW9mLXN0YWdl",
        });
        let data = json!({"contents": {"twoColumnWatchNextResults": {}}});
        let page = format!(
            "<html><script>ytcfg.set({ytcfg});</script><script>var ytInitialPlayerResponse = {response};</script>\
             <script>var ytInitialData = {data};</script></html>"
        );
        stage.play(PAGES, "/watch", Reply::html(page));
        stage.play(PAGES, PLAYER_PATH, Reply::text("text/javascript", PLAYER));
        stage.play(PAGES, "/youtubei/v1/player", Reply::text("application/json", response.to_string()));
        for ((itag, media), (_, mime, _, _, signed)) in video.films.iter().zip(LADDER) {
            let reply = Reply::media(media).content_type(mime).needs_query("n", &solved_n(N));
            let reply = if signed { reply.needs_query("sig", &solved_signature(SIGNATURE)) } else { reply };
            stage.play(MEDIA, &film_path(*itag), reply);
        }
        video
    }

    /// The address that a client gives.
    pub fn page_url(&self) -> String {
        format!("https://{PAGES}/watch?v={}", self.id)
    }

    /// The formats, as their ids, with what each streams.
    pub fn films(&self) -> impl Iterator<Item = (String, &Media)> {
        self.films.iter().map(|(itag, media)| (itag.to_string(), media))
    }

    fn response(&self) -> Value {
        let formats: Vec<Value> =
            self.films.iter().zip(LADDER).map(|(film, row)| format(film, row)).collect();
        let (whole, parts) = formats.split_at(1);
        json!({
            "playabilityStatus": {"status": "OK"},
            "videoDetails": {
                "videoId": self.id, "title": "A film of water", "lengthSeconds": "30", "channelId": "UCstage",
                "author": "Sluice Gate", "isLiveContent": false,
            },
            "streamingData": {"formats": whole, "adaptiveFormats": parts},
            "captions": {"playerCaptionsTracklistRenderer": {"captionTracks": self.caption_tracks()}},
        })
    }

    fn caption_tracks(&self) -> Vec<Value> {
        let track = |(language, kind): &(String, Option<String>)| {
            let mut track = json!({
                "baseUrl": format!("https://{PAGES}/api/timedtext/{}/{language}?v={}&lang={language}", self.id, self.id),
                "name": {"simpleText": language}, "languageCode": language, "vssId": format!(".{language}"),
            });
            if let Some(kind) = kind {
                track["kind"] = json!(kind);
                track["vssId"] = json!(format!("a.{language}"));
            }
            track
        };
        self.captions.iter().map(track).collect()
    }
}

fn format((itag, media): &(u32, Media), row: (u32, &str, &str, Option<u32>, bool)) -> Value {
    let (_, mime, codecs, height, signed) = row;
    let url = format!("https://{MEDIA}{}?expire=4102444800&itag={itag}&n={N}", film_path(*itag));
    let link = match signed {
        true => {
            let mut cipher = url::form_urlencoded::Serializer::new(String::new());
            cipher.append_pair("s", SIGNATURE).append_pair("sp", "sig").append_pair("url", &url);
            ("signatureCipher", cipher.finish())
        }
        false => ("url", url),
    };
    let mut format = json!({
        "itag": itag, "mimeType": format!("{mime}; codecs=\"{codecs}\""), "bitrate": 500_000,
        "contentLength": media.len().to_string(), "quality": "medium", "approxDurationMs": "30000",
    });
    format[link.0] = json!(link.1);
    if let Some(height) = height {
        format["height"] = json!(height);
        format["width"] = json!(height * 16 / 9);
        format["qualityLabel"] = json!(format!("{height}p"));
    }
    format
}

/// Real ones are all called the same; the stage tells films apart by their paths.
fn film_path(itag: u32) -> String {
    format!("/videoplayback/{itag}")
}

/// The player's `Sig`.
pub fn solved_signature(signature: &str) -> String {
    let mut chars: Vec<char> = signature.chars().collect();
    chars.swap(0, 7);
    chars.reverse();
    chars.drain(..3);
    chars.swap(0, 19);
    chars.reverse();
    chars.into_iter().collect()
}

/// The player's `Nth`.
pub fn solved_n(n: &str) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = n.as_bytes().to_vec();
    bytes.rotate_right(5);
    for (place, byte) in bytes.iter_mut().enumerate() {
        if let Some(at) = ALPHABET.iter().position(|letter| letter == byte) {
            *byte = ALPHABET[(at + place) % ALPHABET.len()];
        }
    }
    bytes.rotate_left(2);
    String::from_utf8(bytes).unwrap()
}
