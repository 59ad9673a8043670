//! Nobody's cookies in anybody else's requests, answers or log lines.

use super::{SITES, wait_for_held};
use crate::support::client;
use crate::support::stage::streamable::{self, Clip, FILMS};
use crate::support::stage::tiktok::{self, CDN};
use crate::support::stage::{Fault, Reply, Seen};
use crate::support::world::{World, fresh_id, post};
use std::path::Path;

const JOBS: usize = 200;
const WORKERS: usize = 20;

/// How every canary begins. Long enough not to occur in a token by chance.
const CANARY: &str = "canary-of-one-job-";

/// Cookies of the operator.
const OPERATOR: &str = "operator";

/// A Netscape cookie file of the operator's.
fn write_cookies(path: &Path, value: &str) {
    let line = |domain: &str| format!("{domain}\tTRUE\t/\tTRUE\t0\t{OPERATOR}\t{value}\n");
    let text = [".tiktok.com", ".streamable.com"].map(line).concat();
    std::fs::write(path, format!("# Netscape HTTP Cookie File\n{text}")).unwrap();
}

/// A page that sets a cookie with a redirect before it shows itself, and with itself again.
struct Job {
    url: String,
    host: &'static str,
    cdn: &'static str,
    first: String,
    landed: String,
    canary: String,
}

impl Job {
    fn install(world: &World, number: usize) -> Job {
        let id = fresh_id();
        let landed = format!("/landed/{id}");
        let canary = format!("{CANARY}{id}");
        let (job, page) = if number.is_multiple_of(2) {
            let video = tiktok::TikTok::video(&id).install(&world.stage);
            let (url, first) = (video.page_url().to_owned(), video.path().to_owned());
            (Job { url, host: tiktok::PAGES, cdn: CDN, first, landed, canary }, video.page())
        } else {
            let clip = Clip::install(&world.stage, &id, 20_000);
            let (url, first) = (clip.page_url(), clip.path());
            (Job { url, host: streamable::API, cdn: FILMS, first, landed, canary }, clip.page())
        };
        let domain = job.host.split_once('.').unwrap().1;
        let cookie = |name: &str| format!("{name}_{id}={}; Domain=.{domain}; Path=/; Secure", job.canary);
        let to = format!("https://{}{}", job.host, job.landed);
        world.stage.play(job.host, &job.first, Reply::redirect(302, &to).cookie(&cookie("first")));
        world.stage.play(job.host, &job.landed, page.cookie(&cookie("second")).fault(Fault::HeldHead));
        job
    }

    /// Extracts the page and streams its last format. Gives the JSON.
    fn run(&self, world: &World) -> String {
        let answer = world.post("/extract", &serde_json::json!({"url": self.url}));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let extraction = answer.json();
        let last = extraction["formats"].as_array().unwrap().last().unwrap();
        let film = client::get(last["stream"].as_str().unwrap());
        assert_eq!((film.status, film.complete()), (200, true), "{}", film.text());
        answer.text()
    }
}

fn cookies(seen: &Seen) -> &str {
    seen.header("cookie").unwrap_or_default()
}

