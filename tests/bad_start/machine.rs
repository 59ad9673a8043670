//! Disks that are full or read-only, no IPv6, and another time of day.

use super::{assert_whole_key, one_line, run};
use crate::support::client;
use crate::support::net::inside;
use crate::support::server::{self, TestServer};
use crate::support::stage::sha256;
use crate::support::stage::tiktok::BEST;
use crate::support::world::{World, post, token, world};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::process::Command;

/// What gives a process another clock (libfaketime(1)).
const OTHER_CLOCK: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[test]
fn disks() {
    inside("bad_start::machine::a_full_or_read_only_disk_leaves_nothing_half_written");
}

#[test]
#[ignore = "run by disks, on disks of its own"]
fn a_full_or_read_only_disk_leaves_nothing_half_written() {
    link_up();
    let disk = tempfile::tempdir().unwrap();
    let path = disk.path().to_str().unwrap();
    run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs", path]));
    let state = |expected: &str| {
        let ended = server::run(&[("STATE_DIR", path), ("LOG", "")], &["check", "--json"]);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "state");
        assert_eq!(check.unwrap()["state"], expected, "{report}");
    };
    state("ok");
    let filler = disk.path().join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    drop(file);
    let serves_from_memory = || {
        state("warn");
        let server = TestServer::spawn(&[("STATE_DIR", path)]);
        server.wait_for_log("memory only");
        assert_eq!(client::get(&server.url("/ready")).status, 200);
    };
    serves_from_memory();
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1, "only what fills it");
    fs::remove_file(&filler).unwrap();
    let remount = |mode: &str| run(Command::new("mount").args(["-o", &format!("remount,{mode}"), path]));
    remount("ro");
    serves_from_memory();
    remount("rw");
    drop(TestServer::spawn(&[("STATE_DIR", path)]));
    assert_whole_key(disk.path());
    // A key that is there is enough.
    remount("ro");
    state("ok");
    let server = TestServer::spawn(&[("STATE_DIR", path)]);
    assert!(server.log().iter().all(|line| !line.contains("memory only")));
}

fn link_up() {
    run(Command::new("ip").args(["link", "set", "lo", "up"]));
}

#[test]
fn a_host_without_ipv6() {
    inside("bad_start::machine::without_ipv6_the_other_is_served");
}

#[test]
#[ignore = "run by a_host_without_ipv6, in a network of its own"]
fn without_ipv6_the_other_is_served() {
    link_up();
    // It is there before, so that its end means something.
    TcpListener::bind("[::1]:0").unwrap();
    for part in ["all", "default", "lo"] {
        fs::write(format!("/proc/sys/net/ipv6/conf/{part}/disable_ipv6"), "1").unwrap();
    }
    TcpListener::bind("[::1]:0").unwrap_err();
    for hosts in ["127.0.0.1,::1", "0.0.0.0,::", "::1,127.0.0.1"] {
        let world = World::with(&[("HOST", hosts), ("PORT", "3021")]);
        let video = post().install(&world.stage);
        // Whichever the log has named first, it is by this one that clients come.
        let at = |path: &str| client::get(&format!("http://127.0.0.1:3021{path}"));
        let extraction = at(&format!("/extract?url={}", client::encode(video.page_url()))).json();
        let answer = at(&format!("/stream?data={}", token(&extraction, BEST)));
        assert_eq!((answer.status, sha256(&answer.body)), (200, video.media(BEST).sha256()), "{hosts}");
        let probe = server::run(&[("HOST", hosts), ("PORT", "3021"), ("LOG", "")], &["check", "--health"]);
        assert_eq!(probe.code, Some(0), "{probe:?}");
    }
    let line = one_line(&[("HOST", "::1")]);
    assert!(line.contains("can't listen on [::1]"), "{line}");
}

#[test]
fn a_clock_that_is_far_off_ends_nothing() {
    for day in ["1995-03-04", "2099-03-04"] {
        let faked = |command: Command| {
            let mut command = command;
            // Only the time of day: the other clocks are what waits are measured by.
            command.env("LD_PRELOAD", OTHER_CLOCK).env("FAKETIME", format!("@{day} 05:06:07"));
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("TZ", "UTC");
            command
        };
        let (proxy, ca) = (world().stage.proxy_url(), world().stage.ca_file().display().to_string());
        let server = TestServer::wrapped(&[("PROXY", &proxy), ("CA_FILE", &ca)], faked);
        let video = post().install(&world().stage);
        let page = format!("/extract?url={}", client::encode(video.page_url()));
        let answer = client::get(&server.url(&page));
        assert_eq!(answer.status, 200, "{day}: {}", answer.text());
        // It is that day there.
        assert!(answer.header("date").unwrap().contains(&day[..4]), "{:?}", answer.header("date"));
        let secret = token(&answer.json(), BEST);
        let stream = client::get(&server.url(&format!("/stream?data={secret}")));
        assert_eq!(sha256(&stream.body), video.media(BEST).sha256(), "{day}");
        assert_eq!(client::get(&server.url("/ready")).status, 200);

        let home = tempfile::tempdir().unwrap();
        let mut check = faked(server::command(&[("LOG", "")], &["check", "--json"], home.path()));
        let report: Value = serde_json::from_slice(&check.output().unwrap().stdout).unwrap();
        let state = |name: &str| {
            let checks = report["checks"].as_array().unwrap();
            checks.iter().find(|check| check["name"] == name).unwrap()["state"].clone()
        };
        let expected = if day < "2000" { ("fail", "ok") } else { ("ok", "warn") };
        assert_eq!((state("clock"), state("yt-dlp")), (expected.0.into(), expected.1.into()), "{report}");
    }
}
