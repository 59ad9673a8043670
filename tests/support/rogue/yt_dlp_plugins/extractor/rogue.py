"""A yt-dlp plugin for tests: extractors that do what the path of their URL says, which is harm, mostly.

A name in a path is that of a FIFO in the server's folder of Python, by which a test ends what would last for ever.
"""

import contextlib
import ctypes
import fcntl
import mmap
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sluice import javascript, trust
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.extractor.cybrary import CybraryBaseIE
from yt_dlp.extractor.redgifs import RedGifsBaseIE
from yt_dlp.utils import ExtractorError, Popen

HOST = "rogue.example.net"

# plugins/rogue/yt_dlp_plugins/extractor/rogue.py, below the folder.
_FOLDER = Path(__file__).parents[4]


def _info(title: str, video_id: str) -> dict[str, Any]:
    formats = [{"format_id": "film", "url": f"https://{HOST}/film.mp4", "ext": "mp4"}]
    return {"id": video_id, "title": title, "formats": formats}


class RogueIE(InfoExtractor):
    """Does harm to whoever shares the process."""

    _VALID_URL = rf"https?://{HOST}/(?P<deed>spoil|look|spin|deaf|stubborn|block|grip|warn|script|fork)/(?P<id>\w+)"

    def _real_extract(self, url: str) -> dict[str, Any]:
        deed, video_id = self._match_valid_url(url).group("deed", "id")
        title = getattr(self, f"_{deed}")(video_id)
        return _info(title or deed, video_id)

    def _spoil(self, name: str) -> str:
        """Leave a mark wherever there is room for one, and tell where."""
        mark = f"canary_{name}"
        ydl = self._downloader
        self.mark = mark
        ydl.mark = mark
        ydl.params["mark"] = mark
        ydl.params["http_headers"]["X-Mark"] = mark
        ydl.params.setdefault("extractor_args", {})["mark"] = [mark]
        ydl.urlopen = _canary
        ydl.to_screen = _canary
        del ydl.params["simulate"]
        self._set_cookie(HOST, "mark", mark)
        self._set_cookie(".tiktok.com", "mark", mark)
        return self._marks()

    def _look(self, name: str) -> str:
        """Tell where marks are, after a request that would carry them."""
        self._download_webpage(f"https://{HOST}/page/{name}", name)
        return self._marks()

    def _marks(self) -> str:
        ydl = self._downloader
        places = {
            "self": vars(self),
            "ydl": {name: value for name, value in vars(ydl).items() if name not in ("params", "cookiejar", "_new")},
            "params": ydl.params,
            "cookies": list(ydl.cookiejar),
            "gone": [] if "simulate" in ydl.params else ["canary"],
        }
        return " ".join(["marks:", *(place for place, value in places.items() if "canary" in repr(value))])

    def _spin(self, _name: str) -> None:
        """Run for ever, as code does that catches too much."""
        while True:
            with contextlib.suppress(Exception):
                sum(range(1000))

    def _deaf(self, times: str) -> None:
        """Ignore so many orders to stop."""
        for _ in range(int(times)):
            with contextlib.suppress(BaseException):
                self._spin(times)
        self._spin(times)

    def _stubborn(self, name: str) -> None:
        """Ignore all orders to stop until the FIFO is gone."""
        fifo = _FOLDER / name
        while fifo.exists():
            try:
                # Inside, or an order might come while nobody catches it.
                while fifo.exists():
                    time.sleep(0.01)
            except BaseException:  # noqa: S110
                pass

    def _block(self, name: str) -> None:
        """Wait in C, where no order to stop arrives, and let others run."""
        (_FOLDER / name).read_bytes()

    def _grip(self, name: str) -> None:
        """Wait in C and let nobody run: a call by PyDLL keeps the interpreter's lock, as a pattern's match does."""
        fifo = os.open(_FOLDER / name, os.O_RDONLY)
        ctypes.PyDLL(None).read(fifo, ctypes.create_string_buffer(1), 1)
        os.close(fifo)

    def _script(self, name: str) -> str:
        """Run the script of that name on the site, and tell its exit code and what it printed."""
        script = self._download_webpage(f"https://{HOST}/scripts/{name}.js", name)
        try:
            code, output, complaint = javascript._run(script, 30.0)
        except RuntimeError as error:
            raise ExtractorError(str(error), expected=True) from error
        return f"{code} {output}{'' if not complaint else ' complained'}"

    def _fork(self, _name: str) -> str:
        """Start a process in every way there is, and tell which ways were refused."""
        ways = {
            "subprocess": lambda: subprocess.run(["true"]),
            "popen": lambda: Popen.run(["true"]),
            "system": lambda: os.system("true"),  # noqa: S605
            "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
            "fork": os.fork,
        }
        refused = []
        for way, start in ways.items():
            try:
                start()
            except PermissionError:
                refused.append(way)
        return " ".join(refused)

    def _warn(self, _name: str) -> None:
        self.report_warning("canary warning")
        self.to_screen("canary information")
        self.write_debug("canary detail")


