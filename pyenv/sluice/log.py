"""What yt-dlp says on its way."""

from typing import Any

from sluice.messages import clean

_MAX_RECORDS = 200
_MAX_SERIOUS = 20
_MAX_RECORD = 500  # characters


class Log:
    """Takes what yt-dlp would print, as (level, text): debug, info, warning or error, and cleaned text.

    Keeps at most 20 warnings and errors, and 200 records in all, of 500 characters; debug and info only if `verbose`.
    """

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.records: list[tuple[str, str]] = []
        self._serious = 0

    def debug(self, message: object, *_: Any, **__: Any) -> None:
        """Keep what yt-dlp says on its way: it sends its ordinary output here, too, and marks what is for debugging."""
        if self.verbose and len(self.records) < _MAX_RECORDS - _MAX_SERIOUS + self._serious:
            self._keep("debug" if str(message).startswith("[debug] ") else "info", message)

    def info(self, message: object, *_: Any, **__: Any) -> None:
        """Keep as `debug` does: yt-dlp itself does not use it."""
        self.debug(message)

    def warning(self, message: object, *_: Any, **__: Any) -> None:
        """Keep a warning."""
        # Said of every page that no extractor knows by name, and nothing to warn of here.
        if "generic information extractor" in str(message):
            self.debug(message)
        else:
            self._keep_serious("warning", message)

    def error(self, message: object, *_: Any, **__: Any) -> None:
        """Keep an error; what ends the extraction comes as an exception, too."""
        self._keep_serious("error", message)

    def _keep_serious(self, level: str, message: object) -> None:
        if self._serious < _MAX_SERIOUS:
            self._serious += 1
            self._keep(level, message)

    def _keep(self, level: str, message: object) -> None:
        if text := clean(message, _MAX_RECORD):
            self.records.append((level, text))