#[test]
fn two_hundred_jobs_at_once_keep_their_cookies_to_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cookies.txt");
    write_cookies(&file, "first");
    let world = World::with(&[
        ("COOKIES_PATH", file.to_str().unwrap()),
        ("MAX_WORKERS", &WORKERS.to_string()),
        ("MAX_QUEUE", &JOBS.to_string()),
    ]);
    let jobs: Vec<Job> = (0..JOBS).map(|number| Job::install(&world, number)).collect();
    let answers: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = jobs.iter().map(|job| scope.spawn(|| job.run(&world))).collect();
        for round in 1..=JOBS / WORKERS {
            // As many at once as there are workers, each with its cookie set.
            let landed = |seen: &&Seen| seen.path().starts_with("/landed/");
            world.stage.wait_for(|seen| seen.iter().filter(landed).count() == round * WORKERS);
            world.stage.release();
        }
        running.into_iter().map(|job| job.join().unwrap()).collect()
    });

    let seen = world.stage.seen();
    for job in &jobs {
        let of = |host: &str, path: &str| {
            let mut all = seen.iter().filter(|seen| seen.host == host && seen.path() == path);
            (all.next().unwrap_or_else(|| panic!("{host}{path}")), all.count())
        };
        let (first, more) = of(job.host, &job.first);
        assert_eq!((more, cookies(first).contains(CANARY)), (0, false), "{first:?}");
        let (landed, more) = of(job.host, &job.landed);
        assert_eq!((more, cookies(landed).contains(&job.canary)), (0, true), "{landed:?}");
        let of_stream =
            seen.iter().filter(|seen| seen.host == job.cdn && cookies(seen).contains(&job.canary));
        assert!(of_stream.count() >= 1, "no stream with {}", job.canary);
    }
    let mut streams = 0;
    for seen in &seen {
        assert!(cookies(seen).contains(&format!("{OPERATOR}=first")), "{seen:?}");
        let whole = format!("{} {:?}", seen.target, seen.headers);
        let own = jobs.iter().find(|job| seen.host == job.host && seen.path() == job.landed);
        let found = whole.matches(CANARY).count();
        match own {
            Some(job) => assert_eq!(whole.matches(&job.canary).count(), found, "{seen:?}"),
            None if seen.host == CDN || seen.host == FILMS => {
                // Two cookies, of one job.
                let owner = jobs.iter().find(|job| whole.contains(&job.canary)).unwrap();
                assert_eq!((found, whole.matches(&owner.canary).count()), (2, 2), "{seen:?}");
                let id = &owner.canary[CANARY.len()..];
                let key = format!("{:016x}", id.parse::<u64>().unwrap());
                assert!(seen.path().contains(id) || seen.path().contains(&key), "{seen:?}");
                streams += 1;
            }
            None => assert_eq!(found, 0, "{seen:?}"),
        }
    }
    assert_eq!(streams, JOBS);
    for answer in &answers {
        assert!(!answer.contains(CANARY), "{answer}");
    }
    assert_no_canary_in_log(&world);
    the_next_jobs_carry_nothing(&world);
    assert_no_canary_in_log(&world);
}

fn assert_no_canary_in_log(world: &World) {
    let log = world.server.log();
    assert!(log.iter().any(|line| line.contains("answered")), "nothing is logged");
    assert!(log.iter().any(|line| line.contains("yt_dlp")), "yt-dlp logs nothing");
    let found = log.iter().find(|line| line.contains(CANARY));
    assert_eq!(found, None);
}

/// On all the sessions that had canaries.
fn the_next_jobs_carry_nothing(world: &World) {
    let pages: Vec<_> = (0..WORKERS).map(|number| SITES[number % 2].1(world)).collect();
    std::thread::scope(|scope| {
        for page in &pages {
            page.hold(world);
            scope.spawn(|| world.extract(&page.url));
        }
        wait_for_held(world, WORKERS);
        world.stage.release();
    });
    for page in &pages {
        let seen = world.stage.seen_where(|seen| page.is(seen));
        assert_eq!(seen.len(), 1);
        assert_eq!(cookies(&seen[0]), format!("{OPERATOR}=first"), "{:?}", seen[0]);
    }
}

#[test]
fn the_operator_s_cookies_are_read_again_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cookies.txt");
    write_cookies(&file, "first");
    let world = World::with(&[("COOKIES_PATH", file.to_str().unwrap()), ("MAX_WORKERS", "1")]);
    for value in ["first", "second-value", "third"] {
        write_cookies(&file, value);
        let (bytes, modified) = (std::fs::read(&file).unwrap(), file.metadata().unwrap().modified().unwrap());
        for (handler, install) in SITES {
            let page = install(&world);
            page.show(&world, |reply| reply.cookie("theirs=1; Path=/").cookie("operator=stolen; Path=/"));
            world.extract(&page.url);
            let seen = world.stage.seen_where(|seen| page.is(seen));
            assert_eq!(cookies(&seen[0]), format!("{OPERATOR}={value}"), "{handler}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
        assert_eq!(file.metadata().unwrap().modified().unwrap(), modified);
    }
    // Gone, as it is for a moment while an editor replaces it: what was read last still counts.
    std::fs::remove_file(&file).unwrap();
    let video = post().install(&world.stage);
    world.extract(video.page_url());
    let page = video.seen(&world.stage).swap_remove(0);
    assert_eq!(cookies(&page), format!("{OPERATOR}=third"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file was written");
}