class RogueTokenIE(CybraryBaseIE, RedGifsBaseIE):
    """Keeps tokens where two of yt-dlp's extractors do: in a class, and in a dict of a class."""

    _VALID_URL = rf"https?://{HOST}/keep/(?P<id>\w+)"

    def _real_initialize(self) -> None:
        pass

    def _real_extract(self, url: str) -> dict[str, Any]:
        video_id = self._match_id(url)
        title = f"kept: {CybraryBaseIE._TOKEN} {self._API_HEADERS.get('mark')}"
        CybraryBaseIE._TOKEN = video_id
        self._API_HEADERS["mark"] = video_id
        return _info(f"{title} now: {CybraryBaseIE._TOKEN} {self._API_HEADERS['mark']}", video_id)


class RogueEmbedIE(InfoExtractor):
    """Does harm from within the search for players in a page of any host: what such a page might have code do."""

    _VALID_URL = False

    def _extract_from_webpage(self, _url: str, webpage: str) -> Iterator[dict[str, Any]]:
        deed = self._search_regex(r'<rogue deed="(\w+)"', webpage, "deed", default=None)
        if deed:
            yield _info(getattr(self, f"_{deed}")(), deed)

    def _pid(self) -> str:
        return str(os.getpid())

    def _sockets(self) -> str:
        """Tell how many sockets to processes of this machine this one has, each counted once."""
        found = set()
        for descriptor in range(os.sysconf("SC_OPEN_MAX")):
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
                found |= {os.fstat(descriptor).st_ino} if copy.family == socket.AF_UNIX else set()
        return f"sockets: {len(found)}"

    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _eat(self) -> None:
        """Take memory without end, one megabyte at a time."""
        hoard = []
        while True:
            hoard.append(bytearray(1 << 20))

    def _break(self) -> str:
        """Try what no helper may, and what it may; tell what went."""
        deeds = {
            "compute": lambda: sum(range(10)),
            "read": lambda: Path("/etc/hostname").read_text(),
            "write": lambda: (_FOLDER / "written").write_text("canary"),
            "append": lambda: (_FOLDER / "appended").open("a").close(),
            "folder": lambda: (_FOLDER / "folder").mkdir(),
            "remove": lambda: (_FOLDER / "kept").unlink(),
            "start": lambda: subprocess.run(["/bin/true"], check=True),
            "fork": _forked,
            "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
            "kill": lambda: os.kill(os.getppid(), 0),
            "own": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid()),
            "trust": lambda: mmap.mmap(trust._memory[0], 0).close(),
            "parent": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        }
        return "went: " + " ".join(name for name, deed in deeds.items() if _went(deed))


def _forked() -> None:
    """Past Python's own guard."""
    child = ctypes.CDLL(None).fork()
    if child == 0:
        os._exit(0)
    if child < 0:
        raise PermissionError


def _went(deed: Callable[[], object]) -> bool:
    try:
        deed()
    except Exception:
        return False
    return True


def _canary(*_args: Any, **_kwargs: Any) -> None:
    pass
