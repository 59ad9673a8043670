"""The film that `formats` streams: H.264 and AAC in segments of a transport stream, and the playlists that name them.

A clip of four seconds is encoded once and repeated by ffmpeg, so that time stamps go on from segment to segment. All of
it lies where the origin serves files.
"""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import common
import relays

SEGMENT = 4_000_000
"""Bytes of a segment, about."""

MOST = 128
"""Segments of the film, at most: a stream of them is half a GB."""

SHORT = 200 * 1000 // 188 * 188
"""Bytes of a short segment: whole packets."""

SECONDS = 4
BRIEF = 2  # segments
CLIP = [
    *("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25,noise=alls=60:allf=t"),
    *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"),
    *("-t", str(SECONDS), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(25 * SECONDS)),
    *("-b:v", "7750k", "-minrate", "7750k", "-maxrate", "7750k", "-bufsize", "2000k"),
    *("-x264-params", "nal-hrd=cbr:scenecut=0", "-c:a", "aac", "-b:a", "96k", "-f", "mpegts"),
]
"""Noise, and filler where that is not enough: as many bytes in each second."""

PLAIN = "film/whole.ts"
HLS = "film/index.m3u8"
LOCKED = "locked/index.m3u8"
SHORTS = "short/index.m3u8"
BRIEFLY = "brief/index.m3u8"
FIRST = "film/000.ts"
"""Names at the origin: the film in one file, in segments, in encrypted segments; 64 MiB of short segments; the first
segments alone, as a playlist; the first one."""


@dataclass(frozen=True)
class Film:
    """What there is. `size`, `digest`: of the whole film; `brief`: bytes of all of `BRIEFLY`; `first`: of `FIRST`."""

    size: int
    digest: str
    segments: int
    brief: int
    first: int


def make(files: Path, gib: float) -> Film:
    """Make a film of at most so many GiB, and everything that is named above."""
    count = max(BRIEF, min(MOST, round(gib * relays.GIB / SEGMENT)))
    for name in ("film", "locked", "short", "brief"):
        (files / name).mkdir()
    segments = _segments(files / "film", count)
    with (files / PLAIN).open("wb") as whole:
        for segment in segments:
            whole.write(segment.read_bytes())
    _lock(files, segments)
    (files / "short/one.ts").write_bytes(segments[0].read_bytes()[:SHORT])
    # One file under many names: nobody on the way looks at what it holds.
    names = [f"one.ts?{number}" for number in range(relays.LARGE // SHORT)]
    (files / SHORTS).write_text(_playlist(names, seconds=0.2))
    (files / BRIEFLY).write_text(_playlist([f"/film/{segment.name}" for segment in segments[:BRIEF]], SECONDS))
    with (files / PLAIN).open("rb") as whole:
        digest = hashlib.file_digest(whole, "sha256").hexdigest()
    sizes = [segment.stat().st_size for segment in segments]
    return Film(sum(sizes), digest, count, sum(sizes[:BRIEF]), sizes[0])


def _segments(folder: Path, count: int) -> list[Path]:
    clip = folder / "clip.ts"
    _ffmpeg([*CLIP, clip])
    repeated: list[str | Path] = ["-stream_loop", str(count - 1), "-i", clip, "-c", "copy"]
    # A segment ends where a key frame comes after its time; the only one of a clip is its first.
    listed = ["-f", "hls", "-hls_time", str(SECONDS - 0.5), "-hls_playlist_type", "vod"]
    _ffmpeg([*repeated, *listed, "-hls_segment_filename", folder / "%03d.ts", folder / "index.m3u8"])
    clip.unlink()
    segments = sorted(folder.glob("*.ts"))
    sizes = [segment.stat().st_size for segment in segments]
    if len(segments) != count or not all(0.9 < size / SEGMENT < 1.1 for size in sizes):
        raise common.BenchError(f"{len(segments)} segments of {min(sizes)} to {max(sizes)} bytes")
    return segments


def _lock(files: Path, segments: Sequence[Path]) -> None:
    """Encrypt with AES-128, without an IV in the playlist: each has its number (RFC 8216, section 5.2)."""
    key = os.urandom(16)
    (files / "locked/key").write_bytes(key)
    for number, segment in enumerate(segments):
        command: list[str | Path] = [
            "openssl",
            "enc",
            "-aes-128-cbc",
            "-K",
            key.hex(),
            "-iv",
            f"{number:032x}",
            "-in",
            segment,
        ]
        subprocess.run([*command, "-out", files / "locked" / segment.name], check=True, capture_output=True)
    text = (files / HLS).read_text()
    (files / LOCKED).write_text(text.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF', 1))


def _playlist(names: Sequence[str], seconds: float) -> str:
    head = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{max(1, round(seconds))}", "#EXT-X-MEDIA-SEQUENCE:0"]
    listed = [line for name in names for line in (f"#EXTINF:{seconds},", name)]
    return "\n".join([*head, "#EXT-X-PLAYLIST-TYPE:VOD", *listed, "#EXT-X-ENDLIST", ""])


def _ffmpeg(arguments: Sequence[str | Path]) -> None:
    ran = subprocess.run(
        ["ffmpeg", "-nostdin", "-y", "-loglevel", "error", *arguments], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise common.BenchError(f"ffmpeg: {ran.stderr[-500:]}")
