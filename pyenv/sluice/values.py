"""What may cross from an info dict to Rust: one function for each type, which gives None for anything else."""

from typing import Any
from urllib.parse import urlsplit

MAX_KEY = 200  # characters of a format's id or a language: they go into tokens
MAX_TEXT = 20_000  # characters of a description; other texts are shorter
MAX_URL = 16_384  # characters
MAX_ADDRESS = 8_000  # bytes of a playlist's address, a key's or a fragment's (src/playlist/address.rs)
_MAX_INTEGER = 2**53  # what every reader of JSON holds exactly


def text(value: Any) -> str | None:
    """Return a non-empty string that UTF-8 can hold, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        return None
    return value[:MAX_TEXT].encode("utf-8", "replace").decode()


def integer(value: Any) -> int | None:
    """Return a whole number within ±2^53, or None; fractions are cut."""
    found = number(value)
    return None if found is None else int(found)


def count(value: Any) -> int | None:
    """Return a number of things or bytes, from 0 to 2^53, or None."""
    found = integer(value)
    return found if found is not None and found >= 0 else None


def number(value: Any) -> float | int | None:
    """Return a finite number within ±2^53, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Not so for NaN, either.
    return value if abs(value) <= _MAX_INTEGER else None


def texts(value: Any) -> list[str] | None:
    """Return the texts of a list, at most 50, or None."""
    if not isinstance(value, list | tuple):
        return None
    return [found for item in value[:50] if (found := text(item))] or None


def web_url(value: Any) -> str | None:
    """Return an http or https URL with a host, or None."""
    if not isinstance(value, str) or len(value) > MAX_URL:
        return None
    try:
        parts = urlsplit(value)
        # As yt-dlp will, and not all that is between two slashes is a name (RFC 1035, section 2.3.4).
        (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    return text(value) if parts.scheme in ("http", "https") and parts.hostname else None


def address(value: Any) -> str | None:
    """Return what `web_url` does, if the server takes it for a playlist, a key, or what fragments are relative to."""
    found = web_url(value)
    return found if found is not None and is_short(found) else None


def is_short(written: str) -> bool:
    """Tell whether an address, however it is written, has at most MAX_ADDRESS bytes."""
    return len(written.encode("utf-8", "replace")) <= MAX_ADDRESS
