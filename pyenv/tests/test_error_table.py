"""Codes by what a site answers, each through the real extractor over real TLS; and that the message is clean."""

import json

import pytest
from conftest import CLIP, CLIP_API, VIDEO, failed, tiktok_page

from sluice.extractors import LOGIN_HINT

STATUSES = {
    "400 Bad Request": "extraction_failed",
    "401 Unauthorized": "login_required",
    "403 Forbidden": "upstream_blocked",
    "404 Not Found": "not_found",
    "410 Gone": "not_found",
    "429 Too Many Requests": "upstream_blocked",
    "451 Unavailable For Legal Reasons": "geo_restricted",
    "500 Internal Server Error": "upstream_error",
    "503 Service Unavailable": "upstream_error",
}


# Each handler: TikTok's extractor impersonates (curl_cffi), Streamable's does not (requests).
@pytest.mark.parametrize(("url", "page"), [(VIDEO, VIDEO), (CLIP, CLIP_API)])
@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_statuses(start, stage, url, page, status, kind):
    stage.page(page, "<html>words of the site</html>", status)
    error = failed(start(), url)
    assert error["kind"] == kind, error
    assert error["message"] == f"The site answered HTTP {status[:3]}"


@pytest.mark.parametrize(
    ("page", "kind", "message"),
    [
        (tiktok_page(status=10204), "upstream_blocked", "Your IP address is blocked from accessing this post"),
        (tiktok_page(status=10216), "login_required", None),
        (tiktok_page(status=10222), "login_required", None),
        (tiktok_page({"isContentClassified": True}), "login_required", None),
        (tiktok_page(status=10101), "extraction_failed", "Video not available, status code 10101"),
        ("<html>nothing</html>", "extraction_failed", None),
        ("\x00\x1b[31m\ufffd" * 1000, "extraction_failed", None),
        ("", "extraction_failed", None),
    ],
)
def test_pages_of_tiktok(start, stage, page, kind, message):
    stage.page(VIDEO, page)
    error = failed(start(), VIDEO)
    assert error["kind"] == kind, error
    assert message is None or error["message"] == message
    assert (LOGIN_HINT in error["message"]) == (kind == "login_required")


def test_a_redirect_to_the_login_page(start, stage):
    stage.page(VIDEO, "", "302 Found", "Location: https://www.tiktok.com/login?redirect_url=secret")
    stage.page("https://www.tiktok.com/login", "<html>Log in</html>")
    assert failed(start(), VIDEO)["kind"] == "login_required"


def data(value):
    return json.dumps({"data": value})


def nico(code, reason, **more):
    return json.dumps({"meta": {"status": 400, "errorCode": code}, "data": {"reasonCode": reason, **more}})


def tweet(**result):
    return data({"tweetResult": {"result": {"__typename": "TweetUnavailable", **result}}})


def strip(**view):
    return f"<script>window.__PRELOADED_STATE__ = {json.dumps({'viewCam': view})}</script>"


SOOP = "https://vod.sooplive.com/player/1"
SOOP_API = "https://api.m.sooplive.com/station/video/a/view"
TWITCH_API = "https://gql.twitch.tv/gql"
MIX = "https://www.mixcloud.com/someone/something/"
MIX_API = "https://app.mixcloud.com/graphql"
VK = "https://vk.com/video_ext.php?oid=-1&id=2&hash=3"
NICO = "https://www.nicovideo.jp/watch/sm1"
NICO_API = "https://www.nicovideo.jp/api/watch/v3_guest/sm1"
TWEET = "https://twitter.com/someone/status/643211948184596480"
GUEST = ("https://api.x.com/1.1/guest/activate.json", '{"guest_token": "1"}', "200 OK")
TWEET_API = "https://x.com/i/api/graphql/2ICDjqPd81tulZcYrtpTuQ/TweetResultByRestId"
SYNDICATION = "https://cdn.syndication.twimg.com/tweet-result"
SPACE = "https://twitter.com/i/spaces/1OwxWwQOPlNxQ"
SPACE_API = "https://x.com/i/api/graphql/HPEisOmj1epUNLCWTYhUWw/AudioSpaceById"
DAILY = "https://www.dailymotion.com/video/x5kesuj"
DAILY_TOKEN = ("https://graphql.api.dailymotion.com/oauth/token", '{"access_token": "secret"}', "200 OK")
DAILY_API = "https://graphql.api.dailymotion.com/"
DAILY_META = "https://www.dailymotion.com/player/metadata/video/x5kesuj"
REDDIT = "https://www.reddit.com/r/videos/comments/6rrwyj/"
REDDIT_API = "https://www.reddit.com/r/videos/comments/6rrwyj/.json"
LIKEE = "https://www.likee.video/@a/video/1"
STRIP = "https://stripchat.com/someone"
LEGO = "https://www.lego.com/en-us/videos/themes/club/x-55492d823b1b4d5e985787fa8c2973b1"
THREEQ = "https://playout.3qsdn.com/7201c779-6b3c-11e7-a40e-002590c750be"
THREEQ_API = "https://playout.3qsdn.com/config/7201c779-6b3c-11e7-a40e-002590c750be"
GROUNDS = "https://www.newgrounds.com/audio/listen/549479"


