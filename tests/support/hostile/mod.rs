//! The hostile corpus: pages of `tests/hostile/*.json` that attack whoever reads them, each with a harmless one of the
//! same shape beside it (its control), so that a page that fails only because everything does is noticed.
//!
//! A file is a list of cases:
//! - `name` (kebab-case, unique), `about` (what is attacked), `expect` (the stable error codes that are right; `ok`
//!   where an answer must come, in bounds), `gives` (what that answer holds), `requests` (the most that the case's
//!   hosts may be asked);
//! - `url` (what the client asks for, by default `/`) and `pages` (what the stage plays, see `page.rs`);
//! - `control`: `url`, `pages` and `gives` of the harmless one.
//!
//! `tests/hostile/measure.py` shows what each does to stock yt-dlp.
//!
//! Addresses that begin with `/` are on the case's own host: `NAME.hostile.example.net`, or `NAME.harmless.example.net`
//! of a control.

mod body;
mod page;

use super::stage::Stage;
use page::Page;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Where the data files are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile");

/// What `expect` holds where an answer must come.
pub const OK: &str = "ok";

/// A hostile page and its control.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    /// What it attacks.
    pub about: String,
    /// Its data file's name, without `.json`.
    pub family: String,
    pub scene: Scene,
    /// Error codes, any of which is right; [`OK`] for an answer that is one of [`Scene::gives`].
    pub expect: Vec<String>,
    /// The most requests that may reach [`Scene::hosts`].
    pub requests: Option<usize>,
    pub control: Scene,
}

/// What the stage plays, and what a client asks for.
#[derive(Debug)]
pub struct Scene {
    pub url: String,
    /// What the answer holds, where there is to be one.
    pub gives: Option<Gives>,
    pages: Vec<(String, String, Page)>,
}

/// What a good answer holds; what is not told may be anything.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gives {
    /// The least formats.
    pub formats: Option<usize>,
    /// Exactly so many entries.
    pub entries: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    about: String,
    #[serde(default = "root")]
    url: String,
    pages: BTreeMap<String, Page>,
    expect: Vec<String>,
    gives: Option<Gives>,
    requests: Option<usize>,
    control: RawControl,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawControl {
    #[serde(default = "root")]
    url: String,
    pages: BTreeMap<String, Page>,
    gives: Gives,
}

fn root() -> String {
    "/".to_owned()
}

/// The whole corpus, in order of file names. Panics at what is not of the shape above.
pub fn cases() -> Vec<Case> {
    let files = std::fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|it| it == "json")).collect();
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Case> {
    let family = file.file_stem().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let cases: Vec<RawCase> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{family}.json: {error}"));
    cases.into_iter().map(|raw| Case::new(raw, family)).collect()
}

impl Case {
    fn new(raw: RawCase, family: &str) -> Case {
        let control = raw.control;
        Case {
            family: family.to_owned(),
            scene: Scene::new(&format!("{}.hostile.example.net", raw.name), &raw.url, raw.pages, raw.gives),
            control: Scene::new(
                &format!("{}.harmless.example.net", raw.name),
                &control.url,
                control.pages,
                Some(control.gives),
            ),
            name: raw.name,
            about: raw.about,
            expect: raw.expect,
            requests: raw.requests,
        }
    }

    /// Plays the hostile pages.
    pub fn install(&self, stage: &Stage) {
        self.scene.install(stage);
    }

    /// What a program that is not Rust needs in order to ask for it.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "family": self.family,
            "about": self.about,
            "url": self.scene.url,
            "expect": self.expect,
            "gives": self.scene.gives.map(Gives::json),
            "requests": self.requests,
            "control": {"url": self.control.url, "gives": self.control.gives.map(Gives::json)},
        })
    }
}

impl Scene {
    fn new(host: &str, url: &str, pages: BTreeMap<String, Page>, gives: Option<Gives>) -> Scene {
        let pages = pages.into_iter().map(|(place, page)| {
            let place = if place.starts_with('/') { format!("{host}{place}") } else { place };
            let slash = place.find('/').unwrap_or_else(|| panic!("{place} has no path"));
            (place[..slash].to_owned(), place[slash..].to_owned(), page)
        });
        let url = if url.starts_with('/') { format!("https://{host}{url}") } else { url.to_owned() };
        Scene { url, gives, pages: pages.collect() }
    }

    /// Plays the pages, in place of earlier ones of the same addresses.
    pub fn install(&self, stage: &Stage) {
        for (host, path, page) in &self.pages {
            page.install(stage, host, path);
        }
    }

    /// The hosts that it plays.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.pages.iter().map(|(host, ..)| host.as_str())
    }

    /// Its pages: their place on the stage and the bytes of their longest body, made once and thrown away. One that
    /// does not end counts as `u64::MAX`.
    pub fn sizes(&self) -> impl Iterator<Item = (String, u64)> {
        self.pages.iter().map(|(host, path, page)| (format!("{host}{path}"), page.size()))
    }
}

impl Gives {
    fn json(self) -> Value {
        json!({"formats": self.formats, "entries": self.entries})
    }
}
