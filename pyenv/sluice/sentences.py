"""What yt-dlp says only in words: code of CONTRACT's table to (extractor's name, whole sentence).

The last resort of errors.py: where yt-dlp has a class, a status or a raise_* call of its own, that counts first.
`{}` stands for the one part of a sentence that changes, such as an id. The name is the IE_NAME of the extractor that
ran, so a sentence of a base class has a row for each name that matters.

tests/test_sentences.py finds every sentence of `SAID` in an error call of its extractor in the pinned release, so that
a changed one is noticed. What a site sends, and yt-dlp only passes on, can't be found there: `PASSED_ON` holds that for
YouTube alone, and tests/test_error_table.py sends it through the real extractor.
"""

Rows = dict[str, tuple[tuple[str, str], ...]]

SAID: Rows = {
    "not_found": (
        ("ArteTV", "Video is not available in this language edition of Arte or broadcast rights expired"),
        ("bbc", "Episode {} is no longer available"),
        ("bbc.co.uk", "Episode {} is no longer available"),
        ("Bet", "This content is no longer available"),
        ("BilibiliPlaylist", "Playlist is no longer available"),
        ("BunnyCdn", "This video does not exist"),
        ("cbsnews:embed", "This video is no longer available"),
        ("ComedyCentral", "This content is no longer available"),
        ("eplus", "This event has ended and there is no archive for this event"),
        ("KukuluLive", "This stream has expired"),
        ("kuwo:song", "this song has been offline because of copyright issues"),
        ("likee", "Video was deleted"),
        ("mellowfan", "This video in no longer available"),
        ("mixcloud", "Track not found"),
        ("mtv", "This content is no longer available"),
        ("NhkRadiru", "Content not found; it has most likely expired"),
        ("NhkVod", "Stream not found; it has most likely expired"),
        ("nick.com", "This content is no longer available"),
        ("niconico", "Removed by rights-holder request"),
        ("niconico", "Video unavailable, channel was closed"),
        ("niconico", "Video unavailable, community deleted or missing"),
        ("niconico", "Video unavailable, may not exist or was deleted"),
        ("niconico", "Video unavailable, possibly removed by admins"),
        ("NiconicoChannelPlus", "Channel {} does not exist"),
        ("NiconicoChannelPlus", "Live was ended, there is no video for download."),
        ("Nintendo", "No Nintendo Direct with id {} exists"),
        ("onsen", "This program is no longer available"),
        ("PiaLive", "The video is no longer available"),
        ("RTRFM", "Expired or no episode on this date"),
        ("rtve.es:alacarta", "The video is no longer available"),
        ("soop", "The VOD does not exist"),
        ("southpark.cc.com", "This content is no longer available"),
        ("SpankBang", "Video {} is not available"),
        ("sr:mediathek", "Video {} is no longer available"),
        ("tiktok:user", "This account does not have any videos posted"),
        ("tokfm:audition", "No such audition"),
        ("tokfm:podcast", "No such podcast"),
        ("Tube8", "Video {} is no longer available"),
        ("tv5unis", "This content is no longer available"),
        ("tv5unis:video", "This content is no longer available"),
        ("tver:olympic", "This program is no longer available"),
        ("twitch:clips", "This clip is no longer available"),
        ("twitch:stream", "{} does not exist"),
        ("twitch:videos", 'Channel "{}" not found'),
        ("twitch:videos:clips", 'Channel "{}" not found'),
        ("twitch:videos:collections", 'Channel "{}" not found'),
        ("twitch:vod", "Video {} does not exist"),
        ("twitter", "Requested tweet is unavailable"),
        ("twitter:broadcast", "Broadcast no longer exists"),
        ("twitter:spaces", "Twitter Space ended and replay is disabled"),
        ("twitter:spaces", "Twitter Space not found"),
        ("Vbox7", "Video is unavailable"),
        ("VGTV", "Video {} is no longer available"),
        ("vimeo:event", "This event video is unavailable"),
        ("vk", "Video {} does not exist."),
        ("vk", "Video {} has been removed from public access due to rightholder complaint."),
        ("vk", "Video {} is no longer available, because it has been deleted."),
        ("vk", "Video {} is no longer available, because its author has been blocked."),
        ("Weverse", "Livestream has ended and downloadable VOD is not available"),
        ("YapFiles", "Video {} has been removed"),
        ("YleAreena", "The content is no longer available"),
        ("YouPorn", "Video unavailable"),
        ("youtube:tab", "The channel/playlist does not exist and the URL redirected to youtube.com home page"),
    ),
    "private": (
        ("Camsoda", "Model is in private show."),
        ("soop", "This VOD is private"),
        ("Stripchat", "Model is in a private show"),
        ("vimeo:event", "This event has not been made available to anyone"),
        ("vk", "Access denied to video {}."),
        ("youku", "Youku said: Sorry, this video is private"),
    ),
    "login_required": (
        ("BiliBili", "This is a supporter-only video: {}"),
        ("CDA", "Video requires CDA Premium - subscription needed"),
        ("niconico", "Invalid session, re-login required"),
        ("Odnoklassniki", "This video is paid, subscribe to download it"),
        ("patreon", "You do not have access to this post"),
        ("RayWenderlich", "This content is only available for subscribers"),
        ("tvp:embed", "Video requires payment and log-in, but log-in is not implemented"),
        (
            "vk",
            "Video {} is only available for registered users, "
            "use --username and --password options to provide account credentials.",
        ),
        ("zingmp3", "The song is only for VIP accounts."),
    ),
    "geo_restricted": (
        ("CeskaTelevize", "This content is not available at your territory due to limited copyright."),
        ("kuwo:song", "This song is blocked in this region"),
        ("mixcloud", "Track unavailable in your country due to licensing restrictions"),
        ("vk", "Video {} is not available in your region."),
        ("youku", "Youku said: Sorry, this video is available in China only"),
    ),
    "age_restricted": (
        ("niconico", "Sensitive content, adjust display settings to watch"),
        ("niconico:live", "Sensitive content setting must be enabled"),
        ("Pr0gramm", "Unverified account cannot access NSFW/NSFL ({})"),
        ("Servus", "Blocked by FSK with unknown availability"),
        ("sr:mediathek", "This video is only available after 20:00"),
    ),
    "not_live": (
        ("17live", "This live has ended."),
        ("asobichannel", "Live event has not yet started"),
        ("BilibiliCheese", "This course episode is not yet available."),
        ("BiliLive", "Streamer is not live"),
        ("Camsoda", "Model is offline."),
        ("cbsnews:live", "Livestream is not available"),
        ("eplus", "This event has ended, and the archive will be available shortly"),
        ("eplus", "This live event will begin at {} JST"),
        ("gem.cbc.ca:live", "This livestream has not yet started"),
        ("gem.cbc.ca:olympics", "This livestream has not yet started"),
        ("goodgame:stream", "User is offline"),
        ("huya:live", "Video is offline"),
        ("lbry", "This stream is not live"),
        ("linkedin:events", "This live event has not yet started"),
        ("linkedin:events", "This live event is scheduled for {}"),
        ("mellowfan", "This livestream has not yet started"),
        ("mellowfan", "This livestream is scheduled to start at {}"),
        ("mirrativ", "Neither archive nor live is available."),
        ("Mixlr", "This event will start at {}"),
        ("Naver:live", "Stream is offline."),
        ("NiconicoChannelPlus", "This event has not started yet"),
        ("NiconicoChannelPlus", "This live event will begin at {} UTC"),
        ("peloton:live", "Ride has not started"),
        ("picarto", "Stream is offline"),
        ("RCTIPlus", "This event has not started yet."),
        ("Rokfin", "Stream is offline; scheduled for {}"),
        ("RTBF", "Livestream has ended."),
        ("Servus", "Video not yet available with unknown availability"),
        ("soop:live", "This livestream has ended"),
        ("tiktok:live", "This livestream has ended"),
        ("twitter:broadcast", "This live broadcast has not yet started"),
        ("twitter:spaces", "Twitter Space ended but not downloadable yet"),
        ("twitter:spaces", "Twitter Space not started yet"),
        ("vimeo:event", "This live event is scheduled for {}"),
        ("Weverse", "Livestream has not yet started"),
        ("whowatch", "The user is offline."),
        ("zingmp3:liveradio", "This radio is offline."),
    ),
    "upstream_blocked": (
        ("BiliBili", "You have exceeded the rate limit. Try again later"),
        ("BilibiliSpaceVideo", "Request is blocked by server (401), please wait and try later."),
        ("BilibiliSpaceVideo", "Request is blocked by server (412), please wait and try later."),
        ("BilibiliSpaceVideo", "Request is rejected by server (352)"),
        ("damtomo:record", "You are rate-limited. Try again later."),
        ("damtomo:video", "You are rate-limited. Try again later."),
        ("Reddit", "Your IP address is unable to access the Reddit API"),
        ("TikTok", "Your IP address is blocked from accessing this post"),
        ("youtube", "All player responses are invalid. Your IP is likely being blocked by Youtube"),
    ),
}

