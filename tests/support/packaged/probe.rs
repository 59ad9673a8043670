//! What is in a film, by ffmpeg's and ffprobe's word.

use super::ffmpeg::run;
use serde_json::Value;

/// A difference in time that only comes from the clocks of containers, in microseconds: a tick of MPEG's 90 kHz.
const TICK: i64 = 12;

/// The same between pictures and sound: MP4 says where they begin in milliseconds.
const LEAD: i64 = 1000;

/// Stands for the samples of a packet that may decode to anything.
const ANYTHING: &str = "";

/// The pictures and the sound of a film.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub picture: Track,
    pub sound: Track,
}

/// One stream, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Presentation and decoding time of each packet, in microseconds.
    pub times: Vec<(i64, i64)>,
    /// MD5 of each decoded picture, or of each packet's samples.
    pub frames: Vec<String>,
}

impl Track {
    fn start(&self) -> Option<i64> {
        self.times.iter().map(|(shown, _)| *shown).min()
    }

    /// Its times as they are since the earliest.
    fn since_start(&self) -> impl Iterator<Item = (i64, i64)> {
        let start = self.start().unwrap_or(0);
        self.times.iter().map(move |(shown, decoded)| (shown - start, decoded - start))
    }
}

impl Content {
    /// One after the other. A decoder of AAC mixes the first packet's samples with those before it, so those are not
    /// compared.
    pub fn then(mut self, next: &Content) -> Content {
        for (track, more) in [(&mut self.picture, &next.picture), (&mut self.sound, &next.sound)] {
            track.times.extend(&more.times);
            track.frames.extend(more.frames.iter().cloned());
        }
        let seam = self.sound.frames.len() - next.sound.frames.len();
        self.sound.frames[seam] = ANYTHING.to_owned();
        self
    }

    /// Its pictures alone.
    pub fn picture_alone(&self) -> Content {
        Content { picture: self.picture.clone(), sound: Track::default() }
    }

    /// Its sound alone.
    pub fn sound_alone(&self) -> Content {
        Content { picture: Track::default(), sound: self.sound.clone() }
    }

    /// Seconds `from..to`, where a second is a segment of `rate` pictures. The sound is left out: its packets do not
    /// end where the pictures' do.
    pub fn pictures_of(&self, seconds: std::ops::Range<usize>, rate: usize) -> Content {
        let part = seconds.start * rate..seconds.end * rate;
        let picture = Track {
            times: self.picture.times[part.clone()].to_vec(),
            frames: self.picture.frames[part].to_vec(),
        };
        Content { picture, sound: Track::default() }
    }

    /// How much later the sound begins, where there are both.
    fn lead(&self) -> i64 {
        self.sound.start().zip(self.picture.start()).map_or(0, |(sound, picture)| sound - picture)
    }

    /// Checks that every frame and sample is that of `wanted`, at the same time but for where the whole begins.
    #[track_caller]
    pub fn assert_is(&self, wanted: &Content, what: &str) {
        let tracks = [("picture", &self.picture, &wanted.picture), ("sound", &self.sound, &wanted.sound)];
        for (name, found, wanted) in tracks {
            let counts = |track: &Track| (track.times.len(), track.frames.len());
            assert_eq!(counts(found), counts(wanted), "{what}: packets and frames of its {name}");
            for (at, (here, there)) in found.frames.iter().zip(&wanted.frames).enumerate() {
                assert!(here == there || there == ANYTHING, "{what}: frame {at} of its {name} is another");
            }
            for (at, (here, there)) in found.since_start().zip(wanted.since_start()).enumerate() {
                let near = (here.0 - there.0).abs() <= TICK && (here.1 - there.1).abs() <= TICK;
                assert!(near, "{what}: packet {at} of its {name} is at {here:?}, not {there:?}");
            }
        }
        let leads = (self.lead(), wanted.lead());
        assert!((leads.0 - leads.1).abs() <= LEAD, "{what}: its sound is off: {leads:?}");
    }
}

/// What a whole film holds.
pub fn content(film: &[u8]) -> Content {
    in_file(film, |folder| {
        let mut content = Content::default();
        let asked =
            ["-v", "error", "-show_entries", "packet=codec_type,pts_time,dts_time", "-of", "json", "film"];
        let packets: Value = serde_json::from_slice(&run(folder, "ffprobe", &asked)).unwrap();
        for packet in packets["packets"].as_array().unwrap() {
            let time = |name: &str| microseconds(packet[name].as_str().unwrap_or_else(|| panic!("{packet}")));
            content.track(&packet["codec_type"] == "video").times.push((time("pts_time"), time("dts_time")));
        }
        let mut asked =
            vec!["-v", "error", "-nostdin", "-copyts", "-i", "film", "-map", "0:v?", "-map", "0:a?"];
        asked.extend([
            "-c:v",
            "rawvideo",
            "-c:a",
            "pcm_s16le",
            "-vsync",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ]);
        let text = String::from_utf8(run(folder, "ffmpeg", &asked)).unwrap();
        let video = text.lines().find_map(|line| line.strip_prefix("#media_type ")?.strip_suffix(": video"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            content.track(Some(fields[0]) == video).frames.push(fields[5].to_owned());
        }
        content
    })
}

impl Content {
    fn track(&mut self, picture: bool) -> &mut Track {
        if picture { &mut self.picture } else { &mut self.sound }
    }
}

/// Checks that ffmpeg decodes all of it and finds nothing to complain of.
#[track_caller]
pub fn decode_whole(film: &[u8]) {
    in_file(film, |folder| {
        run(folder, "ffmpeg", &["-v", "error", "-nostdin", "-xerror", "-i", "film", "-f", "null", "-"]);
    });
}

#[track_caller]
fn in_file<T>(bytes: &[u8], look: impl FnOnce(&std::path::Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("film"), bytes).unwrap();
    look(folder.path())
}

/// Of seconds with six decimals.
fn microseconds(seconds: &str) -> i64 {
    let (whole, part) = seconds.split_once('.').unwrap();
    assert_eq!(part.len(), 6, "{seconds}");
    format!("{whole}{part}").parse().unwrap()
}
