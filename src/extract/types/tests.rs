use serde_json::json;

use super::*;

fn extraction() -> Extraction {
    let file = |name: &str| json!({"ext": "vtt", "by": "file", "url": format!("https://a.example/{name}")});
    let automatic = json!({"ext": "vtt", "by": "file", "automatic": true, "url": "https://a.example/made"});
    serde_json::from_value(json!({
        "kind": "video",
        "formats": [
            {"format_id": "list", "url": "https://a.example/a.m3u8", "by": "hls", "hls": {"segment_query": "t=1"}},
            {"format_id": "parts", "url": "https://a.example/a.mpd", "by": "fragments", "fragments": {
                "base": "https://a.example/", "prefix": "p", "suffix": ".m4s", "lines": "1\n2"}},
            {"format_id": "one", "url": "https://a.example/a.mp4", "by": "file", "quality": 3},
            {"format_id": "none", "url": "https://a.example/a.mhtml"},
        ],
        "subtitles": {"en": [file("first"), automatic, file("second")]},
    }))
    .unwrap()
}

#[test]
fn what_can_be_streamed_says_how() {
    let extraction = extraction();
    let by = |id: &str| extraction.source(&Item::Format(id.into())).map(|(_, by, _)| by);
    assert_eq!(["list", "parts", "one"].map(by), [By::Hls, By::Fragments, By::File].map(Some));
    assert_eq!(["none", "other"].map(by), [None; 2]);
    assert_eq!(extraction.formats[0].delivery.hls.segment_query.as_deref(), Some("t=1"));
    // What the selector gets holds what it may look at, and no lists.
    let text = serde_json::to_value(&extraction.formats).unwrap();
    assert_eq!((&text[0]["by"], &text[2]["quality"]), (&json!("hls"), &json!(3)));
    assert_eq!((text[0].get("hls"), text[1].get("fragments")), (None, None));
}

#[test]
fn files_of_subtitles_that_are_alike_are_told_apart() {
    let extraction = extraction();
    let url = |index| {
        let item = extraction.subtitle_item("en", index)?;
        extraction.source(&item).map(|(link, ..)| link.url.clone())
    };
    let found: Vec<_> = (0..4).filter_map(url).collect();
    assert_eq!(found, ["first", "made", "second"].map(|name| format!("https://a.example/{name}")));
    assert_eq!(extraction.items().filter(|item| matches!(item, Item::Subtitle { .. })).count(), 3);
}
