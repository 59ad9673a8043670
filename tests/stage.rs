//! The stage as a program: a stand-in internet with one TikTok video, for the demo and for benchmarks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_imports
)]

#[path = "support/hostile/mod.rs"]
mod hostile;
#[path = "support/stage/mod.rs"]
mod stage;

use clap::{Arg, ArgAction, Command, value_parser};
use serde_json::{Map, Value, json};
use stage::tiktok::{BEST, TikTok, traps};
use stage::{Fault, Media, Options, Reply, Stage};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// The post that the program serves.
const VIDEO_ID: &str = "7300000000000000001";

/// Where it lists the corpus that it plays for `--hostile`, in the same way: see `Case::json`.
const CORPUS: (&str, &str) = ("stage.invalid", "/hostile");

/// For `--drip`: where a film comes in pieces of [`PIECE`] bytes with [`PAUSE`] between, and where it comes at once.
const DRIP: (&str, &str, &str) = ("drip.example.net", "/slowly", "/whole");
/// Bytes of that film: half an hour of pieces.
const FILM: u64 = 9_000_000;
const PIECE: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(200);

/// Where the program tells how many pages it has served for `--any-id`: `http://stage.invalid/pages`, through itself.
const CONTROL: (&str, &str) = ("stage.invalid", "/pages");

fn command() -> Command {
    Command::new("stage")
        .about("Plays one TikTok video to whoever uses it as a proxy, until SIGTERM or SIGINT")
        .arg(
            value("port", "PORT")
                .default_value("0")
                .value_parser(value_parser!(u16))
                .help("0 takes a free one"),
        )
        .arg(
            value("ca", "FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("Where to write the CA"),
        )
        .arg(
            value("size", "BYTES")
                .default_value("4000000")
                .value_parser(value_parser!(u64))
                .help("Size of the best format"),
        )
        .arg(
            value("delay-ms", "MS")
                .default_value("0")
                .value_parser(value_parser!(u64))
                .help("Delay of the page and of each head from the media servers"),
        )
        .arg(flag("any-id").help("Serve the same page and media for every video id"))
        .arg(flag("traps").help("Also serve pages that hold on to whoever asks: of @hang, @drip and @circle"))
        .arg(
            flag("hostile")
                .help("Also serve the hostile corpus, and list it at http://stage.invalid/hostile"),
        )
        .arg(
            flag("drip")
                .help("Also serve a film that comes in small pieces: https://drip.example.net/slowly"),
        )
        .arg(flag("demo").help("Also say on stderr what is being served"))
}

fn value(name: &'static str, what: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(what)
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn main() {
    let arguments = command().get_matches();
    let number = |name| *arguments.get_one::<u64>(name).unwrap();
    let (port, size) = (*arguments.get_one::<u16>("port").unwrap(), number("size"));
    let ca: &PathBuf = arguments.get_one("ca").unwrap();
    let stage = Stage::start_with(Options { port, remember: false, ..Options::default() });
    stage.write_ca(ca).unwrap();
    if arguments.get_flag("traps") {
        traps::install(&stage);
    }
    if arguments.get_flag("hostile") {
        play_corpus(&stage);
    }
    if arguments.get_flag("drip") {
        let film = Media::new(11, FILM);
        let slow = Reply::media(&film).fault(Fault::Slow { chunk: PIECE, pause: PAUSE });
        stage.play(DRIP.0, DRIP.1, slow.content_type("video/mp4"));
        stage.play(DRIP.0, DRIP.2, Reply::media(&film));
    }
    let film = TikTok::video(VIDEO_ID)
        .title("Water through a gate")
        .size(size)
        .delay(Duration::from_millis(number("delay-ms")));
    let video =
        if arguments.get_flag("any-id") { film.install_for_any_id(&stage) } else { film.install(&stage) };
    let counted = video.clone();
    stage.play_below(CONTROL.0, CONTROL.1, move |_| {
        Reply::text("text/plain", counted.any_pages().to_string())
    });
    let sums: Map<String, Value> =
        video.formats().iter().map(|it| (it.format_id.clone(), json!(it.media.sha256()))).collect();
    let ca = std::fs::canonicalize(ca).unwrap();
    println!(
        "{}",
        json!({
            "proxy": stage.proxy_url(),
            "ca": ca,
            "page": video.page_url(),
            "sha256": sums,
            "size": size,
            "default": BEST
        })
    );
    if arguments.get_flag("demo") {
        eprintln!("the stage serves {} ({} bytes) through {}", video.page_url(), size, stage.proxy_url());
    }
    wait_for_signal();
}

fn play_corpus(stage: &Stage) {
    let cases = hostile::cases();
    for case in &cases {
        case.install(stage);
        case.control.install(stage);
    }
    let list: Vec<Value> = cases.iter().map(hostile::Case::json).collect();
    stage.play(CORPUS.0, CORPUS.1, Reply::text("application/json", json!(list).to_string()));
}

#[tokio::main(flavor = "current_thread")]
async fn wait_for_signal() {
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let mut interrupt = signal(SignalKind::interrupt()).unwrap();
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
}
