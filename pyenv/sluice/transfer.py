"""curl_cffi without its threads: one libcurl multi handle per session, driven by whoever reads the answer.

curl_cffi streams an answer by a helper thread and a new handle for each request, so that every request pays for a
connection, a TLS handshake and a parsed CA bundle (2 to 3 ms of CPU). A multi handle keeps all three
(libcurl-multi(3)), needs no thread, and gives Python the word at least every `_SLICE`, so that a job that is told to
stop does.
"""

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import curl_cffi.requests
from curl_cffi import Curl, CurlECode, CurlError, CurlMOpt, CurlOpt
from curl_cffi._wrapper import ffi, lib
from curl_cffi.requests.exceptions import RequestException, code2error
from curl_cffi.requests.streams import STREAM_END
from curl_cffi.requests.utils import set_curl_options

from sluice.limits import LimitError, Meter

_SLICE = 0.25
"""Seconds that a wait for the network lasts at most without a look at whether the job should stop."""

_MAX_CONNECTIONS = 6
"""Connections that a session keeps: a page needs one or two, to as many hosts."""

_MAX_UNREAD = 256 << 10
"""Bytes that an answer which nobody waits for may gather while another one is read."""

_PAUSE, _CONTINUE = 0x10000001, 0  # CURL_WRITEFUNC_PAUSE, CURLPAUSE_CONT, curl/curl.h
_REFUSE = 0xFFFFFFFF  # CURL_WRITEFUNC_ERROR

# For websockets, which nothing here opens by curl_cffi: 128 KiB with every handle.
Curl._WS_RECV_BUFFER_SIZE = 1

_DONE, _NO_MEMORY = 1, 3  # CURLMSG_DONE, CURLM_OUT_OF_MEMORY, curl/multi.h


class OverdueError(BaseException):
    """The job's time is up. Not an `Exception`: yt-dlp catches those, and goes on."""


_unbroken: set[int] = set()
"""Threads inside of what may not be broken off."""


def may_break_off(thread: int) -> bool:
    """Tell whether an exception may be raised in a thread, until the caller gives the interpreter's lock up."""
    return thread not in _unbroken


def _whole(work: Callable[..., Any]) -> Callable[..., Any]:
    """Keep others from raising an exception in the midst of `work`.

    Every call of libcurl gives the lock up, so that an order to stop would arrive on the return from it, most likely:
    after something is freed, and before that is noted.
    """

    @functools.wraps(work)
    def wrapper(*args: Any) -> Any:
        thread = threading.get_ident()
        if thread in _unbroken:
            return work(*args)
        try:
            # Within: an exception that was raised before comes out here.
            _unbroken.add(thread)
            return work(*args)
        finally:
            _unbroken.discard(thread)

    return wrapper


# Its `__del__` calls it again, whether or not it was broken off: what is freed twice ends the process.
Curl.close = _whole(Curl.close)


class Multi:
    """A libcurl multi handle: connections, parsed roots and resolved names that transfers share, one thread's own."""

    def __init__(self) -> None:
        self._handle = lib.curl_multi_init()
        self._number = ffi.new("int *")
        self._transfers: dict[Any, Transfer] = {}
        self.deadline: float | None = None
        """When the present job ends, as time.monotonic() tells it."""
        self.meter = Meter()
        """What the present job has used of its limits."""
        self.awaited: Transfer | None = None
        """Whose bytes are waited for."""
        lib.curl_multi_setopt(self._handle, CurlMOpt.MAXCONNECTS, ffi.new("long *", _MAX_CONNECTIONS))

    def begin_job(self, deadline: float | None, meter: Meter) -> None:
        """Drop what an earlier job has left unread, and note when this one ends, and what it may use."""
        for transfer in list(self._transfers.values()):
            transfer.result()
        self.deadline, self.meter, self.awaited = deadline, meter, None

    @_whole
    def begin(self, curl: Curl, transfer: "Transfer") -> None:
        """Start a transfer; its callbacks are called from within `step`."""
        curl._ensure_cacert()
        self._transfers[curl._curl] = transfer
        _check(lib.curl_multi_add_handle(self._handle, curl._curl))

    @_whole
    def end(self, curl: Curl) -> None:
        """Take a transfer out, done or not. Its connection is kept if the answer was read to its end."""
        if self._transfers.pop(curl._curl, None) is not None:
            _check(lib.curl_multi_remove_handle(self._handle, curl._curl))

    def step(self, transfer: "Transfer") -> None:
        """Move bytes; wait for some, if there are none. Raises OverdueError."""
        _check(lib.curl_multi_perform(self._handle, self._number))
        while (message := lib.curl_multi_info_read(self._handle, self._number)) != ffi.NULL:
            if message.msg == _DONE and (done := self._transfers.get(message.easy_handle)):
                done.finish(message.data.result)
        if transfer.is_idle():
            left = min(self.check_deadline(), _SLICE)
            _check(lib.curl_multi_poll(self._handle, ffi.NULL, 0, int(left * 1000) + 1, self._number))

    def check_deadline(self) -> float:
        """Return how many seconds are left; raises OverdueError."""
        left = _SLICE if self.deadline is None else self.deadline - time.monotonic()
        if left <= 0:
            raise OverdueError
        return left

    def __del__(self) -> None:
        self.close()

    @_whole
    def close(self) -> None:
        """Close all connections."""
        if self._handle is not None:
            # Takes out the transfers that are left by itself. Those in our list may have been freed, where `end` was
            # kept from being called.
            self._transfers.clear()
            lib.curl_multi_cleanup(self._handle)
            self._handle = None


