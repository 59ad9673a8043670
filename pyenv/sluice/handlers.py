"""The ways out that yt-dlp is offered: requests, curl_cffi and websockets, never urllib (it speaks ftp and file).

All three take the one proxy of the settings, whatever a page, an extractor or the environment says, and trust the one
bundle of roots (trust.py). None of them waits past the end of its job, nor goes beyond its limits (limits.py), and what
they keep from one job to the next is connections alone.
"""

import contextlib
import socket
import ssl
import threading
import time
import weakref
from typing import Any

import urllib3.connection
import urllib3.connectionpool
from curl_cffi.const import CurlOpt
from yt_dlp.networking import _curlcffi, _requests, _websockets

from sluice import bounded, trust
from sluice.limits import Meter, OutOfMemoryError
from sluice.transfer import Multi, OverdueError, Session, may_break_off


class _Kept:
    """A handler that serves many jobs, one after the other, each with an end."""

    proxies: dict[str, str | None]
    deadline: float | None = None
    """When the present job ends, as time.monotonic() tells it."""
    meter: Meter
    """What the present job has used of its limits."""

    def begin(self, deadline: float | None, meter: Meter) -> None:
        """Take a new job, with no HTTP session that has another cookie jar than this handler's.

        An extractor may have brought one of its own, and curl_cffi makes one for requests with a header `Cookie`.
        """
        self.deadline, self.meter = deadline, meter
        instances = getattr(self, "_InstanceStoreMixin__instances", [])
        for made_for, instance in instances[:]:
            if made_for["cookiejar"] is not self.cookiejar:  # type: ignore[attr-defined]
                instances.remove((made_for, instance))
                self._close_instance(instance)  # type: ignore[attr-defined]

    def send(self, request: Any) -> Any:
        """As yt-dlp's; raises OutOfMemoryError in place of MemoryError."""
        try:
            return super().send(request)  # type: ignore[misc]
        except MemoryError as error:
            raise OutOfMemoryError from error

    def _send(self, request: Any) -> Any:
        self.meter.add("requests")
        return super()._send(request)  # type: ignore[misc]

    def _get_proxies(self, _request: object) -> dict[str, str | None]:
        # A header `Ytdl-request-proxy`, or a request's own `proxies`, would take a request past the proxy.
        return dict(self.proxies)

    def _calculate_timeout(self, request: Any) -> float:
        timeout: float = super()._calculate_timeout(request)  # type: ignore[misc]
        left = timeout if self.deadline is None else self.deadline - time.monotonic()
        if left <= 0:
            raise OverdueError
        return min(timeout, left)


class RequestsRH(_Kept, _requests.RequestsRH):
    """The ordinary handler."""

    _redirects = 0
    """Of the present request."""

    def _send(self, request: Any) -> Any:
        self._redirects = 0
        return super()._send(request)

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: Any = None) -> Any:
        session = super()._create_instance(cookiejar, legacy_ssl_support)
        # Called before anybody reads the answer's body: requests itself reads those of redirects.
        session.hooks["response"] = [self._answered]
        # Out of the way: it is counted here.
        session.max_redirects = self.meter.limits.redirects + 1
        return session

    def _answered(self, response: Any, *_: Any, **__: Any) -> None:
        response.raw.page = self.meter.page()
        if response.is_redirect:
            self._redirects += 1
            self.meter.check("redirects", self._redirects)
            self.meter.add("requests")

    def _make_sslcontext(self, legacy_ssl_support: bool | None = None) -> ssl.SSLContext:
        legacy = self.legacy_ssl_support if legacy_ssl_support is None else legacy_ssl_support
        return trust.context(bool(legacy))


class WebsocketsRH(_Kept, _websockets.WebsocketsRH):
    """For wss: pages. It knows SOCKS proxies only, so with an HTTP proxy its requests are refused."""

    def _send(self, request: Any) -> Any:
        websocket = super()._send(request)
        websocket.page = self.meter.page()
        return websocket


class CurlCFFIRH(_Kept, _curlcffi.CurlCFFIRH):
    """For requests that must look like a browser's (TikTok)."""

    verify: bool | str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._multi = Multi()
        if self.verify:
            # A path is obeyed; True means "as the environment says", which was found out by measurement.
            self.verify = trust.beside_folder()

    def begin(self, deadline: float | None, meter: Meter) -> None:
        """As told; and libcurl's waits end with the job, too."""
        super().begin(deadline, meter)
        self._multi.begin_job(deadline, meter)

    def _create_instance(self, cookiejar: Any = None) -> Any:
        # libcurl reads http_proxy and no_proxy by itself; an empty string switches that off.
        options = {CurlOpt.PROXY: self.proxies.get("all") or "", CurlOpt.NOPROXY: "", CurlOpt.CAPATH: trust.FOLDER}
        # By default it follows a redirect to ftp.
        options |= {CurlOpt.PROTOCOLS_STR: "http,https", CurlOpt.REDIR_PROTOCOLS_STR: "http,https"}
        return Session(self._multi, cookies=cookiejar, curl_options=options, trust_env=False)

    def close(self) -> None:
        """Close the sessions, which yt-dlp leaves to the garbage collector, and their connections."""
        self._clear_instances()
        self._multi.close()
        super().close()


HANDLERS = (RequestsRH, CurlCFFIRH, WebsocketsRH)


class _Grip:
    """A second hold on a socket, by which another thread can end a read from it.

    The first one is out of reach while TLS is set up, and closing a descriptor does not wake who reads from it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock.dup()
        _open.setdefault(threading.get_ident(), weakref.WeakSet()).add(self)

    def shut(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()


class _Shut:
    """A connection of urllib3's with a grip that lasts as long as the socket: an answer may outlive its connection."""

    response_class = bounded.Reply
    _grip: _Grip | None = None
    _answering = False

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._grip = _Grip(sock)
        return sock

    def getresponse(self) -> Any:
        self._answering = True
        try:
            response = super().getresponse()  # type: ignore[misc]
        finally:
            self._answering = False
        if self.sock is None:  # type: ignore[attr-defined]
            # Closed already, because there will be no other answer: the socket is this one's now.
            response._sluice_grip, self._grip = self._grip, None
        return response

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        if self._grip is not None and not self._answering:
            self._grip.close()
            self._grip = None


class _Connection(_Shut, urllib3.connection.HTTPConnection):
    pass


class _TLSConnection(_Shut, urllib3.connection.HTTPSConnection):
    pass


_open: dict[int, weakref.WeakSet[_Grip]] = {}
"""Grips by the thread that opened the connection."""

urllib3.connectionpool.HTTPConnectionPool.ConnectionCls = _Connection
urllib3.connectionpool.HTTPSConnectionPool.ConnectionCls = _TLSConnection
bounded.install()


def shut(thread: int) -> bool:
    """End what a thread reads from `requests`: it gets an error at once. curl_cffi's waits end by themselves.

    Returns whether an exception may be raised in the thread, as long as the caller keeps the interpreter's lock.
    """
    # The thread may open another one meanwhile; then it is told again.
    with contextlib.suppress(RuntimeError):
        for grip in list(_open.get(thread, ())):
            grip.shut()
    return may_break_off(thread)


def forget(thread: int) -> None:
    """Drop the record of a thread that ends: its number may be given to another."""
    _open.pop(thread, None)