# yt-dlp joins YouTube's reason and its explanation, and adds advice to what holds "sign in".
PASSED_ON: Rows = {
    "not_found": (
        ("youtube", "Video unavailable"),
        ("youtube", "Video unavailable. This video has been removed by the uploader"),
        ("youtube", "Video unavailable. This video is not available"),
        ("youtube", "Video unavailable. This video is unavailable"),
    ),
    "private": (
        ("youtube", "Private video. Sign in if you've been granted access to this video. {}"),
        ("youtube", "Video unavailable. This video is private"),
    ),
    "login_required": (
        (
            "youtube",
            "Join this channel to get access to members-only content like this video, and other exclusive perks.",
        ),
    ),
    "age_restricted": (("youtube", "Sign in to confirm your age. This video may be inappropriate for some users. {}"),),
    "not_live": (
        ("youtube", "Premieres in {}"),
        ("youtube", "This live event will begin in {}."),
    ),
    "upstream_blocked": (
        ("youtube", "{}. YouTube is requiring a captcha challenge before playback"),
        (
            "youtube",
            "Video unavailable. This content isn't available, try again later. "
            "The current session has been rate-limited by YouTube for up to an hour. {}",
        ),
        ("youtube", "Sign in to confirm you're not a bot. {}"),
        ("youtube", "Sign in to confirm you\N{RIGHT SINGLE QUOTATION MARK}re not a bot. {}"),
    ),
}

_WHOLE: dict[tuple[str, str], str] = {}
_PARTED: dict[str, list[tuple[str, str, str]]] = {}  # by extractor: what is before the {}, after it, and the code

for _rows in (SAID, PASSED_ON):
    for _kind, _pairs in _rows.items():
        for _name, _sentence in _pairs:
            _before, _gap, _after = _sentence.partition("{}")
            if _gap:
                _PARTED.setdefault(_name, []).append((_before, _after, _kind))
            else:
                _WHOLE[_name, _sentence] = _kind


def kind_of(extractor: str, sentence: str) -> str | None:
    """Return the code for a sentence that an extractor raised, or None when the table has no row for it."""
    if kind := _WHOLE.get((extractor, sentence)):
        return kind
    for before, after, kind in _PARTED.get(extractor, ()):
        if len(sentence) > len(before) + len(after) and sentence.startswith(before) and sentence.endswith(after):
            return kind
    return None
