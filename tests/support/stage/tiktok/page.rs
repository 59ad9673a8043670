//! The HTML of a post: `__UNIVERSAL_DATA_FOR_REHYDRATION__` and about as much around it as the real page has.

use super::super::reply::{BOUND_TO, READER};
use super::{CDN, IMAGES};
use serde_json::{Value, json};

/// Size of a real page, in bytes.
const PAGE_BYTES: usize = 213_000;

/// Entries of the translation table that stands beside the post: about half of the page is JSON.
const TRANSLATIONS: usize = 1_400;

/// Length of the music that a post takes its sound from.
const MUSIC_SECONDS: u32 = 61;

/// Images of a post, by the words in their paths.
pub(super) const IMAGE_NAMES: [&str; 7] =
    ["cover", "origin", "dynamic", "avatar-thumb", "avatar-medium", "avatar-larger", "album"];

/// What a page says of one rendition.
#[derive(Debug)]
pub(super) struct Rendition {
    pub(super) format_id: String,
    /// Bits per second.
    pub(super) bitrate: u32,
    /// `DataSize`, in bytes.
    pub(super) said: u64,
    pub(super) url: String,
}

/// What a page says.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) id: String,
    /// Stands for the post in paths where its id does not.
    pub(super) key: String,
    pub(super) user: String,
    pub(super) nickname: String,
    pub(super) title: String,
    /// Unix time in seconds at which the media links end.
    pub(super) expires: u64,
    pub(super) renditions: Vec<Rendition>,
    pub(super) play: Option<String>,
    pub(super) download: Option<String>,
    pub(super) music: String,
    pub(super) photos: Vec<String>,
    /// Whether the media links are for who reads the page alone.
    pub(super) bound: bool,
    /// How much longer than usual the cookie is, in bytes.
    pub(super) cookie_padding: usize,
}

impl Item {
    pub(super) fn chain_token(&self) -> String {
        format!("chain{}token{}", self.key, "x".repeat(self.cookie_padding))
    }

    pub(super) fn media_url(&self, path: &str, mime: &str) -> String {
        let (expires, key) = (self.expires, &self.key);
        let bound = if self.bound { format!("&{BOUND_TO}={READER}") } else { String::new() };
        format!(
            "https://{CDN}{path}?a=1988&bti=ODszNWYuMDE6&ch=0&cr=3&dr=0&cd=0%7C0%7C0%7C&cv=1&cs=0&ds=6\
             &eid=256&expire={expires}&ft=4KJMyMzm8Zmo0&l=20251001{key}&mime_type={mime}&policy=2&qs=0\
             &rc=aDQ5NGU7Ojs0OjZlZTU6NEBpM3Q&signature={key}{key}&tk=tt_chain_token{bound}"
        )
    }

    pub(super) fn image_path(&self, name: &str) -> String {
        format!("/tos-useast5-p-0068-tx/{}-{name}.image", self.key)
    }

    /// The path of a photo: some end in what they are.
    pub(super) fn photo_path(&self, index: usize) -> String {
        let ext = ["jpeg", "webp", "image"][index % 3];
        format!("{}~tplv-photomode-image.{ext}", self.image_path(&format!("photo{index}")))
    }

    pub(super) fn image_url(&self, path: &str) -> String {
        format!("https://{IMAGES}{path}?x-expires={}&x-signature=stage%3D", self.expires)
    }

    fn image(&self, name: &str) -> String {
        self.image_url(&self.image_path(name))
    }

    fn author(&self) -> Value {
        json!({
            "id": "6800000000000000001",
            "uniqueId": self.user,
            "nickname": self.nickname,
            "secUid": "MS4wLjABAAAAsluice0stage0sec0uid",
            "avatarThumb": self.image("avatar-thumb"),
            "avatarMedium": self.image("avatar-medium"),
            "avatarLarger": self.image("avatar-larger"),
            "signature": "Water, all day",
            "verified": false,
            "privateAccount": false
        })
    }

    fn video(&self) -> Value {
        let film = self.photos.is_empty();
        let ladder: Vec<Value> = self.renditions.iter().map(|it| self.rendition(it)).collect();
        json!({
            "id": self.id,
            "duration": if film { 15 } else { 0 },
            "width": if film { 1080 } else { 0 },
            "height": if film { 1920 } else { 0 },
            "ratio": "1080p",
            "cover": self.image("cover"),
            "originCover": self.image("origin"),
            "dynamicCover": self.image("dynamic"),
            "playAddr": self.play.clone().unwrap_or_default(),
            "downloadAddr": self.download.clone().unwrap_or_default(),
            "bitrate": 2_800_000,
            "bitrateInfo": ladder,
            "subtitleInfos": []
        })
    }

