//! What yt-dlp says, in the server's log.

use crate::support::client::{self, encode};
use crate::support::rogue::Rogue;

#[test]
fn what_yt_dlp_says_carries_the_request_that_asked_for_it() {
    for (level, wanted) in [("debug", ["WARN", "DEBUG"].as_slice()), ("info", &["WARN"])] {
        let world = Rogue::with(&[("LOG", level)]);
        let url = world.server.url(&format!("/extract?url={}", encode(&Rogue::page("warn", level))));
        let answer = client::get(&url);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.header("x-request-id").unwrap();
        world.server.wait_for_log("answered");
        // From the cache: nothing is said anew.
        assert_eq!(client::get(&url).json()["cached"], true);
        let log = world.server.log();
        let said: Vec<&String> = log.iter().filter(|line| line.contains("canary")).collect();
        let texts = ["canary warning", "canary information"];
        assert_eq!(said.len(), wanted.len(), "{said:#?}");
        let id = format!("id=\"{id}\"");
        for (level, text) in wanted.iter().zip(texts) {
            let line = said.iter().find(|line| line.contains(text)).unwrap();
            for part in [level, "yt_dlp", id.as_str()] {
                assert!(line.contains(part), "{part} in {line}");
            }
        }
    }
}
