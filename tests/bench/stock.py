"""yt-dlp's own handlers, made to trust the stage's CA and to close what they opened, and otherwise left as they are.

They stay like this whatever Sluice does with its own, so that what they are measured for stays the same.
"""

from typing import Any

import curl_cffi.requests
from curl_cffi.const import CurlOpt
from sluice import trust
from yt_dlp.networking import _curlcffi, _requests, _websockets


class RequestsRH(_requests.RequestsRH):  # type: ignore[misc]  # yt-dlp is untyped
    """The ordinary handler: it asks certifi, whose answer `trust` gives."""


class WebsocketsRH(_websockets.WebsocketsRH):  # type: ignore[misc]  # yt-dlp is untyped
    """For wss: pages."""


class CurlCFFIRH(_curlcffi.CurlCFFIRH):  # type: ignore[misc]  # yt-dlp is untyped
    """For requests that must look like a browser's (TikTok)."""

    verify: bool | str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.verify:
            # A path is obeyed; True means "as the environment says".
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
