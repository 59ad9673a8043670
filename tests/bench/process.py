"""Processes under measurement: a command with an environment of its own, its log, and what it costs."""

import itertools
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 60.0
"""Longest wait for a line in a log or for an answer, in seconds. To reach it is a failure."""

POLL = 0.02
"""Seconds between two looks at a log that is a file."""

TERM_LIMIT = 10.0
"""Longest that a process may take to end after SIGTERM, in seconds."""

_TICKS = os.sysconf("SC_CLK_TCK")  # clock ticks per second, the unit of CPU times in /proc


class BenchError(Exception):
    """What was to be measured did not work; there is no figure."""


class Process:
    """A child that logs to stdout and stderr. It is ended by `close`, and by the kernel when this process ends.

    Its output is read as it comes, or, with `log`, goes to that file, so that a line per request does not cost this
    process the CPU that others are measured on. `cores`: where it may run, as in `taskset -c`. Figures are sums over
    the process and its children. One with children that outlive it (nginx) needs `end="TERM"`.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        log: Path | None = None,
        cores: str | None = None,
        end: str = "KILL",
    ) -> None:
        self.name = Path(command[0]).name
        self.started = time.perf_counter()
        pinned = ["taskset", "-c", cores] if cores else []
        self._end = end
        self._log = log
        output = log.open("wb") if log else None
        # setpriv(1) becomes the command, so that its start costs both sides the same millisecond.
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", end, "--", *pinned, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.port = 0
        self._lines: list[str] = []
        self._ended = False
        self._change = threading.Condition()
        if output:
            output.close()
        else:
            threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            with self._change:
                self._lines.append(line.rstrip())
                self._change.notify_all()
        with self._change:
            self._ended = True
            self._change.notify_all()

    def wait_for(self, text: str) -> str:
        """Return the first line of output that holds `text`, as soon as it is there."""

        def found() -> str | None:
            return next((line for line in self._lines if text in line), None)

        if self._log:
            deadline = time.perf_counter() + PATIENCE
            while not found() and not self._ended and time.perf_counter() < deadline:
                time.sleep(POLL)
                self._ended = self.child.poll() is not None
                self._lines = self._log.read_text(errors="replace").splitlines()
        with self._change:
            self._change.wait_for(lambda: self._log or self._ended or found(), PATIENCE)
            line = found()
            if line is None:
                raise BenchError(f"{self.name} did not say {text!r}:\n" + "\n".join(self._lines[-20:]))
        return line

    def listening(self, text: str) -> None:
        """Learn the port from the line that holds `text` and, right after it, the port."""
        rest = self.wait_for(text).split(text)[1]
        self.port = int("".join(itertools.takewhile(str.isdigit, rest)))

    def wait_until_open(self) -> None:
        """Return as soon as `port` takes connections."""
        deadline = time.perf_counter() + PATIENCE
        while self.child.poll() is None and time.perf_counter() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            except ConnectionRefusedError:
                time.sleep(POLL)
            else:
                return
        said = self._log.read_text(errors="replace") if self._log else "\n".join(self._lines)
        raise BenchError(f"{self.name} does not listen on port {self.port}:\n{said[-2000:]}")

    def cpu(self) -> float:
        """CPU time so far, user and system, in seconds."""
        return sum(cpu_of(pid) for pid in self.pids())

    def rss(self) -> float:
        """Resident set (VmRSS), in MB of 10^6 bytes."""
        return self._megabytes("status", "VmRSS:")

    def peak(self) -> float:
        """Most that the resident set ever was (VmHWM), or was since `forget_peak`; in MB of 10^6 bytes."""
        return self._megabytes("status", "VmHWM:")

    def forget_peak(self) -> None:
        """Have `peak` begin anew (proc(5), clear_refs)."""
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def anonymous(self) -> float:
        """What of the resident set is no file's (RssAnon), in MB of 10^6 bytes."""
        return self._megabytes("status", "RssAnon:")

    def pss(self) -> float:
        """Proportional set: shared pages count in part. In MB of 10^6 bytes."""
        return self._megabytes("smaps_rollup", "Pss:")

    def _megabytes(self, name: str, key: str) -> float:
        return sum(kib_of(pid, name, key) for pid in self.pids()) * 1024 / 1e6

    def children(self) -> list[int]:
        """Processes that it has started and that are not reaped."""
        return children_of(self.child.pid)

    def pids(self) -> list[int]:
        """Itself and all that came of it."""
        found = [self.child.pid]
        for pid in found:
            found += children_of(pid)
        return found

    def close(self) -> None:
        """End it; there is nothing in it worth keeping."""
        if self._end == "TERM":
            self.child.terminate()
            try:
                self.child.wait(TERM_LIMIT)
            except subprocess.TimeoutExpired:
                pass
            else:
                return
        self.child.kill()
        self.child.wait()


def children_of(pid: int) -> list[int]:
    """Processes that one has started and that are not reaped; each belongs to the thread that started it."""
    found: list[int] = []
    with suppress(OSError):  # it may end meanwhile, or one of its threads
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def cpu_of(pid: int) -> float:
    """CPU time of a process so far, user and system, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def kib_of(pid: int, name: str, key: str) -> int:
    """Figure in KiB that a file of /proc/PID gives a process (proc(5)), such as `VmRSS:` in `status`."""
    lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
    # One that has ended, and is still there for its parent, has none.
    return int(next((line for line in lines if line.startswith(key)), f"{key} 0").split()[1])


@contextmanager
def running(
    command: Sequence[str | Path],
    settings: Mapping[str, str],
    *,
    log: Path | None = None,
    cores: str | None = None,
    end: str = "KILL",
) -> Iterator[Process]:
    """Run with a home of its own and nothing of the caller's environment but PATH."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, **settings}
        process = Process(command, environment, log=log, cores=cores, end=end)
        try:
            yield process
        finally:
            process.close()
