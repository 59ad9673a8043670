"""An extraction without a server: what `scripts/bench extract` compares Sluice's CPU with.

One `YoutubeDL` and one extractor object, kept; a loop that clears the cookie jar and calls the extractor's own
`extract`, which fetches the page and reads it. Nothing finds the extractor, nothing sorts formats or makes an answer.

    pyenv/python tests/bench/bare.py --handlers stock --proxy http://127.0.0.1:8080 --ca-file ca.pem

`--handlers stock`: yt-dlp's own (stock.py); `own`: Sluice's. On a connection to the port that it prints, a line with a
prefix, a first id and a count has so many pages extracted, and is answered by `done` or by what went wrong.
"""

import argparse
import socket
import sys
from pathlib import Path
from typing import Any

from sluice import handlers, trust
from sluice.limits import Meter
from yt_dlp import YoutubeDL
from yt_dlp.extractor.tiktok import TikTokIE
from yt_dlp.utils import YoutubeDLError

# pyenv/python leaves a script's own folder off the path.
sys.path.append(str(Path(__file__).parent))
import stock

HANDLERS = {"stock": stock.HANDLERS, "own": handlers.HANDLERS}
SOCKET_TIMEOUT = 30  # seconds


class BareYdl(YoutubeDL):  # type: ignore[misc]  # yt-dlp is untyped
    """Stock yt-dlp with one of the two sets of handlers, and no extractor of its own."""

    def __init__(self, offered: Any, proxy: str | None) -> None:
        self._offered = offered
        options = {
            "quiet": True,
            "no_warnings": True,
            "proxy": proxy or "",
            "socket_timeout": SOCKET_TIMEOUT,
            "cachedir": False,
            "check_formats": False,
        }
        super().__init__(options, auto_init=False)

    def build_request_director(self, _handlers: Any, preferences: Any = None) -> Any:
        """Offer that set."""
        return super().build_request_director(self._offered, preferences)


def main() -> None:
    """Serve one line after the other, until killed."""
    parser = argparse.ArgumentParser(description="A loop of extractions without a server")
    parser.add_argument("--handlers", choices=list(HANDLERS), default="stock")
    parser.add_argument("--proxy", help="http://host:port")
    parser.add_argument("--ca-file", help="PEM roots trusted in addition")
    arguments = parser.parse_args()
    trust.install(arguments.ca_file)
    ydl = BareYdl(HANDLERS[arguments.handlers], arguments.proxy)
    extractor = TikTokIE(ydl)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"listening on 127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            client, _ = listener.accept()
            with client, client.makefile("rw") as lines:
                for line in lines:
                    lines.write(f"{extract(ydl, extractor, *line.split())}\n")
                    lines.flush()


def extract(ydl: Any, extractor: Any, prefix: str, first: str, count: str) -> str:
    """Extract pages with ids that follow each other; says how it went."""
    for number in range(int(first), int(first) + int(count)):
        ydl.cookiejar.clear()
        for handler in ydl._request_director.handlers.values():
            # Sluice's are told of every job, and count what it takes.
            if hasattr(handler, "begin"):
                handler.begin(None, Meter(), ydl.params["proxy"])
        try:
            info = extractor.extract(f"{prefix}{number}")
        except YoutubeDLError as error:
            return str(error)
        if info["id"] != str(number) or not info["formats"]:
            return f"no formats of {number}"
    return "done"


if __name__ == "__main__":
    main()
