//! Why there are no bytes.

use http::StatusCode;

use crate::egress::EgressError;
use crate::playlist::PlaylistError;

/// Why there are no bytes, before the first of them.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// No connection or no response.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The CDN answered with an error.
    #[error("the site's server answered {}", .0.as_u16())]
    Status(StatusCode),
    /// The link, or a redirect, leads to no `http` or `https` URL, or from https to http.
    #[error("the site's link leads nowhere that can be followed")]
    BadLink,
    /// More than are followed.
    #[error("the site's server redirects too often")]
    Redirects,
    /// The bytes are packed, so that neither length nor content would be the file's.
    #[error("the site's server sent an encoded body that was not asked for")]
    Encoded,
    /// Neither a length nor chunks nor TLS: a cut could not be told from the end.
    #[error("the site's server gives no way to tell whether the file is whole")]
    Unframed,
    /// The answer holds other bytes than those asked for, or does not say which.
    #[error("the site's server sent another part of the file than it was asked for")]
    WrongPart,
    /// The body broke, or lied about its length, before the first byte that the client gets.
    #[error("the site's server broke off")]
    Broken,
    /// The file has no byte in the range that the client asked for.
    #[error("the file has no bytes in that range")]
    Unsatisfiable {
        /// Bytes of the whole, where they are known.
        total: Option<u64>,
    },
    /// `If-Match` or `If-Unmodified-Since` does not hold.
    #[error("the file is not the one that the request expects")]
    PreconditionFailed,
    /// As many streams are open as may be.
    #[error("as many streams are open as this server allows")]
    Full,
    /// The lists of all streams take as much memory as they may.
    #[error("the playlists of all streams take as much memory as PLAYLIST_MEMORY allows")]
    NoRoom,
    /// The list of segments can't be read, or not be followed.
    #[error(transparent)]
    Playlist(#[from] PlaylistError),
    /// A variant of a master playlist is one again (RFC 8216 §4.3.4.2).
    #[error("the playlist leads to playlists that lead on and on")]
    Nested,
    /// What is read whole, as subtitles that are converted, has more bytes than these.
    #[error("a file that has to be read whole is longer than {0} bytes (MAX_SUBTITLE_BYTES)")]
    TooLong(usize),
    /// A key has not the length of one.
    #[error("the site's server sent no key of 16 bytes")]
    Key,
    /// What was decrypted does not end as it should.
    #[error("what the site's server sent can't be decrypted")]
    Cipher,
    /// A live list has gone on without this stream.
    #[error("the broadcast has gone on without this stream")]
    Behind,
    /// A live list does not grow.
    #[error("the broadcast does not go on")]
    NoNews,
    /// A list does not go on from where it was.
    #[error("the site's list of segments is another one now")]
    AnotherList,
    /// There is not a single segment.
    #[error("the site lists no segments")]
    NoSegments,
}
