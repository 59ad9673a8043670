//! The body of a page: a list of parts, sent one after the other.
//!
//! A part is a text; or `{"repeat": PART or [PARTS], "times": N or "endless"}`; or `{"each": TEXT, "times": N}`, which
//! counts from 1 in place of `{i}`; or `{"base64": TEXT}`, for what a compressor has made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

/// How often a part is repeated that has no end.
pub(super) const ENDLESS: u64 = u64::MAX;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Body(Vec<Part>);

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Part {
    Text(String),
    Repeat { repeat: Unit, times: Times },
    Each { each: String, times: u64 },
    Base64 { base64: String },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Unit {
    One(Box<Part>),
    Many(Vec<Part>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Times {
    So(u64),
    Word(Word),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Endless,
}

impl Body {
    /// Units, and how often each is sent; `numbered` fills in what a page's path says.
    pub(super) fn parts(&self, numbered: &impl Fn(&str) -> String) -> Vec<(Bytes, u64)> {
        self.0.iter().map(|part| part.unit(numbered)).collect()
    }
}

impl Part {
    fn unit(&self, numbered: &impl Fn(&str) -> String) -> (Bytes, u64) {
        match self {
            Part::Text(text) => (numbered(text).into(), 1),
            Part::Repeat { repeat, times } => {
                let parts = match repeat {
                    Unit::One(part) => std::slice::from_ref(&**part),
                    Unit::Many(parts) => parts,
                };
                let times = match times {
                    Times::So(times) => *times,
                    Times::Word(Word::Endless) => ENDLESS,
                };
                (whole(parts, numbered), times)
            }
            Part::Each { each, times } => {
                let all: String = (1..=*times).map(|i| each.replace("{i}", &i.to_string())).collect();
                (numbered(&all).into(), 1)
            }
            Part::Base64 { base64 } => (STANDARD.decode(base64).unwrap().into(), 1),
        }
    }
}

/// Parts inside a repeated one, which are held as they are: only the outermost repetition is made as it is sent.
fn whole(parts: &[Part], numbered: &impl Fn(&str) -> String) -> Bytes {
    let units = parts.iter().map(|part| part.unit(numbered));
    units.flat_map(|(unit, times)| std::iter::repeat_n(unit, times as usize)).flatten().collect()
}