@pytest.mark.parametrize(
    ("url", "pages", "kind"),
    [
        # In words only.
        (SOOP, [(SOOP_API, data({"code": -6221}), "200 OK")], "not_found"),
        (SOOP, [(SOOP_API, data({"code": -6205}), "200 OK")], "private"),
        ("https://clips.twitch.tv/X", [(TWITCH_API, f"[{data({'clip': None})}]", "200 OK")], "not_found"),
        ("https://www.twitch.tv/videos/6528877", [(TWITCH_API, f"[{data({'video': None})}]", "200 OK")], "not_found"),
        ("https://www.twitch.tv/nobody", [(TWITCH_API, f"[{data({'user': None})}]", "200 OK")], "not_found"),
        (MIX, [(MIX_API, data({"cloudcastLookup": None}), "200 OK")], "not_found"),
        (MIX, [(MIX_API, data({"cloudcastLookup": {"restrictedReason": "tracklist"}}), "200 OK")], "geo_restricted"),
        (VK, [(VK, "<!>Access denied", "200 OK")], "private"),
        (VK, [(VK, "<!>Unknown error", "200 OK")], "not_found"),
        (VK, [(VK, "<!>Please log in or <", "200 OK")], "login_required"),
        (VK, [(VK, "<!>The video x is not available in your region.", "200 OK")], "geo_restricted"),
        (NICO, [(NICO_API, nico("NOT_FOUND", None), "404 Not Found")], "not_found"),
        (
            NICO,
            [(NICO_API, nico("FORBIDDEN", "HARMFUL_VIDEO", viewer={"allowSensitiveContents": False}), "400 Bad")],
            "age_restricted",
        ),
        (TWEET, [GUEST, (TWEET_API, tweet(), "200 OK")], "not_found"),
        (SPACE, [GUEST, (SPACE_API, data({"audioSpace": {}}), "200 OK")], "not_found"),
        ("https://goodgame.ru/someone", [], "not_found"),
        (
            "https://goodgame.ru/someone",
            [("https://goodgame.ru/api/4/users/someone/stream", '{"streamkey": "1", "status": false}', "200 OK")],
            "not_live",
        ),
        (LIKEE, [(LIKEE, 'window.data = {"id": 1};', "200 OK")], "not_found"),
        (STRIP, [(STRIP, strip(show={"a": 1}), "200 OK")], "private"),
        # By class and raise_* call.
        (STRIP, [(STRIP, strip(model={"isLive": False}), "200 OK")], "not_live"),
        (NICO, [(NICO_API, nico("FORBIDDEN", "DOMESTIC_VIDEO"), "400 Bad")], "geo_restricted"),
        (NICO, [(NICO_API, nico("FORBIDDEN", "PREMIUM_ONLY"), "400 Bad")], "login_required"),
        (TWEET, [GUEST, (TWEET_API, tweet(reason="Protected"), "200 OK")], "login_required"),
        (
            DAILY,
            [
                DAILY_TOKEN,
                (DAILY_API, data({"media": {"xid": "x5kesuj"}}), "200 OK"),
                (DAILY_META, '{"error": {"code": "DM007", "title": "Not here"}}', "200 OK"),
            ],
            "geo_restricted",
        ),
        (REDDIT, [(REDDIT_API, '{"error": 403, "reason": "private"}', "403 Forbidden")], "login_required"),
        (REDDIT, [(REDDIT_API, "<html>whoa there</html>", "403 Forbidden")], "login_required"),
        # Raised while the extractor handled a status that would mean something else.
        (LEGO, [("https://services.slingshot.lego.com/mediaplayer/v2", "", "451 Legal")], "geo_restricted"),
        (THREEQ, [(THREEQ_API, "", "401 Unauthorized")], "geo_restricted"),
        (GROUNDS, [(GROUNDS, "", "401 Unauthorized")], "login_required"),
        # By the status of the request that ended it.
        (TWEET, [GUEST, (TWEET_API, "", "429 Too Many Requests"), (SYNDICATION, "", "404 Not Found")], "not_found"),
        (REDDIT, [(REDDIT_API, "", "404 Not Found")], "not_found"),
        # What the site says in its own words is passed on, and means nothing to us.
        (
            DAILY,
            [
                DAILY_TOKEN,
                (DAILY_API, json.dumps({"data": {"media": None}, "errors": [{"message": "No media"}]}), "200 OK"),
            ],
            "extraction_failed",
        ),
        (CLIP, [(CLIP_API, '{"status": 1}', "200 OK")], "extraction_failed"),
        (CLIP, [(CLIP_API, "{}", "200 OK")], "extraction_failed"),
        (CLIP, [(CLIP_API, '{"status": 2, "title": "x", "files": {}}', "200 OK")], "extraction_failed"),
        (CLIP, [(CLIP_API, "<html>", "200 OK")], "extraction_failed"),
        (CLIP, [(CLIP_API, "[1]", "200 OK")], "extraction_failed"),
    ],
)
def test_real_extractors(start, stage, url, pages, kind):
    for page, body, status in pages:
        stage.page(page, body, status)
    error = failed(start(), url)
    assert error["kind"] == kind, (error, stage.seen)


