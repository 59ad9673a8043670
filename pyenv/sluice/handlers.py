"""The ways out that yt-dlp is offered: requests, curl_cffi and websockets, never urllib (it speaks ftp and file).

All three take the one proxy of their job, whatever a page, an extractor or the environment says, and without one fetch
nothing. They trust the one bundle of roots (trust.py). None of them waits past the end of its job, nor goes beyond its
limits (limits.py), and what they keep from one job to the next is connections alone, for jobs with the same proxy.
"""

import contextlib
import ssl
import time
from typing import Any

from curl_cffi.const import CurlOpt
from yt_dlp.networking import _curlcffi, _requests, _websockets
from yt_dlp.networking.exceptions import ProxyError

from sluice import bounded, guard, trust
from sluice.limits import Meter, OutOfMemoryError
from sluice.transfer import Multi, OverdueError, Session

_MAX_PROXIES = 4
"""Proxies whose connections are kept: one may be new with every job."""


class _Kept:
    """A handler that serves many jobs, one after the other, each with an end."""

    proxies: dict[str, str | None]
    deadline: float | None = None
    """When the present job ends, as time.monotonic() tells it."""
    meter: Meter
    """What the present job has used of its limits."""

    def begin(self, deadline: float | None, meter: Meter, proxy: str | None) -> None:
        """Take a new job, whose way out is `proxy`, with no HTTP session of another cookie jar than this handler's.

        An extractor may have brought one of its own, and curl_cffi makes one for requests with a header `Cookie`.
        """
        self.deadline, self.meter = deadline, meter
        self.proxies = {"all": proxy}
        instances = getattr(self, "_InstanceStoreMixin__instances", [])
        for made_for, instance in instances[:]:
            if made_for["cookiejar"] is not self.cookiejar:  # type: ignore[attr-defined]
                instances.remove((made_for, instance))
                self._close_instance(instance)  # type: ignore[attr-defined]

    def end(self) -> None:
        """End the job."""

    def send(self, request: Any) -> Any:
        """As yt-dlp's; raises OutOfMemoryError in place of MemoryError."""
        try:
            return super().send(request)  # type: ignore[misc]
        except MemoryError as error:
            raise OutOfMemoryError from error

    def _send(self, request: Any) -> Any:
        self.meter.add("requests")
        return super()._send(request)  # type: ignore[misc]

    def _check_proxies(self, _proxies: object) -> None:
        """Do nothing: a request's own would make this handler refuse it."""

    def _get_proxies(self, _request: object) -> dict[str, str | None]:
        # Asked for every request. Its own `proxies`, or a header `Ytdl-request-proxy`, would take it past the guard.
        if not self.proxies.get("all"):
            raise ProxyError("The job has no way out")
        return dict(self.proxies)

    def _calculate_timeout(self, request: Any) -> float:
        timeout: float = super()._calculate_timeout(request)  # type: ignore[misc]
        left = timeout if self.deadline is None else self.deadline - time.monotonic()
        if left <= 0:
            raise OverdueError
        return min(timeout, left)


class _Adapter(_requests.RequestsHTTPAdapter):
    """Keeps the connections of a few proxies, those used last."""

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return what makes and keeps the connections by `proxy`."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        managers = self.proxy_manager
        managers[proxy] = managers.pop(proxy)
        while len(managers) > _MAX_PROXIES:
            managers.pop(next(iter(managers))).clear()
        return manager


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
    """For wss: pages."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._open: list[Any] = []

    def _send(self, request: Any) -> Any:
        websocket = super()._send(request)
        websocket.page, websocket.deadline = self.meter.page(), self.deadline
        self._open.append(websocket)
        return websocket

    def end(self) -> None:
        """Close what was opened: one that an exception has left is in a cycle with it, and waits for the collector."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().close()


class CurlCFFIRH(_Kept, _curlcffi.CurlCFFIRH):
    """For requests that must look like a browser's (TikTok)."""

    verify: bool | str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._multi = Multi()
        if self.verify:
            # A path is obeyed; True means "as the environment says", which was found out by measurement.
            self.verify = trust.beside_folder()

    def begin(self, deadline: float | None, meter: Meter, proxy: str | None) -> None:
        """As told; and libcurl's waits end with the job, too."""
        super().begin(deadline, meter, proxy)
        self._multi.begin_job(deadline, meter)

    def _create_instance(self, cookiejar: Any = None) -> Any:
        # The proxy is set with each request (yt-dlp's `_send`). libcurl reads no_proxy by itself, and without a proxy
        # http_proxy; an empty string switches that off.
        options: dict[CurlOpt, Any] = {CurlOpt.NOPROXY: "", CurlOpt.CAPATH: trust.FOLDER}
        # By default it follows a redirect to ftp.
        options |= {CurlOpt.PROTOCOLS_STR: "http,https", CurlOpt.REDIR_PROTOCOLS_STR: "http,https"}
        # It looks for a TLS session by the site's name alone: one taken up again by another way out would tell the site
        # that both are one client's (RFC 8446 appendix C.4).
        options[CurlOpt.SSL_SESSIONID_CACHE] = 0
        return Session(self._multi, cookies=cookiejar, curl_options=options, trust_env=False)

    def close(self) -> None:
        """Close the sessions, which yt-dlp leaves to the garbage collector, and their connections."""
        self._clear_instances()
        self._multi.close()
        super().close()


HANDLERS = (RequestsRH, CurlCFFIRH, WebsocketsRH)

IMPERSONATIONS = len(CurlCFFIRH._SUPPORTED_IMPERSONATE_TARGET_MAP)
"""How many browsers curl_cffi can look like."""

# Looked up for every session.
_requests.RequestsHTTPAdapter = _Adapter
bounded.install()
guard.install()
