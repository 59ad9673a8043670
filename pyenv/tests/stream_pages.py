"""Pages of sites that serve segments, in the shape that yt-dlp's extractors read, and the manifests that they name."""

import json
from collections.abc import Iterable

HLS_TYPE = "Content-Type: application/vnd.apple.mpegurl"
DASH_TYPE = "Content-Type: application/dash+xml"


def media_playlist(segments: int = 3, live: bool = False, first: int = 0, name: str = "segment-{}.ts") -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:4", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    if not live:
        lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
    for number in range(first, first + segments):
        lines += ["#EXTINF:4.000,", name.format(number)]
    return "\n".join([*lines, *([] if live else ["#EXT-X-ENDLIST"]), ""])


def master_playlist(variants: Iterable[tuple[str, str]], *media: str) -> str:
    """Variants: attributes and URI; media: attributes of EXT-X-MEDIA."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [f"#EXT-X-MEDIA:{attributes}" for attributes in media]
    for attributes, uri in variants:
        lines += [f"#EXT-X-STREAM-INF:{attributes}", uri]
    return "\n".join([*lines, ""])


BOTH = 'CODECS="avc1.4d401f,mp4a.40.2"'
VARIANTS = (
    (f"BANDWIDTH=800000,RESOLUTION=640x360,{BOTH}", "360/stream.m3u8"),
    (f"BANDWIDTH=2500000,RESOLUTION=1280x720,{BOTH}", "720/stream.m3u8"),
)


def mpd(*sets: str, duration: str | None = "PT12S", kind: str = "static", base: str = "") -> str:
    length = f' mediaPresentationDuration="{duration}"' if duration else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="{kind}"{length}'
        f' minBufferTime="PT4S" profiles="urn:mpeg:dash:profile:isoff-live:2011">\n{base}<Period id="0">'
        f"{''.join(sets)}</Period>\n</MPD>\n"
    )


VIDEO_REPRESENTATION = (
    'id="video-720" bandwidth="2400000" codecs="avc1.4d401f" width="1280" height="720" frameRate="30"'
)
AUDIO_REPRESENTATION = 'id="audio" bandwidth="128000" codecs="mp4a.40.2" audioSamplingRate="48000"'


def numbered(kind: str, representation: str, template: str = "seg-$RepresentationID$-$Number$.m4s") -> str:
    """An AdaptationSet with a template by number."""
    return (
        f'<AdaptationSet contentType="{kind}" mimeType="{kind}/mp4" segmentAlignment="true">'
        f'<SegmentTemplate timescale="1000" duration="4000" startNumber="1" media="{template}"'
        f' initialization="init-$RepresentationID$.mp4"/><Representation {representation}/></AdaptationSet>'
    )


def whole(kind: str, representation: str, url: str) -> str:
    """An AdaptationSet of one file with an index in it."""
    return (
        f'<AdaptationSet contentType="{kind}" mimeType="{kind}/mp4"><Representation {representation}><BaseURL>{url}'
        '</BaseURL><SegmentBase indexRange="800-900"><Initialization range="0-799"/></SegmentBase></Representation>'
        "</AdaptationSet>"
    )


CLOUDFLARE_ID = "9df17203414fd1db3e3ed74abbe936c1"
CLOUDFLARE = f"https://watch.cloudflarestream.com/{CLOUDFLARE_ID}"
CLOUDFLARE_MANIFEST = f"https://cloudflarestream.com/{CLOUDFLARE_ID}/manifest/video"

PICARTO = "https://picarto.tv/Setz"
PICARTO_API = "https://ptvintern.picarto.tv/ptvapi"
PICARTO_BALANCER = "https://edge1-eu-west.picarto.tv/stream/json_golive+Setz.js"
PICARTO_HLS = "https://edge1-eu-west.picarto.tv/stream/hls/golive+Setz/index.m3u8"


def picarto_api(online: bool = True) -> str:
    channel = {"adult": False, "id": "123", "online": online, "stream_name": "golive+Setz", "title": "Painting"}
    # The scheme is replaced.
    return json.dumps({"data": {"channel": channel, "getLoadBalancerUrl": {"url": "http://edge1-eu-west.picarto.tv"}}})


def picarto_balancer() -> str:
    return json.dumps(
        {
            "source": [
                {"type": "html5/application/vnd.apple.mpegurl", "url": PICARTO_HLS},
                {"type": "html5/application/vnd.apple.mpegurl;version=7", "url": f"{PICARTO_HLS}?v=7"},
            ]
        }
    )


PICARTO_VIDEO = "https://picarto.tv/ArtofZod/videos/771008"
PICARTO_VIDEO_HLS = "https://recording-eu-1.picarto.tv/stream/hls/ArtofZod_2019.mkv/index.m3u8"


def picarto_video_api() -> str:
    video = {
        "id": "771008",
        "title": "Art of Zod - Drawing and Painting",
        "adult": False,
        "file_name": "ArtofZod_2019.mkv",
        "video_recording_image_url": "https://recording-eu-1.picarto.tv/stream/recordings/1.jpg",
        "channel": {"name": "ArtofZod"},
    }
    return json.dumps({"data": {"video": video}})


REDDIT_SLUG = "r/videos/comments/6rrwyj"
REDDIT = f"https://www.reddit.com/{REDDIT_SLUG}/that_small_heart_attack/"
REDDIT_VIDEO = "https://v.redd.it/zv89llsvexdz"


def reddit_api() -> str:
    video = {
        "bitrate_kbps": 2400,
        "fallback_url": f"{REDDIT_VIDEO}/DASH_720.mp4?source=fallback",
        "has_audio": True,
        "height": 720,
        "width": 1280,
        "scrubber_media_url": f"{REDDIT_VIDEO}/DASH_96.mp4",
        "dash_url": f"{REDDIT_VIDEO}/DASHPlaylist.mpd?a=1766000000%2Cabc&amp;v=1&amp;f=sd",
        "duration": 12,
        "hls_url": f"{REDDIT_VIDEO}/HLSPlaylist.m3u8?a=1766000000%2Cabc&amp;v=1&amp;f=sd",
        "is_gif": False,
        "transcoding_status": "completed",
    }
    post = {
        "id": "6rrwyj",
        "title": "That small heart attack.",
        "author": "Antw87",
        "subreddit": "videos",
        "url": REDDIT_VIDEO,
        "created_utc": 1501941939.0,
        "ups": 12,
        "downs": 0,
        "num_comments": 3,
        "over_18": False,
        "is_video": True,
        "secure_media": {"reddit_video": video},
        "media": {"reddit_video": video},
    }
    listing = {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": post}]}}
    return json.dumps([listing, {"kind": "Listing", "data": {"children": []}}])