    fn rendition(&self, rendition: &Rendition) -> Value {
        let id = &rendition.format_id;
        json!({
            "Bitrate": rendition.bitrate,
            "CodecType": id.split('_').next(),
            "GearName": format!("adapt_{id}"),
            "QualityType": 28,
            "PlayAddr": {
                "DataSize": rendition.said.to_string(),
                "FileHash": format!("{:032x}", rendition.said),
                "Uri": format!("v12044gd0000{}", self.key),
                "UrlKey": format!("v12044gd0000{}_{id}", self.key),
                // The second address is one that the extractor drops.
                "UrlList": [
                    rendition.url,
                    format!("https://www.tiktok.com/aweme/v1/play/?faid=1988&item_id={}&line=0", self.id)
                ]
            }
        })
    }

    fn item_struct(&self) -> Value {
        let mut item = json!({
            "id": self.id,
            "desc": self.title,
            "createTime": "1759312800",
            "video": self.video(),
            "author": self.author(),
            "music": {
                "id": "7100000000000000001",
                "title": "original sound",
                "authorName": "Sluice Gate",
                "playUrl": self.music,
                "coverLarge": self.image("album"),
                "duration": MUSIC_SECONDS,
                "album": "Locks and Weirs",
                "original": true
            },
            "stats": {
                "diggCount": 1200,
                "shareCount": 34,
                "commentCount": 56,
                "playCount": 78_000,
                "collectCount": "90"
            },
            "challenges": [{"title": "water"}],
            "isContentClassified": false,
            "privateItem": false
        });
        if !self.photos.is_empty() {
            let image = |(index, url): (usize, &String)| {
                let spare = url.replace(IMAGES, "p19-sign-va.tiktokcdn.com");
                json!({"imageURL": {"urlList": [url, spare]}, "imageWidth": 1080, "imageHeight": 1440 + index})
            };
            let images: Vec<Value> = self.photos.iter().enumerate().map(image).collect();
            item["imagePost"] = json!({"images": images, "title": self.title});
        }
        item
    }
}

/// The page of a post, padded to the size of a real one.
pub(super) fn html(item: &Item) -> String {
    page(&json!({
        "itemInfo": {"itemStruct": item.item_struct()},
        "shareMeta": {"title": item.title, "desc": "78K likes"},
        "statusCode": 0,
        "statusMsg": ""
    }))
}

/// The page of a post that is not shown.
pub(super) fn status_html(status_code: i64) -> String {
    page(&json!({"statusCode": status_code, "statusMsg": "status_stage"}))
}

fn page(detail: &Value) -> String {
    let words: serde_json::Map<String, Value> = (0..TRANSLATIONS)
        .map(|n| (format!("translation_key_{n:05}"), json!(format!("A line of the interface, number {n}"))))
        .collect();
    let data = json!({
        "__DEFAULT_SCOPE__": {
            "webapp.app-context": {"language": "en", "region": "US", "appId": 1988, "isMobile": false},
            "webapp.biz-context": {"os": "windows", "videoPlayerConfig": {"fallback": true}},
            "webapp.i18n-translation": words,
            "webapp.video-detail": detail
        }
    });
    // TikTok escapes slashes so that no `</script>` can stand in the data.
    let data = data.to_string().replace('/', "\\u002F");
    let mut html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"UTF-8\"/><title>TikTok - Make Your Day</title>\
         </head><body><div id=\"app\"></div>\
         <script id=\"__UNIVERSAL_DATA_FOR_REHYDRATION__\" type=\"application/json\">{data}</script>"
    );
    const TAIL: &str = "\"</script></body></html>";
    html.push_str("<script nonce=\"stage\">window.__bundle=\"");
    while html.len() + TAIL.len() + 32 <= PAGE_BYTES {
        html.push_str("function e(t,n){return t+n};var ");
    }
    html.push_str(&"-".repeat(PAGE_BYTES.saturating_sub(html.len() + TAIL.len())));
    html + TAIL
}
