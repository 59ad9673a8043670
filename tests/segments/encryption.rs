//! Encryption that is of another kind, or wrong: an error, and never bytes that nothing plays under a clean end.

use super::hostile::Victim;
use crate::support::film::assert_cut_off;
use crate::support::packaged::{KEY, KEY_FILE, package};
use crate::support::stage::Media;
use crate::support::world::{assert_problem, world};
use bytes::Bytes;

#[test]
fn encryption_that_is_not_known_is_named() {
    let world = world();
    let aes = package("aes with an iv");
    let victim = Victim::of(world, aes);
    for method in ["SAMPLE-AES", "SAMPLE-AES-CTR", "ROT13"] {
        let answer =
            victim.under(world, &aes.playlist().replace("METHOD=AES-128", &format!("METHOD={method}")));
        assert_problem(&answer, 502, "upstream_error");
        assert!(answer.text().contains(method), "{}", answer.text());
    }
}

#[test]
fn keys_of_a_wrong_length() {
    let world = world();
    let victim = Victim::of(world, package("aes with an iv"));
    let wrong = [0, 1, 15, 17, 32, 1 << 20].map(|length| Media::of(vec![7; length]));
    let endless = Media::tiled([(Bytes::from_static(b"k"), u64::MAX)]);
    for (media, chunked) in wrong.into_iter().map(|media| (media, false)).chain([(endless, true)]) {
        victim.shown.play(world, KEY_FILE, |reply| {
            let reply = reply.bytes_of(&media);
            if chunked { reply.chunked() } else { reply }
        });
        assert_problem(&world.get(&victim.path), 502, "upstream_error");
    }
    victim.shown.play(world, KEY_FILE, |reply| reply);
    victim.restore(world);
}

#[test]
fn what_does_not_decrypt_is_a_visible_cut() {
    let world = world();
    let aes = package("aes with an iv");
    let victim = Victim::of(world, aes);
    let whole = &aes.files["0.ts"];
    let damaged = |at: usize| {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0xff;
        Media::of(bytes)
    };
    let length = whole.len();
    let cases = [
        // A block decides over the one after it, too: here over the padding.
        ("padding", damaged(length - 17)),
        ("last block", damaged(length - 1)),
        ("no whole block", Media::of(whole.slice(..length - 1))),
        ("a block less", Media::of(whole.slice(..length - 16))),
    ];
    for (what, media) in cases {
        victim.shown.play(world, "0.ts", |reply| reply.bytes_of(&media));
        let mut answer = world.get(&victim.path);
        // The last two blocks are what is damaged.
        answer.body.truncate(length - 32);
        assert_cut_off(&answer, &aes.whole[..length - 32], what);
    }
    victim.shown.play(world, "0.ts", |reply| reply);
    // Another key: nothing of it is the film, and it does not end well either.
    victim.shown.play(world, KEY_FILE, |reply| {
        reply.bytes_of(&Media::of(KEY.iter().rev().copied().collect::<Vec<_>>()))
    });
    let answer = world.get(&victim.path);
    assert!(answer.status == 502 || !answer.complete(), "{} bytes and a clean end", answer.body.len());
    victim.shown.play(world, KEY_FILE, |reply| reply);
    victim.restore(world);
}