def youtube(status, reason, explanation=None):
    screen = {"playerErrorMessageRenderer": {"subreason": {"simpleText": explanation}}} if explanation else {}
    if reason == "Wait":
        screen["playerCaptchaViewModel"] = {"a": 1}
    return json.dumps(
        {
            "playabilityStatus": {"status": status, "reason": reason, "errorScreen": screen},
            "videoDetails": {"videoId": "dQw4w9WgXcQ", "title": "x"},
        }
    )


HELP = "This helps protect our community. Learn more"
MEMBERS = "Join this channel to get access to members-only content like this video, and other exclusive perks."


@pytest.mark.parametrize(
    ("status", "reason", "explanation", "kind"),
    [
        ("ERROR", "Video unavailable", None, "not_found"),
        ("ERROR", "Video unavailable", "This video has been removed by the uploader", "not_found"),
        ("ERROR", "Video unavailable", "This video is not available", "not_found"),
        ("ERROR", "Video unavailable", "This video is unavailable", "not_found"),
        ("ERROR", "Video unavailable", "This video is private", "private"),
        ("LOGIN_REQUIRED", "Private video", "Sign in if you've been granted access to this video", "private"),
        (
            "LOGIN_REQUIRED",
            "Sign in to confirm your age",
            "This video may be inappropriate for some users.",
            "age_restricted",
        ),
        ("LOGIN_REQUIRED", "Sign in to confirm you\u2019re not a bot", HELP, "upstream_blocked"),
        (
            "UNPLAYABLE",
            "Video unavailable",
            "The uploader has not made this video available in your country",
            "geo_restricted",
        ),
        ("LIVE_STREAM_OFFLINE", "This live event will begin in 3 hours.", None, "not_live"),
        ("LIVE_STREAM_OFFLINE", "Premieres in 3 hours", None, "not_live"),
        ("UNPLAYABLE", "Video unavailable", "This content isn't available, try again later.", "upstream_blocked"),
        ("LOGIN_REQUIRED", "Wait", None, "upstream_blocked"),
        ("LOGIN_REQUIRED", "Sign in to confirm you're not a bot", HELP, "upstream_blocked"),
        ("UNPLAYABLE", MEMBERS, None, "login_required"),
        ("UNPLAYABLE", "Something that YouTube never said", None, "extraction_failed"),
    ],
)
def test_youtube(start, stage, status, reason, explanation, kind):
    stage.page("https://www.youtube.com/watch", "<html></html>")
    # A second try, for pages with an age gate.
    client = {"INNERTUBE_CONTEXT": {"client": {"clientName": "WEB_EMBEDDED_PLAYER", "clientVersion": "1"}}}
    stage.page("https://www.youtube.com/embed/dQw4w9WgXcQ", f"ytcfg.set({json.dumps(client)});")
    stage.page("https://www.youtube.com/youtubei/v1/next", '{"contents": {}}')
    stage.page("https://www.youtube.com/youtubei/v1/player", youtube(status, reason, explanation))
    error = failed(start(), "https://www.youtube.com/watch?v=dQw4w9WgXcQ")
    assert error["kind"] == kind, (error, [x[:2] for x in stage.seen])
