"""When a link stops working, as its own text tells."""

import calendar
import re
import time
from urllib.parse import unquote_plus, urlsplit

_MAX_URL = 16_384  # characters; a longer one is not searched
_PAST = 24 * 3600  # seconds that a clock may be wrong by, or a link may have been over for
_FUTURE = 400 * 24 * 3600  # seconds; a later "expiry" is some other number

# Unix seconds in the query: S3 and CloudFront (Expires), TikTok and its image hosts (x-expires), YouTube (expire),
# Bilibili (deadline), and the plain names that many sites use.
_SECONDS = {"expire", "expires", "x-expires", "exp", "expiry", "deadline", "validto", "valid_to", "e", "ttl_until"}
# The same in hexadecimal: Meta's CDN.
_HEX_SECONDS = {"oe"}
# Akamai's tokens: exp=1700000000~acl=/*~hmac=...
_AKAMAI = {"hdnts", "hdnea", "hdntl", "__gda__", "__token__", "token"}
_AKAMAI_EXPIRY = re.compile(r"(?:^|~)exp=([0-9]{1,11})(?:~|$)")
_AMZ = {"x-amz-date", "x-amz-expires"}
_NAMES = _SECONDS | _HEX_SECONDS | _AKAMAI | _AMZ
_PAIR = re.compile(r"(?:^|&)([A-Za-z_-]{1,20})=([^&]*)")

# In the path: /expire/1700000000/ (YouTube's manifests), /<md5>/<hex seconds>/ (TikTok's and Douyin's media hosts).
_PATH_SECONDS = re.compile(r"/expire/([0-9]{10})(?:/|$)")
_PATH_HEX = re.compile(r"^/[0-9a-f]{32}/([0-9a-f]{8})/")
_AMZ_DATE = "%Y%m%dT%H%M%SZ"


def expiry(url: str, now: float | None = None) -> int | None:
    """Return the earliest expiry that `url` shows, in Unix seconds, or None.

    Only plausible values count: from a day before `now` (default: the clock) to 400 days after it.
    """
    if len(url) > _MAX_URL:
        return None
    now = time.time() if now is None else now
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    values = [_number(found.group(1), 10) for found in [_PATH_SECONDS.search(parts.path)] if found]
    values += [_number(found.group(1), 16) for found in [_PATH_HEX.search(parts.path)] if found]
    amazon: dict[str, str] = {}
    # Not parse_qsl: of a query's many values two or three are worth decoding.
    for key, value in _PAIR.findall(parts.query):
        name = key.lower()
        if name not in _NAMES:
            continue
        value = unquote_plus(value)
        if name in _SECONDS:
            values.append(_number(value, 10))
        elif name in _HEX_SECONDS:
            values.append(_number(value, 16))
        elif name in _AKAMAI and (found := _AKAMAI_EXPIRY.search(value[:1000])):
            values.append(_number(found.group(1), 10))
        elif name in _AMZ:
            amazon[name] = value
    if len(amazon) == 2:
        values.append(_amazon(amazon))
    plausible = [value for value in values if value is not None and now - _PAST <= value <= now + _FUTURE]
    return min(plausible, default=None)


def _number(text: str, base: int) -> int | None:
    if not text.isascii() or not text.isalnum() or len(text) > 13:
        return None
    try:
        value = int(text, base)
    except ValueError:
        return None
    # Thirteen digits are milliseconds.
    return value // 1000 if base == 10 and len(text) == 13 else value


def _amazon(query: dict[str, str]) -> int | None:
    """AWS Signature Version 4: a date, and a number of seconds from it."""
    lasts = _number(query["x-amz-expires"], 10)
    try:
        start = time.strptime(query["x-amz-date"], _AMZ_DATE)
    except ValueError:
        return None
    return None if lasts is None else calendar.timegm(start) + lasts
