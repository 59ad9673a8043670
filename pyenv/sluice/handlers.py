"""The ways out that yt-dlp is offered: requests, curl_cffi and websockets, never urllib (it speaks ftp and file).

All three take the one proxy of the settings, whatever a page, an extractor or the environment says, and trust the one
bundle of roots (trust.py).
"""

from typing import Any

import curl_cffi.requests
from curl_cffi.const import CurlOpt
from yt_dlp.networking import _curlcffi, _requests, _websockets

from sluice import trust


class _OneProxy:
    """A header `Ytdl-request-proxy`, or a request's own `proxies`, would take a request past the proxy."""

    proxies: dict[str, str | None]

    def _get_proxies(self, _request: object) -> dict[str, str | None]:
        return dict(self.proxies)


class RequestsRH(_OneProxy, _requests.RequestsRH):
    """The ordinary handler."""


class WebsocketsRH(_OneProxy, _websockets.WebsocketsRH):
    """For wss: pages. It knows SOCKS proxies only, so with an HTTP proxy its requests are refused."""


class CurlCFFIRH(_OneProxy, _curlcffi.CurlCFFIRH):
    """For requests that must look like a browser's (TikTok)."""

    verify: bool | str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.verify:
            # A path is obeyed; True means "as the environment says", which was found out by measurement.
            self.verify = trust.where()

    def _create_instance(self, cookiejar: Any = None) -> Any:
        # libcurl reads http_proxy and no_proxy by itself; an empty string switches that off.
        options = {CurlOpt.PROXY: self.proxies.get("all") or "", CurlOpt.NOPROXY: ""}
        return curl_cffi.requests.Session(cookies=cookiejar, curl_options=options, trust_env=False)

    def close(self) -> None:
        """Close the sessions, which yt-dlp leaves to the garbage collector: each holds sockets and a thread."""
        self._clear_instances()
        super().close()


HANDLERS = (RequestsRH, CurlCFFIRH, WebsocketsRH)
