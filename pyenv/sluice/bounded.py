"""Answers that are counted while they are read, so that none is unpacked further than its job's limits."""

import contextlib
import http.client
import re
import socket
import time
from typing import Any

import urllib3.connection
import urllib3.response
from websockets.exceptions import WebSocketException
from yt_dlp.networking import _websockets
from yt_dlp.networking.exceptions import TransportError

from sluice.limits import LimitError, Page
from sluice.transfer import OverdueError

_PIECE = 256 << 10
"""Most bytes that are read, and most that are unpacked, before the next count."""

_LENGTH = re.compile(r"[0-9]{1,19}")
"""Bytes: 19 digits hold what any counter of 64 bits does."""


_LAST_READ = 1.0
"""Seconds that a thread may take to see that its connection was shut down."""


class Reply(http.client.HTTPResponse):
    """An answer whose length is one: Python's library takes any other for none, or reads on to the end for it."""

    def begin(self) -> None:
        """Read the head. Raises HTTPException for a Content-Length that is none (RFC 9112, section 6.3)."""
        super().begin()
        given = self.headers.get_all("Content-Length", [])
        # Several that are the same are one.
        lengths = {length.strip(" \t") for line in given for length in line.split(",")}
        if not self.chunked and (len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths))):
            raise http.client.HTTPException("the length of the answer is none")

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            self._close_conn()  # type: ignore[attr-defined]
            # As for what is no number.
            raise ValueError("the length of the chunk is none")
        return size


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

    def supports_chunked_reads(self) -> bool:
        """No: urllib3 has another reader of chunks, for `requests` and redirects, which `Reply` does not guard."""
        return False

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


_Adapter: Any = _websockets.WebsocketsResponseAdapter


class Messages(_Adapter):  # type: ignore[misc]
    """A websocket whose messages are counted; the library takes none of more than a mebibyte."""

    page: Page | None = None
    deadline: float | None = None
    """When the job ends, as time.monotonic() tells it."""

    def recv(self) -> Any:
        """Return the next message. Raises OverdueError; else what yt-dlp's does, which would wait for ever."""
        left = None if self.deadline is None else self.deadline - time.monotonic()
        try:
            message = self._ws.recv(timeout=left)
        except TimeoutError as error:
            raise OverdueError from error
        except (WebSocketException, RuntimeError) as error:
            raise TransportError(cause=error) from error
        if self.page is not None:
            self.page.add(len(message))
        return message

    def close(self) -> None:
        """End the connection, and wait until the library's thread reads from it no more.

        A socket that is closed while that thread is inside of a read gives its number to the next one, whose first
        bytes the thread then takes.
        """
        with contextlib.suppress(OSError):
            self._ws.socket.shutdown(socket.SHUT_RDWR)
        self._ws.recv_events_thread.join(_LAST_READ)
        self._ws.close_socket()
        # Past yt-dlp's own, which closes without that wait.
        super(_Adapter, self).close()


def install() -> None:
    """Have urllib3 and yt-dlp make these, which both look up for every answer."""
    urllib3.connection.HTTPConnection.response_class = Reply
    urllib3.response.HTTPResponse = Response
    _websockets.WebsocketsResponseAdapter = Messages
