"""Everything that Sluice knows of yt-dlp, behind a few names.

Rust calls `start` once per process, on the main thread, and then keeps one `Session` per worker thread. Where one does
not end in time, another thread asks `may_break_off` and has `OverdueError` raised in it. Only strings
cross, in both directions, and they are JSON: no object of this package leaves it. A call on a `Session` never raises:
an exception that escapes one is a bug here.
"""

# First of all: it decides which roots every HTTP library trusts, and some of them read that when they are imported.
from sluice import trust as trust  # isort: skip
from sluice import unneeded as unneeded  # isort: skip

from sluice.breaking import SIGNAL
from sluice.session import Session, start
from sluice.transfer import OverdueError, may_break_off

VERSION = "0.1.0"
"""That of the binary that this is made for: it refuses another."""

__all__ = ["SIGNAL", "VERSION", "OverdueError", "Session", "may_break_off", "start"]
