"""What yt-dlp says only in words: (extractor's name, whole sentence) to the code of CONTRACT's table.

The last resort of errors.py: where yt-dlp has a class, a status or a raise_* call of its own, that counts first.
tests/test_errors.py looks for every sentence in the source of the pinned release, so that a changed one is noticed.
Sentences that a site sends, and yt-dlp only passes on, are not here: no test could hold them.
"""

SENTENCES: dict[tuple[str, str], str] = {
    ("TikTok", "Your IP address is blocked from accessing this post"): "upstream_blocked",
    ("tiktok:live", "This livestream has ended"): "not_live",
    ("tiktok:user", "This account does not have any videos posted"): "not_found",
    ("BunnyCdn", "This video does not exist"): "not_found",
    ("cbsnews", "This video is no longer available"): "not_found",
    ("Reddit", "Your IP address is unable to access the Reddit API"): "upstream_blocked",
    ("soop", "The VOD does not exist"): "not_found",
    ("soop", "This VOD is private"): "private",
    ("twitch:clips", "This clip is no longer available"): "not_found",
    ("twitter:broadcast", "Broadcast no longer exists"): "not_found",
    ("twitter:broadcast", "This live broadcast has not yet started"): "not_live",
    ("twitter:spaces", "Twitter Space not found"): "not_found",
    ("twitter:spaces", "Twitter Space not started yet"): "not_live",
}
