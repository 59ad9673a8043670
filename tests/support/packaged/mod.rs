//! Films in pieces, as packagers make them: cut by ffmpeg, once per test process, and what a client must get of each.

mod ffmpeg;
mod heavy;
mod probe;
mod recipes;
mod written;

pub use ffmpeg::encrypted;
pub use probe::{Content, content, decode_whole};

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The name of the playlist of HLS, and of the manifest of DASH.
pub const PLAYLIST: &str = "index.m3u8";
pub const MANIFEST: &str = "index.mpd";

/// The key of what is encrypted, and the name of its file.
pub const KEY: &[u8; 16] = b"sixteen key byte";
pub const KEY_FILE: &str = "key.bin";

/// A film in pieces: one format of it.
#[derive(Clone, Debug)]
pub struct Package {
    /// What a failure calls it.
    pub name: &'static str,
    /// Name → bytes, the playlist or manifest among them.
    pub files: BTreeMap<String, Bytes>,
    /// [`PLAYLIST`] or [`MANIFEST`].
    pub index: &'static str,
    /// What `format=` must say; none where there is but one format.
    pub format: Option<&'static str>,
    /// The files that hold the film, in the order of the film; one that is asked for by ranges stands here once.
    pub parts: Vec<String>,
    /// What a client must get, to the byte.
    pub whole: Bytes,
    pub content_type: &'static str,
    /// The extension of the name that a client must be given.
    pub ext: &'static str,
    /// What ffmpeg made the package from.
    pub source: Content,
}

impl Package {
    /// The playlist as text.
    pub fn playlist(&self) -> String {
        String::from_utf8(self.files[self.index].to_vec()).unwrap()
    }

    /// The same under another playlist.
    pub fn with_playlist(&self, name: &'static str, playlist: impl Into<Bytes>) -> Package {
        let mut other = self.clone();
        other.name = name;
        other.files.insert(self.index.to_owned(), playlist.into());
        other
    }

    /// Whether parts of one file are asked for.
    pub fn in_ranges(&self) -> bool {
        self.parts.len() == 1
    }
}

static ALL: LazyLock<Vec<Package>> = LazyLock::new(recipes::all);
static LIVE: LazyLock<Package> = LazyLock::new(recipes::live);

/// One of every kind; made by whoever asks first.
pub fn packages() -> &'static [Package] {
    &ALL
}

/// The one of that name.
pub fn package(name: &str) -> &'static Package {
    ALL.iter().find(|package| package.name == name).unwrap_or_else(|| panic!("no package {name:?}"))
}

/// Seventy segments of TS of a second each, to be shown bit by bit.
pub fn live() -> &'static Package {
    &LIVE
}