def _check(code: int) -> None:
    if code == _NO_MEMORY:
        raise MemoryError
    if code:
        raise CurlError(f"curl_multi: {ffi.string(lib.curl_multi_strerror(code)).decode()}", 0)


class Transfer:
    """An answer on its way. curl_cffi takes it for the queue that its helper thread would fill."""

    def __init__(self, multi: Multi, curl: Curl) -> None:
        self._multi = multi
        self._curl = curl
        self._chunks: list[Any] = []
        self._unread = 0
        self._paused = False
        self._code: int | None = None
        self._page = multi.meter.page()
        self._over: LimitError | None = None

    def is_idle(self) -> bool:
        """Whether nothing has come since the last `get`."""
        return not self._chunks and self._code is None

    def add(self, chunk: bytes) -> int:
        """Take a piece of the body from libcurl, decoded; or tell it to wait, or that this is too much."""
        if self._unread >= _MAX_UNREAD and self._multi.awaited is not self:
            self._paused = True
            return _PAUSE
        try:
            self._page.add(len(chunk))
        # Not to be raised through C.
        except LimitError as error:
            self._over = error
            return _REFUSE
        self._unread += len(chunk)
        self._chunks.append(chunk)
        return len(chunk)

    def finish(self, code: int) -> None:
        """Note libcurl's result (CURLcode)."""
        self._code = code

    def wait(self) -> None:
        """Wait for the first piece of the body, or the end. Raises LimitError."""
        self._multi.awaited = self
        if self._paused:
            self._paused = False
            # What it brings on comes by `finish`.
            lib.curl_easy_pause(self._curl._curl, _CONTINUE)
        while self.is_idle():
            self._multi.step(self)
        if self._over is not None:
            raise self._over

    def get(self) -> Any:
        """Return what has come of the body since the last time, an exception of curl_cffi, or STREAM_END."""
        self.wait()
        self._multi.check_deadline()
        if not self._chunks:
            return self._error() or STREAM_END
        # In one piece: yt-dlp puts them together by copying all that it has, for each.
        chunks, self._chunks, self._unread = self._chunks, [], 0
        return b"".join(chunks)

    def check(self, response: Any) -> None:
        """Raise what libcurl's result stands for, unless something of the body came first."""
        error = None if self._chunks else self._error()
        if error is not None:
            if response is not None:
                error.response = response
            raise error

    def _error(self) -> Any:
        if not self._code:
            return None
        if self._code == CurlECode.TOO_MANY_REDIRECTS:
            self._multi.meter.raise_over("redirects")
        if self._code == CurlECode.OUT_OF_MEMORY:
            raise MemoryError
        # Of a callback, which libcurl only knows to have failed.
        if (raised := self._curl._get_callback_exception()) is not None:
            raise raised
        error: Any = self._curl._get_error(self._code, "perform")
        return code2error(error.code, str(error))(str(error), error.code)

    def result(self) -> None:
        """End the transfer: curl_cffi's word for waiting for its helper thread."""
        self._multi.end(self._curl)


class Session(curl_cffi.requests.Session):  # type: ignore[misc]  # untyped, to mypy
    """A session whose streamed requests go through a `Multi`."""

    def __init__(self, multi: Multi, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._multi = multi

    def _request_once(self, method: Any, url: str, **asked: Any) -> Any:
        """As curl_cffi's with `stream=True`, which is all that yt-dlp asks for."""
        # What yt-dlp has set on the session's own handle is for this request.
        curl = self.curl.duphandle()
        self.curl.reset()
        transfer = Transfer(self._multi, curl)
        headers = asked.get("headers")
        request, _, head, *_ = set_curl_options(
            curl,
            method=method,
            url=url,
            params_list=[None, None],
            data=asked.get("data"),
            headers_list=[None, headers],
            cookies_list=[self._cookies, None],
            timeout=asked.get("timeout"),
            max_redirects=self._multi.meter.limits.redirects,
            proxies_list=[None, None],
            verify_list=[True, asked.get("verify")],
            accept_encoding="gzip, deflate, br",
            impersonate=asked.get("impersonate"),
            interface=asked.get("interface"),
            stream=True,
            content_callback=None,
            queue_class=lambda: transfer,
            event_class=_Flag,
            curl_options=self.curl_options,
        )
        curl.setopt(CurlOpt.WRITEFUNCTION, transfer.add)
        try:
            self._multi.begin(curl, transfer)
            transfer.wait()
            response = self._parsed(transfer, curl, head)
            response.request = request
            transfer.check(response)
            self._multi.meter.add("requests", response.redirect_count)
        except BaseException:
            self._multi.end(curl)
            curl.close()
            raise
        response.stream_task = transfer
        response.queue = transfer
        return response

    def _parsed(self, transfer: Transfer, curl: Curl, head: Any) -> Any:
        try:
            return self._parse_response(curl, None, head, "utf-8", False)
        except MemoryError:
            raise
        except Exception as error:
            # What came was no HTTP. yt-dlp would take any other exception for a fault of this handler, and try others.
            transfer.check(None)
            raise RequestException("the head of the answer can't be read") from error


class _Flag:
    """In place of the events by which curl_cffi and its helper thread talk."""

    def set(self) -> None: ...

    def is_set(self) -> bool:
        return False
