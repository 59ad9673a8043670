//! Names of files: what a client asks for, and that neither it nor a site can make more than a name of it.

use crate::support::client::{self, Answer, encode};
use crate::support::stage::Stage;
use crate::support::stage::tiktok::{BEST, Video};
use crate::support::world::{assert_problem, assert_seed_error, format, post, world};
use serde_json::{Value, json};

/// Longest name in bytes.
const MAX_NAME: usize = 150;
/// Longest template in characters.
const MAX_TEMPLATE: usize = 500;
/// Longest token in bytes.
const MAX_TOKEN: usize = 4096;

/// A title that wants to be a header, a path, a program and something that reads backwards.
const HOSTILE: &str =
    "a \"b\\c%41\"; x=\r\nX-Evil: 1\r\n\r\n<html>\0 ../../etc/passwd \u{202e}\u{200b}4pm.exe\u{2066}";

/// The name that an answer gives its file, after checks that hold for every name.
#[track_caller]
fn name_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    for injected in ["x-evil", "set-cookie", "location"] {
        assert_eq!(answer.header(injected), None);
    }
    let named: Vec<_> = answer
        .headers
        .0
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-disposition"))
        .collect();
    assert_eq!(named.len(), 1);
    let (plain, extended) = named[0]
        .1
        .strip_prefix("attachment; filename=\"")
        .and_then(|rest| rest.split_once("\"; filename*=UTF-8''"))
        .unwrap_or_else(|| panic!("{}", named[0].1));
    assert!(plain.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\/%".contains(&byte)), "{plain:?}");
    assert_eq!(answer.header("x-filename"), Some(extended));
    let pair = format!("n={}", extended.replace('+', "%2B"));
    let name = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned();
    assert!(name.len() <= MAX_NAME, "{} bytes: {name}", name.len());
    assert_eq!(name.chars().count(), plain.chars().count());
    let forbidden = |char: char| {
        char.is_control()
            || "/\\:*?\"<>|".contains(char)
            || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    assert!(!name.contains(forbidden), "{name:?}");
    assert!(!name.starts_with(['.', '-', ' ']) && !name.ends_with(['.', ' ']), "{name:?}");
    name
}

fn id(video: &Video) -> &str {
    video.page_url().rsplit('/').next().unwrap()
}

fn by_page(video: &Video, template: &str) -> String {
    format!("/stream?url={}&filename={}", encode(video.page_url()), encode(template))
}

/// How often the stage served the post's page.
fn pages(stage: &Stage, video: &Video) -> usize {
    video.seen(stage).iter().filter(|seen| seen.path().contains("/video/73")).count()
}

/// The names behind all links of an answer of `/extract`.
fn names_of_all(extraction: &Value) -> Vec<String> {
    let formats = extraction["formats"].as_array().unwrap();
    let mut links: Vec<&str> = formats.iter().map(|format| format["stream"].as_str().unwrap()).collect();
    links.push(extraction["thumbnail"].as_str().unwrap());
    assert!(formats.iter().all(|format| format["token"].as_str().unwrap().len() <= MAX_TOKEN));
    links.into_iter().map(|link| name_of(&client::request("HEAD", link, &[], b""))).collect()
}

#[test]
fn a_template_names_the_file_of_a_page() {
    let world = world();
    let video = post().title("Schleuse \u{6c34} Süd").nickname("Gate Keeper").install(&world.stage);
    for (template, expected) in [
        ("%(title)s.%(ext)s", "Schleuse \u{6c34} Süd.mp4".to_owned()),
        ("%(title)s", "Schleuse \u{6c34} Süd.mp4".to_owned()),
        ("%(title).10s", "Schleuse \u{6c34}.mp4".to_owned()),
        ("%(title).11B", "Schleuse.mp4".to_owned()),
        ("%(uploader)s - %(channel)s", "sluice - Gate Keeper.mp4".to_owned()),
        ("%(upload_date)s_%(id)s", format!("20251001_{}.mp4", id(&video))),
        (
            "%(view_count)08d %(nope)s %(nope,nope|none)s %(nope,album)s",
            "00078000 NA none Locks and Weirs.mp4".to_owned(),
        ),
        ("%(format_id)s.%(height)d", format!("{BEST}.1920.mp4")),
        ("100%% mine", "100% mine.mp4".to_owned()),
        ("page.html", "page.html.mp4".to_owned()),
        ("con", "_con.mp4".to_owned()),
    ] {
        assert_eq!(name_of(&world.get(&by_page(&video, template))), expected, "{template}");
    }
    // As people type it: `%(` is no percent-encoding.
    let typed = format!("/stream?filename=%(uploader)s-%(title).3s.%(ext)s&url={}", video.page_url());
    assert_eq!(name_of(&world.get(&typed)), "sluice-Sch.mp4");
    // The extension and the type are the chosen format's.
    let audio = world.get(&format!("{}&format=audio", by_page(&video, "song.mp4")));
    assert_eq!(name_of(&audio), "song.mp4.mp3");
    assert_eq!(audio.header("content-type"), Some("audio/mpeg"));
    let default = name_of(&world.get(&by_page(&video, "")));
    assert_eq!(default, format!("Schleuse \u{6c34} Süd [{}].mp4", id(&video)));
    for nothing in [" ", "..", "%(nope|)s"] {
        assert_eq!(name_of(&world.get(&by_page(&video, nothing))), default, "{nothing:?}");
    }
}

#[test]
fn head_and_get_agree_on_names() {
    let world = world();
    let video = post().title(HOSTILE).install(&world.stage);
    let token = world.token(&video, "audio");
    for template in ["%(title)s", "mine \u{6c34}", "%(title).20B [%(id)s]"] {
        let by_token = format!("/stream?data={token}&filename={}", encode(template));
        for path in [by_page(&video, template), by_token] {
            let url = world.server.url(&path);
            let (head, get) = (client::request("HEAD", &url, &[], b""), client::get(&url));
            assert_eq!(name_of(&head), name_of(&get), "{path}");
            assert_eq!(head.header("content-disposition"), get.header("content-disposition"), "{path}");
        }
    }
}

#[test]
fn hostile_titles_stay_names() {
    let world = world();
    let long = "\u{1f31e}e\u{301}".repeat(1000);
    for title in [HOSTILE, "\u{202e}\u{200b}", "..", "CON", "/", &long] {
        let video = post().title(title).nickname(title).install(&world.stage);
        for template in
            ["", "%(title)s", "%(title)s.%(ext)s", "../%(channel)s/%(title).200B", "%(title)s\r\n%(id)s"]
        {
            let name = name_of(&world.get(&by_page(&video, template)));
            assert!(name.ends_with(".mp4"), "{title:?} by {template:?}: {name:?}");
        }
        let default = name_of(&world.get(&by_page(&video, "")));
        assert!(default.ends_with(&format!("{}].mp4", id(&video))), "{default:?}");
    }
}

#[test]
fn hostile_templates_stay_names() {
    let world = world();
    let video = post().install(&world.stage);
    let path = world.stream_path(&video, "audio");
    for template in [
        "a\r\nX-Evil: 1\r\n\r\n<script>",
        "a\"; filename=\"evil.exe",
        "a; filename*=UTF-8''evil.exe",
        "../../../etc/passwd",
        "..\\..\\evil",
        "C:evil",
        "\u{202e}3pm.exe",
        "a%%41",
        "a\0.exe",
        "\u{feff}\u{1f31e}",
    ] {
        for path in [format!("{path}&filename={}", encode(template)), by_page(&video, template)] {
            let name = name_of(&world.get(&path));
            assert!(name.ends_with(".mp3") || name.ends_with(".mp4"), "{template:?}: {name:?}");
        }
    }
    // Written out, so that nobody along the way has encoded it for us.
    let name = name_of(&world.get(&format!("{path}&filename=a%0d%0aX-Evil:%201%0d%0a%0d%0ab")));
    assert_eq!(name, "a X-Evil_ 1 b.mp3");
    // A broken encoding is a replacement character, not a failure.
    assert_eq!(name_of(&world.get(&format!("{path}&filename=%ff%c3"))), "\u{fffd}\u{fffd}.mp3");
}

#[test]
fn extractions_stamp_their_tokens() {
    let world = world();
    let video = post().title("Low water").install(&world.stage);
    let template = "%(format_id|cover)s of %(title)s.%(ext)s";
    let query = format!("/extract?url={}&filename={}", encode(video.page_url()), encode(template));
    let asked = json!({"url": video.page_url(), "filename": template});
    for extraction in [world.get(&query).json(), world.post("/extract", &asked).json()] {
        let names = names_of_all(&extraction);
        assert!(names.contains(&format!("{BEST} of Low water.mp4")), "{names:?}");
        assert!(names.contains(&"audio of Low water.mp3".to_owned()), "{names:?}");
        assert!(names.contains(&"cover of Low water.jpg".to_owned()), "{names:?}");
    }
    let tiktok = world.post("/tiktok", &asked).json();
    for video in tiktok["data"]["video_data"].as_array().unwrap() {
        let expected = format!(
            "{} of Low water.{}",
            video["format_id"].as_str().unwrap(),
            video["extension"].as_str().unwrap()
        );
        let link = video["url"].as_str().unwrap();
        assert_eq!(name_of(&client::request("HEAD", link, &[], b"")), expected);
    }
    let cover = client::get(tiktok["cover"].as_str().unwrap());
    assert_eq!(name_of(&cover), "cover of Low water.jpg");
    // A token brings its name with it: nothing is extracted for it.
    let before = pages(&world.stage, &video);
    name_of(&client::get(tiktok["audio"].as_str().unwrap()));
    assert_eq!(pages(&world.stage, &video), before);
}

#[test]
fn tokens_can_be_renamed() {
    let world = world();
    let video = post().title("Low water").install(&world.stage);
    let path = world.stream_path(&video, "audio");
    assert_eq!(pages(&world.stage, &video), 1);
    assert_eq!(name_of(&world.get(&format!("{path}&filename=mine"))), "mine.mp3");
    assert_eq!(name_of(&world.get(&format!("{path}&filename=mine.mp3"))), "mine.mp3");
    assert_eq!(
        name_of(&world.get(&format!("{path}&filename=.."))),
        format!("Low water [{}].mp3", id(&video))
    );
    assert_eq!(pages(&world.stage, &video), 1, "a literal needs no extraction");
    let answer = world.get(&format!("{path}&filename=%(title)s-%(acodec)s"));
    assert_eq!(name_of(&answer), "Low water-mp3.mp3");
    assert_eq!(answer.body.len() as u64, video.media("audio").len());
    assert_eq!(pages(&world.stage, &video), 1, "what the page says is still known");
}

#[test]
fn long_names_leave_tokens_short() {
    let world = world();
    let long = "\u{6c34}\u{1f31e}".repeat(MAX_TEMPLATE / 2);
    for padding in [0, 3500] {
        let video = post().title(&long).cookie_padding(padding).install(&world.stage);
        for template in [&long, "%(title)s%(title)s", "%(title)s [%(id)s]"] {
            let extraction = world.post("/extract", &json!({"url": video.page_url(), "filename": template}));
            let extraction = extraction.json();
            let names = names_of_all(&extraction);
            assert!(names.iter().all(|name| name.len() > MAX_NAME - 10), "{names:?}");
            let token = format(&extraction, "audio")["token"].as_str().unwrap();
            let answer = world.get(&format!("/stream?data={token}"));
            assert!(name_of(&answer).ends_with(".mp3"));
            assert_eq!(answer.body.len() as u64, video.media("audio").len());
        }
    }
}

#[test]
fn what_is_no_template_is_refused_before_the_site_is_asked() {
    let world = world();
    let video = post().install(&world.stage);
    let page = video.page_url();
    let token = {
        let other = post().install(&world.stage);
        world.token(&other, "audio")
    };
    let long = "x".repeat(MAX_TEMPLATE + 1);
    for (template, piece) in [
        ("50% off", "`% `"),
        ("%s", "`%s`"),
        ("a%(title", "`%(title`"),
        ("%(title)q", "`%(title)q`"),
        ("%(upload_date>%Y)s", "`%(upload_date>%Y)s`"),
        ("%(__class__.x)s", "`%(__class__.x)s`"),
        ("%()s", "`%()s`"),
        (&long, "500 characters"),
    ] {
        let encoded = encode(template);
        for answer in [
            world.get(&by_page(&video, template)),
            world.get(&format!("/stream?data={token}&filename={encoded}")),
            world.get(&format!("/extract?url={}&filename={encoded}", encode(page))),
            world.post("/extract", &json!({"url": page, "filename": template})),
        ] {
            assert_problem(&answer, 400, "bad_request");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(piece), "{piece} in {detail}");
        }
        let seed = world.post("/tiktok", &json!({"url": page, "filename": template}));
        assert_seed_error(&seed, 400, "bad_request");
        let head = client::request("HEAD", &world.server.url(&by_page(&video, template)), &[], b"");
        assert_eq!((head.status, head.body.len()), (400, 0));
    }
    let huge = "%(title)s".repeat(1200);
    let answer = world.post("/extract", &json!({"url": page, "filename": huge}));
    assert_problem(&answer, 400, "bad_request");
    assert!(answer.body.len() < 1000, "{}", answer.text());
    assert_problem(&world.get(&by_page(&video, &huge)), 414, "uri_too_long");
    for value in [json!(5), json!(["x"]), json!({"a": "b"}), json!(true)] {
        let answer = world.post("/extract", &json!({"url": page, "filename": value}));
        assert_problem(&answer, 400, "bad_request");
    }
    assert_eq!(video.seen(&world.stage).len(), 0);
    name_of(&world.get(&by_page(&video, "%(title)s")));
    assert_ne!(video.seen(&world.stage).len(), 0);
}
