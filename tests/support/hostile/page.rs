//! One page of a scene.
//!
//! An object with, all optional: `status` (200), `type` (`text/html; charset=utf-8`), `headers`, `body` (see `body.rs`),
//! `location` (a redirect there, 302 unless `status` says otherwise), one of the faults `drip_ms` (a byte, then that
//! pause), `stall_after` (silence after so many bytes), `late_ms` (the head comes so much later) and `held` (no head),
//! and `chunked`. Or a list of such objects:
//! one per request in turn, then from the start again.
//!
//! A path that ends with `*` is of all paths below; the number that stands there for the star is `{n}`, and the one
//! that follows it `{next}`, in `location` and body.

use super::super::stage::{Fault, Media, Reply, Stage};
use super::body::{Body, ENDLESS};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A page that answers always alike, or in turns.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Page {
    Turns(Vec<Answer>),
    Always(Answer),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    status: Option<u16>,
    #[serde(rename = "type", default = "html")]
    content_type: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    location: Option<String>,
    #[serde(default)]
    body: Body,
    #[serde(default)]
    chunked: bool,
    drip_ms: Option<u64>,
    stall_after: Option<u64>,
    late_ms: Option<u64>,
    #[serde(default)]
    held: bool,
}

fn html() -> String {
    "text/html; charset=utf-8".to_owned()
}

impl Page {
    pub(super) fn install(&self, stage: &Stage, host: &str, path: &str) {
        let prefix = path.strip_suffix('*');
        if let (Page::Always(answer), None) = (self, prefix) {
            return stage.play(host, path, answer.reply(0));
        }
        let answers = match self {
            Page::Always(answer) => vec![answer.clone()],
            Page::Turns(answers) => answers.clone(),
        };
        let turn = AtomicUsize::new(0);
        let prefix = prefix.unwrap_or(path).to_owned();
        stage.play_below(host, &prefix.clone(), move |path| {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            answers[turn % answers.len()].reply(path[prefix.len()..].parse().unwrap_or(0))
        });
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Page::Always(answer) => answer.size(),
            Page::Turns(answers) => answers.iter().map(Answer::size).max().unwrap(),
        }
    }
}

impl Answer {
    fn reply(&self, number: u64) -> Reply {
        let numbered = |text: &str| {
            text.replace("{n}", &number.to_string()).replace("{next}", &(number + 1).to_string())
        };
        let parts = self.body.parts(&numbered);
        let endless = parts.iter().any(|(_, times)| *times == ENDLESS);
        let status = self.status.unwrap_or(if self.location.is_some() { 302 } else { 200 });
        let mut reply = Reply::new(status, Media::tiled(parts)).content_type(&self.content_type);
        if let Some(location) = &self.location {
            reply = reply.header("Location", &numbered(location));
        }
        for (name, value) in &self.headers {
            reply = reply.header(name, value);
        }
        if endless || self.chunked {
            reply = reply.chunked();
        }
        let pause = |ms: u64| Duration::from_millis(ms);
        let faults = [
            self.drip_ms.map(|ms| Fault::Slow { chunk: 1, pause: pause(ms) }),
            self.stall_after.map(|after| Fault::Stall { after }),
            self.late_ms.map(|ms| Fault::LateHead(pause(ms))),
            self.held.then_some(Fault::HeldHead),
        ];
        // Of two the stage would play one.
        assert!(faults.iter().flatten().count() <= 1, "{faults:?}");
        match faults.into_iter().flatten().next() {
            Some(fault) => reply.fault(fault),
            None => reply,
        }
    }

    fn size(&self) -> u64 {
        Media::tiled(self.body.parts(&str::to_owned)).len()
    }
}
