//! Subtitles that are made up to come far.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Lines that files hold, or nearly.
fn line() -> impl Strategy<Value = String> {
    let time = prop_oneof![
        6 => (0..3_u32, 0..61_u32, 0..1000_u32).prop_map(|(m, s, ms)| format!("{m:02}:{s:02}.{ms:03}")),
        2 => (0..12_u32, 0..60_u32).prop_map(|(h, s)| format!("{h}:00:{s:02},000")),
        1 => "[0-9]{1,21}:[0-9]{2}:[0-9]{2}[.,][0-9]{3}",
        1 => "[0-9:.,-]{0,12}",
    ];
    let settings = select(vec!["", " ", " line:0", "\talign:start position:5% ", " -->", "x"]);
    let arrow = select(vec![" --> ", "-->", "\t--> ", " -> "]);
    let timings = (time.clone(), arrow, time.clone(), settings)
        .prop_map(|(start, arrow, end, settings)| format!("{start}{arrow}{end}{settings}"));
    let known = select(vec![
        "",
        "",
        "",
        " ",
        "WEBVTT",
        "NOTE",
        "STYLE",
        "REGION",
        "7",
        "a",
        "b",
        "<i>a</i>",
        "<font color=red>",
        "&amp;",
        "{\\an8}",
    ]);
    let map = (prop_oneof![0..(1_u64 << 34), any::<u64>()], time)
        .prop_map(|(ticks, time)| format!("X-TIMESTAMP-MAP=MPEGTS:{ticks},LOCAL:{time}"));
    prop_oneof![
        6 => timings,
        5 => known.prop_map(str::to_owned),
        1 => map,
        2 => "[-<>/&;{}\\\\biu#xamplt0-9 .\n]{0,16}",
        1 => "\\PC{0,12}",
    ]
}

fn file() -> impl Strategy<Value = String> {
    let head = select(vec!["WEBVTT\n", "WEBVTT\n\n", "\u{feff}WEBVTT x\r\n\r\n", "WEBVTT\n", ""]);
    (head, vec(line(), 0..24), select(vec!["\n", "\r\n", "\r"]))
        .prop_map(|(head, lines, end)| format!("{head}{}", lines.join(end)))
}

const FORMS: [Form; 2] = [Form::Vtt, Form::Srt];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn webvtt_that_is_read_again_is_the_same(text in file()) {
        if let Ok(cues) = parse_vtt(&text) {
            prop_assert_eq!(parse_vtt(&to_vtt(&cues)).unwrap(), cues);
        }
    }

    #[test]
    fn what_is_read_can_be_written_as_webvtt(segments in vec(file(), 0..5)) {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        for cues in [join(&segments), parse_srt(&segments.concat())].into_iter().flatten() {
            prop_assert_eq!(parse_vtt(&to_vtt(&cues)).unwrap(), cues);
        }
    }

    #[test]
    fn nothing_grows_beyond_the_bound(segments in vec(prop_oneof![4 => file(), 1 => any::<String>()], 0..5)) {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let bound = 5 * segments.concat().len() + "WEBVTT\n\n".len();
        for (from, to) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            if let Ok(text) = convert(&segments, FORMS[from], FORMS[to]) {
                prop_assert!(text.len() <= bound, "{} over {bound}", text.len());
            }
        }
    }
}
