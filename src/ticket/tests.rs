use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::egress::Family;

#[expect(unreachable_pub, reason = "the integration tests have it, too")]
#[path = "../../tests/support/damage.rs"]
mod damage;

/// Tokens that were damaged at random, in all.
const DAMAGED: usize = 1_000_000;

fn sealer(secret: &str, ttl: u64) -> Sealer {
    let keys = vec![KeyMaterial::new(secret.as_bytes()).unwrap()];
    Sealer::new(&Settings { keys, ttl: Duration::from_secs(ttl) }).unwrap()
}

fn ticket() -> Ticket {
    Ticket {
        page: "https://www.tiktok.com/@a/video/1".into(),
        item: Item::Format("h264_540p".into()),
        filename: "été [1].mp4".into(),
        link: Some(Link {
            url: "https://cdn.example/video.mp4?expire=1".into(),
            headers: [("Referer".into(), "https://www.tiktok.com/".into())].into(),
            cookies: vec![Cookie {
                name: "tt_chain_token".into(),
                value: "abc".into(),
                domain: ".tiktok.com".into(),
                path: "/".into(),
                secure: true,
            }],
            chunk: None,
            not_before: None,
            no_resume: false,
            route: Route { egress: Some("11.0.0.2".into()), family: Some(Family::V4) },
        }),
    }
}

#[test]
fn opens_what_it_sealed() {
    let sealer = sealer("a secret of some length", 60);
    let token = sealer.seal(&ticket()).unwrap().unwrap();
    assert_eq!(sealer.open(&token).unwrap(), ticket());
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
}

#[test]
fn every_item_comes_back() {
    let sealer = sealer("a secret of some length", 60);
    let subtitle =
        |automatic, nth| Item::Subtitle { language: "en".into(), ext: "vtt".into(), automatic, nth };
    let subtitles = [(false, 0), (true, 0), (false, 3)].map(|(automatic, nth)| subtitle(automatic, nth));
    let others = [Item::Thumbnail, Item::Image(99), Item::Avatar(AvatarSize::Larger)];
    for item in others.into_iter().chain(subtitles) {
        let ticket = Ticket { item, ..ticket() };
        let token = sealer.seal(&ticket).unwrap().unwrap();
        assert_eq!(sealer.open(&token).unwrap(), ticket);
    }
}

#[test]
fn refuses_damage_in_any_character() {
    let sealer = sealer("a secret of some length", 60);
    let token = sealer.seal(&ticket()).unwrap().unwrap();
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(bytes).unwrap();
        assert_eq!(sealer.open(&damaged), Err(TokenError::Invalid), "character {at}");
    }
    for cut in [0, 1, 5, 20, token.len() - 1] {
        assert_eq!(sealer.open(&token[..cut]), Err(TokenError::Invalid));
    }
    assert!(sealer.open(&token).is_ok(), "positive control");
}

#[test]
fn refuses_a_million_damaged_tokens() {
    let sealer = sealer("a secret of some length", 3600);
    let other = Ticket { item: Item::Thumbnail, ..ticket() };
    let tokens = [ticket(), other].map(|ticket| sealer.seal(&ticket).unwrap().unwrap());
    let opens = || sealer.open(&tokens[0]) == Ok(ticket()) && sealer.open(&tokens[1]).is_ok();
    assert!(opens(), "positive control");
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let seed = fastrand::u64(..);
    let refused: usize = std::thread::scope(|scope| {
        let work = |thread: usize| {
            let mut random = fastrand::Rng::with_seed(seed ^ thread as u64);
            let share = DAMAGED.div_ceil(threads);
            for number in 0..share {
                let damaged = damage::damaged(&mut random, &tokens);
                assert_eq!(sealer.open(&damaged), Err(TokenError::Invalid), "{damaged:?}, seed {seed}");
                assert!(number % 10_000 != 0 || opens(), "positive control");
            }
            share
        };
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(refused >= DAMAGED);
    assert!(opens(), "positive control");
}

#[test]
fn refuses_another_key_and_takes_an_old_one() {
    let token = sealer("the key of last year", 60).seal(&ticket()).unwrap().unwrap();
    assert_eq!(sealer("the key of this year", 60).open(&token), Err(TokenError::Invalid));
    let keys = ["the key of this year", "the key of last year"]
        .map(|secret| KeyMaterial::new(secret.as_bytes()).unwrap())
        .to_vec();
    let both = Sealer::new(&Settings { keys, ttl: Duration::from_secs(60) }).unwrap();
    assert_eq!(both.open(&token).unwrap(), ticket());
}

#[test]
fn expires() {
    let sealer = sealer("a secret of some length", 0);
    assert_eq!(sealer.open(&sealer.seal(&ticket()).unwrap().unwrap()), Err(TokenError::Expired));
}

#[test]
fn leaves_out_a_link_that_does_not_fit() {
    let sealer = sealer("a secret of some length", 60);
    let mut long = ticket();
    long.link.as_mut().unwrap().cookies[0].value = "x".repeat(4000);
    let token = sealer.seal(&long).unwrap().unwrap();
    assert!(token.len() <= MAX_TOKEN);
    assert_eq!(sealer.open(&token).unwrap(), Ticket { link: None, ..ticket() });
    // JSON doubles each of these.
    let endless = Ticket { page: "\\".repeat(2000), ..long };
    assert_eq!(sealer.seal(&endless).unwrap(), None);
}

#[test]
fn refuses_weak_keys() {
    assert!(matches!(KeyMaterial::new(b"overflow"), Err(KeyError::WellKnown)));
    assert!(matches!(KeyMaterial::new(b"  fifteen bytes \n"), Err(KeyError::Short(13))));
    assert!(KeyMaterial::new(b"sixteen bytes ok").is_ok());
}

#[test]
fn keeps_its_random_key_private_and_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("deep/state");
    let first = state_key(&state).unwrap();
    std::fs::set_permissions(state.join("encryption_key"), PermissionsExt::from_mode(0o644)).unwrap();
    let second = state_key(&state).unwrap();
    assert_eq!(first.bytes(), second.bytes());
    let file = state.join("encryption_key");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 1, "no draft is left");
}
