"""Answers that are counted while they are read, so that none is unpacked further than its job's limits."""

from typing import Any

import urllib3.response
from yt_dlp.networking import _websockets

from sluice.limits import LimitError, Page

_PIECE = 256 << 10
"""Most bytes that are read, and most that are unpacked, before the next count."""


class Response(urllib3.response.HTTPResponse):  # type: ignore[misc]  # untyped, to mypy
    """An answer of urllib3's that counts what is read from it, once it has a `page` to count for."""

    page: Page | None = None

    def read(self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False) -> bytes:
        """As urllib3's, but never all at once."""
        if amt is not None and 0 <= amt <= _PIECE:
            return super().read(amt, decode_content, cache_content)
        # urllib3 unpacks no more than it is asked for: without a number, everything.
        left, pieces = float("inf") if amt is None or amt < 0 else amt, []
        while left > 0 and (piece := super().read(int(min(left, _PIECE)), decode_content)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _raw_read(self, *args: Any, **kwargs: Any) -> Any:
        return self._counted(super()._raw_read(*args, **kwargs), Page.add_raw)

    def _decode(self, *args: Any, **kwargs: Any) -> bytes:
        data: bytes = self._counted(super()._decode(*args, **kwargs), Page.add)
        return data

    def _counted(self, data: Any, add: Any) -> Any:
        if data and self.page is not None:
            try:
                add(self.page, len(data))
            except LimitError:
                # Half read, so of no use to the next request.
                self.close()
                raise
        return data


class Messages(_websockets.WebsocketsResponseAdapter):  # type: ignore[misc]
    """A websocket whose messages are counted; the library takes none of more than a mebibyte."""

    page: Page | None = None

    def recv(self) -> Any:
        """Return the next message."""
        message = super().recv()
        if self.page is not None:
            self.page.add(len(message))
        return message


def install() -> None:
    """Have urllib3 and yt-dlp make these, which both look up for every answer."""
    urllib3.response.HTTPResponse = Response
    _websockets.WebsocketsResponseAdapter = Messages
