//! What is read, and what is written.

use super::*;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn shown(start: u64, end: u64, text: &str) -> Cue {
    Cue { start: ms(start), end: ms(end), text: text.into(), settings: String::new() }
}

const PLAIN: &str = "WEBVTT

intro
00:01.000 --> 00:02.500
Hello &amp; <i>welcome</i>

00:00:03.000 --> 00:00:04.000 align:start line:0
Two
<b>lines</b>, 1 &lt; 2

99:59:58.000 --> 99:59:59.999
<u>The end</u>
";

#[test]
fn reads_what_browsers_read() {
    let cues = parse_vtt(
        "\u{feff}WEBVTT - a title\r\nKind: captions\r\n\r\nSTYLE\r\n::cue { color: red }\r\n\r\nREGION\r\nid:r\r\n\r\n\
         NOTE nothing\r\nof this\r\n\r\nan id\r\n00:01.000 --> 00:02.000  line:0 \r\none\r\ntwo\r\n\r\n\
         1:00:00.000-->100:00:00.500\rthree\r\r\
         00:05.000 --> 00:06\nno milliseconds\n\n00:99.000 --> 00:99.500\nno such second\n\n\
         00:07.000 --> 00:08.000\nfour\n00:08.000 --> 00:09.000\n\n00:09.000 --> 00:10.000\nfive",
    );
    let expected = vec![
        Cue { settings: "line:0".into(), ..shown(1000, 2000, "one\ntwo") },
        shown(3_600_000, 360_000_500, "three"),
        shown(7000, 8000, "four"),
        shown(8000, 9000, ""),
        shown(9000, 10_000, "five"),
    ];
    assert_eq!(cues, Ok(expected));
}

#[test]
fn the_header_may_end_at_a_cue() {
    assert_eq!(parse_vtt("WEBVTT\n00:01.000 --> 00:02.000\na"), Ok(vec![shown(1000, 2000, "a")]));
    assert_eq!(parse_vtt("WEBVTT"), Ok(vec![]));
}

#[test]
fn what_is_no_webvtt_is_an_error() {
    for text in ["", "\nWEBVTT\n", "WEBVTTX\n", "webvtt\n", "<html>", "1\n00:00:01,000 --> 00:00:02,000\na\n"]
    {
        assert_eq!(parse_vtt(text), Err(CaptionError::NotVtt), "{text:?}");
    }
}

#[test]
fn reads_subrip_as_it_is_found() {
    let cues = parse_srt(
        "\u{feff}1\r\n00:00:01,000 --> 00:00:02,000  X1:0 X2:9\r\n{\\an8}<I>one</I> & <two>\r\n<font color=\"red\">three</font>\r\n\r\n\
         9\n0:00:03.000 --> 0:00:04.000\n<font>\nfour --> {five}\n5\n00:00:05,000 --> 00:00:06,000\nsix\nand more\n\n\nstray\n",
    );
    let expected = vec![
        shown(1000, 2000, "<i>one</i> &amp; &lt;two&gt;\nthree"),
        shown(3000, 4000, "four --&gt; {five}"),
        shown(5000, 6000, "six\nand more"),
    ];
    assert_eq!(cues, Ok(expected));
    assert_eq!(parse_srt(" \n"), Ok(vec![]));
    assert_eq!(parse_srt("<html>"), Err(CaptionError::NotSrt));
}

#[test]
fn subrip_has_numbers_commas_and_few_tags() {
    let text = "<v Ann>a</v> <b.loud>b</b> <c.yellow>c</c><00:01.000>\n \n<c>\n</c>&lt;d&gt; &#39;&#x41;&#10;&nbsp;&lrm;&no;&";
    let cues = [shown(0, 1, " <c></c>"), shown(1, 3_600_000, text), shown(2, 3, "e <b")];
    let expected = "1\n00:00:00,001 --> 01:00:00,000\na <b>b</b> c\n<d> 'A&#10;\u{a0}\u{200e}&no;&\n\n\
                    2\n00:00:00,002 --> 00:00:00,003\ne <b>\n\n";
    assert_eq!(to_srt(&cues), expected);
}

#[test]
fn each_form_becomes_the_other() {
    let srt = convert(&[PLAIN], Form::Vtt, Form::Srt).unwrap();
    let vtt = convert(&[&srt], Form::Srt, Form::Vtt).unwrap();
    let mut expected = parse_vtt(PLAIN).unwrap();
    expected[1].settings.clear();
    assert_eq!(parse_vtt(&vtt), Ok(expected));
    assert_eq!(convert(&[&vtt], Form::Vtt, Form::Srt).unwrap(), srt);
    assert_eq!(Form::of("srt"), Some(Form::Srt));
    assert_eq!(Form::of("ttml"), None);
}

#[test]
fn segments_are_joined_on_one_clock() {
    let segments = [
        // No map, no cue: not where the clock begins.
        "WEBVTT\n",
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:8589484592,LOCAL:00:00:00.000\n\n00:01.000 --> 00:05.000\ncut\n\n\
         00:04.000 --> 00:09.000\nwhole\n",
        "",
        // Five seconds later; the clock of 33 bits has begun anew.
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n00:00.000 --> 00:02.000\ncut\n\n",
        // The cues' own clock goes on, as the other does.
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:450000,LOCAL:00:00:10.000\n\n00:04.000 --> 00:09.000\nwhole\n\n\
         00:00:09.000 --> 00:00:12.000\nwhole\n\n00:12.000 --> 00:13.000\ncut\n",
        // A little back.
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:360000,LOCAL:00:00:00.000\n\n00:11.000 --> 00:12.000\nlast\n",
    ];
    let expected = vec![
        shown(1000, 7000, "cut"),
        shown(4000, 12_000, "whole"),
        shown(12_000, 13_000, "cut"),
        shown(20_000, 21_000, "last"),
    ];
    assert_eq!(join(&segments), Ok(expected));
}

#[test]
fn one_segment_is_as_it_is() {
    let twice = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\n00:01.000 --> 00:02.000\na\n\n00:01.000 --> 00:02.000\na\n";
    assert_eq!(join(&[twice]), Ok(vec![shown(1000, 2000, "a"); 2]));
    assert_eq!(join(&[twice, twice]), Ok(vec![shown(1000, 2000, "a")]));
    assert_eq!(join(&[twice, "<html>"]), Err(CaptionError::NotVtt));
    assert_eq!(join(&[""]), Err(CaptionError::NotVtt));
}

#[test]
fn ffmpeg_writes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("a.vtt"), folder.path().join("a.srt"));
    std::fs::write(&from, PLAIN).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test")]
    let ended =
        std::process::Command::new("ffmpeg").args(["-v", "error", "-i"]).args([&from, &to]).status().unwrap();
    assert!(ended.success());
    // It ends the lines inside a text as on Windows.
    let expected = std::fs::read_to_string(to).unwrap().replace("\r\n", "\n");
    assert_eq!(convert(&[PLAIN], Form::Vtt, Form::Srt).unwrap(), expected);
}
