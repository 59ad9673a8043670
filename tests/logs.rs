//! The log: one line for each request, which says what became of it, and nothing that lets others in.

use crate::support::client;
use crate::support::server::TestServer;
use crate::support::stage::Fault;
use crate::support::stage::tiktok::BEST;
use crate::support::world::{World, post, token};
use serde_json::{Value, json};
use std::process::Command;

/// The line of the request that has this answer's id.
fn line_of(world: &World, id: &str) -> String {
    world.wait_until(|| {
        let log = world.server.log();
        let ends = |line: &&String| line.contains(": answered ") || line.contains("\"message\":\"answered\"");
        let lines: Vec<_> = log.iter().filter(|line| line.contains(id)).filter(ends).collect();
        match lines[..] {
            [line] => Ok(line.clone()),
            _ => Err(lines.len()),
        }
    })
}

#[test]
fn each_request_has_one_line() {
    let world = World::with(&[("LOG", "info"), ("EGRESS", "")]);
    let video = post().size(70_000).install(&world.stage);
    let answer = world.post("/extract", &json!({"url": video.page_url()}));
    let line = line_of(&world, answer.header("x-request-id").unwrap());
    let bytes = format!("bytes={}", answer.body.len());
    for part in [
        "method=POST",
        "path=\"/extract\"",
        "status=200",
        &bytes,
        "client=127.0.0.1",
        "host=\"www.tiktok.com\"",
        "extractor=\"TikTok\"",
        "cache=\"miss\"",
        "millis=",
    ] {
        assert!(line.to_lowercase().contains(&part.to_lowercase()), "{part} in {line}");
    }
    let again = world.post("/extract", &json!({"url": video.page_url()}));
    assert!(line_of(&world, again.header("x-request-id").unwrap()).contains("cache=\"hit\""));
    let secret = token(&answer.json(), BEST);
    // Its line comes with the end of the stream, which breaks once.
    let cut = Fault::Cut { after: 30_000 };
    video.play(&world.stage, BEST, |reply| reply.faults([Some(cut)]));
    let stream = world.get(&format!("/stream?data={secret}"));
    assert_eq!(stream.body.len(), 70_000);
    let line = line_of(&world, stream.header("x-request-id").unwrap());
    for part in
        ["path=\"/stream\"", "status=200", "bytes=70000", "resumes=1", "token=\"", "host=\"www.tiktok.com\""]
    {
        assert!(line.contains(part), "{part} in {line}");
    }
    // One that breaks and does not go on has not resumed.
    let faults = [Some(Fault::Cut { after: 30_000 }), Some(Fault::Status(400))];
    video.play(&world.stage, BEST, |reply| reply.faults(faults));
    let broken = world.get(&format!("/stream?data={secret}"));
    assert!(!broken.complete());
    let line = line_of(&world, broken.header("x-request-id").unwrap());
    assert!(line.contains("status=200") && !line.contains("resumes="), "{line}");
    let head = client::request("HEAD", &world.server.url(&format!("/stream?data={secret}")), &[], b"");
    assert!(line_of(&world, head.header("x-request-id").unwrap()).contains("bytes=0 "));
    let refused = world.get("/stream?data=AAAA");
    let line = line_of(&world, refused.header("x-request-id").unwrap());
    assert!(line.contains("status=400") && line.contains("code=\"invalid_token\""), "{line}");
    for line in world.server.log() {
        assert!(!line.contains(&secret[..40]) && !line.contains("x-expires"), "{line}");
    }
}

#[test]
fn lines_of_json_are_that_and_text_of_strangers_stays_in_its_field() {
    let world = World::with(&[("LOG", "info"), ("LOG_FORMAT", "json")]);
    let evil = "https://www.example.net/%0A%7B%22level%22%3A%22ERROR%22%7D";
    let answer = world.get(&format!("/extract?url={}", client::encode(&format!("{evil}\n\"}}{{\u{1b}[31m"))));
    let id = answer.header("x-request-id").unwrap().to_owned();
    let line = line_of(&world, &id);
    let parsed: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&parsed["message"], &parsed["span"]["id"]), (&json!("answered"), &json!(id)));
    assert_eq!(parsed["status"], answer.status);
    for line in world.server.log() {
        let parsed: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| parsed[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"));
        assert!(humantime::parse_rfc3339(text("timestamp")).is_ok(), "{line}");
        assert!(["ERROR", "WARN", "INFO"].contains(&text("level")), "{line}");
        assert!(!text("message").is_empty() && !line.contains('\u{1b}'), "{line}");
    }
}

#[test]
fn plain_lines_hold_no_line_of_a_strangers() {
    let world = World::with(&[("LOG", "debug")]);
    let page = format!("https://www.example.net/{}", "\n2026-01-01T00:00:00Z ERROR forged");
    let answer = world.get(&format!("/extract?url={}", client::encode(&page)));
    line_of(&world, answer.header("x-request-id").unwrap());
    assert!(world.server.log().iter().all(|line| !line.starts_with("2026-01-01T00:00:00Z ERROR")));
}

/// Has a server warn of something, with `JOURNAL_STREAM` as the shell makes it of `stream`; gives its log.
fn log_with_journal(stream: &str) -> Vec<String> {
    let script = format!(r#"export JOURNAL_STREAM="{stream}"; exec "$0" "$@""#);
    let server = TestServer::wrapped(&[("COOKIES_PATH", "/nonexistent/cookies")], |command| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args()).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
    });
    server.log()
}

#[test]
fn the_journal_has_the_level_from_each_line() {
    let log = log_with_journal("$(stat -L -c %d:%i /proc/self/fd/2)");
    for line in &log {
        let (priority, rest) = line.split_at(3);
        let level = rest.split_whitespace().next().unwrap();
        let expected = match level {
            "ERROR" => "<3>",
            "WARN" => "<4>",
            "INFO" => "<6>",
            _ => "<7>",
        };
        assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line}");
        assert!(priority == expected && !line.contains('\u{1b}'), "{line}");
    }
    assert!(log.iter().any(|line| line.starts_with("<4>") && line.contains("cookies")), "{log:?}");
    // Who has inherited the name, and writes elsewhere.
    for line in log_with_journal("1:1") {
        let time = line.split_whitespace().next().unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok() && !line.contains('\u{1b}'), "{line}");
    }
}
