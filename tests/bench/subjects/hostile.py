"""The hostile corpus against a server with 200 streams and named sites to extract; helpers that are killed; their cost.

Every hostile page is asked for once, by as many clients as there are helpers: a job waits for its turn within its own
YTDLP_TIMEOUT, so with more clients some pages would never be run. They come in rounds, each after a time when all of it
is quiet: a machine that is shared with others is a quarter faster at one time than some minutes later, which would else
be taken for the pages' doing. The controls, which are harmless, come after. The figures of a stage's own streams show
what of the gaps is not the server's doing.
"""

import functools
import operator
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asking
import common
import streams
from asking import Answer
from streams import Look
from watch import Seen, Watch

from subjects import any_host, killed

STREAMS = 200
ROUNDS = 8
QUIET = 8.0
"""Seconds of quiet before each round."""

NAMED_CLIENTS = 4
TIMEOUT = 3
"""YTDLP_TIMEOUT, in seconds."""

LISTED = 20  # names in a cell
HELPERS = 2  # GENERIC_WORKERS' default
WARM_UP = 20  # named pages


@dataclass(frozen=True)
class Phase:
    """What was seen in a time of so many `seconds`.

    `named`: answers about named pages by code; `health`: what `/health` said at the end.
    """

    through: Look
    direct: Look
    seen: Seen
    named: Counter[str]
    seconds: float
    health: dict[str, Any]

    def __add__(self, later: "Phase") -> "Phase":
        return Phase(
            self.through + later.through,
            self.direct + later.direct,
            self.seen + later.seen,
            self.named + later.named,
            self.seconds + later.seconds,
            later.health,
        )

    @property
    def rate(self) -> float:
        """Named extractions per second."""
        return self.named[asking.OK] / self.seconds


def run(options: common.Options) -> str:
    """Run the corpus once, then kill helpers, then weigh what a helper costs; each table is there at once."""
    for part in (corpus, killed.run):
        sys.stdout.write(f"\n{part(options)}")
        sys.stdout.flush()
    return any_host.run(options)


def corpus(options: common.Options) -> str:
    """Ask for everything; gives the tables."""
    with tempfile.TemporaryDirectory() as folder, common.stage(plays=["hostile", "drip"]) as internet:
        cases = _chosen(internet.corpus(), options.cases)
        settings = {**internet.settings, **streams.SETTINGS, "YTDLP_TIMEOUT": str(TIMEOUT)}
        with common.sluice(options, settings, log=Path(folder, "sluice")) as server:
            common.wait_until_warm(server)
            common.extractions(server, internet, NAMED_CLIENTS, WARM_UP)
            with (
                streams.streams(server, internet, STREAMS) as followed,
                Watch(server, options.setting("GENERIC_WORKERS", HELPERS)) as watch,
            ):
                quiet, loud, answers = _phases(server, internet, followed, watch, cases, options)
                controls = _asked(server, [case["control"] for case in cases], options)
                after = asking.health(server)
    timeout = options.setting("YTDLP_TIMEOUT", TIMEOUT)
    healths = [quiet[0].health, loud[-1].health, after]
    told = _told(cases, answers, controls, timeout)
    return "\n".join([_compared(quiet, loud), told, _server(_whole(loud), healths)])


def _chosen(cases: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """Mix them, so that no family comes alone; so many of them where not all are wanted."""
    return sorted(cases, key=lambda case: zlib.crc32(case["name"].encode()))[:count]


def _phases(
    server: common.Process,
    internet: common.Stage,
    followed: streams.Streams,
    watch: Watch,
    cases: list[dict[str, Any]],
    options: common.Options,
) -> tuple[list[Phase], list[Phase], list[Answer]]:
    quiet: list[Phase] = []
    loud: list[Phase] = []
    answers: list[Answer] = []
    size = -(-len(cases) // ROUNDS)
    with asking.Named(server, internet, NAMED_CLIENTS) as named:

        def begin() -> None:
            followed.look()
            watch.take()
            named.take()

        def end() -> Phase:
            answers, seconds = named.take()
            return Phase(*followed.look(), watch.take(), answers, seconds, asking.health(server))

        for first in range(0, len(cases), size):
            begin()
            time.sleep(QUIET)
            quiet.append(end())
            begin()
            answers += _asked(server, cases[first : first + size], options)
            loud.append(end())
    return quiet, loud, answers


def _whole(phases: Sequence[Phase]) -> Phase:
    return functools.reduce(operator.add, phases)


def _asked(server: common.Process, scenes: list[dict[str, Any]], options: common.Options) -> list[Answer]:
    with ThreadPoolExecutor(options.setting("GENERIC_WORKERS", HELPERS)) as clients:
        return list(clients.map(lambda scene: asking.ask(server, scene["url"]), scenes))


def _compared(quiets: Sequence[Phase], louds: Sequence[Phase]) -> str:
    def ms(seconds: float) -> str:
        return f"{seconds * 1000:.1f}"

    quiet, loud = _whole(quiets), _whole(louds)
    rows = [(f"length of all {len(louds)} phases, s", f"{quiet.seconds:.1f}", f"{loud.seconds:.1f}", "")]
    for name, text in (("middle", "median"), ("high", "p99"), ("longest", "longest")):
        for kind, whose in (("through", ""), ("direct", ", of the stage itself")):
            before, after = (getattr(getattr(phase, kind), name) for phase in (quiet, loud))
            rows.append((f"gap of a stream's pieces{whose}, {text}, ms", ms(before), ms(after), ms(after - before)))
    for name, text in (("open", "streams that go on, every byte right"), ("broken", "streams broken")):
        before, after = (getattr(phase.through, name) for phase in (quiet, loud))
        rows.append((text, str(before), str(after), ""))
    each = sorted(loud.rate / quiet.rate for quiet, loud in zip(quiets, louds, strict=True))
    ratio = f"x {loud.rate / quiet.rate:.2f} ({each[0]:.2f} ... {each[-1]:.2f})"
    rows.append(("named extractions per second", f"{quiet.rate:.1f}", f"{loud.rate:.1f}", ratio))
    before, after = (", ".join(_counts(phase.named, leave=asking.OK)) or "0" for phase in (quiet, loud))
    rows.append(("named extractions that failed", before, after, ""))
    for name, text in (("rss", "RSS of all processes"), ("server", "of it the server's"), ("pss", "PSS of all")):
        # Later ones have helpers without a job.
        before, after = (getattr(phase.seen, name) for phase in (quiets[0], loud))
        rows.append(
            (f"{text}, most, MB; quiet: before any helper", f"{before:.1f}", f"{after:.1f}", f"{after - before:.1f}")
        )
    title = f"hostile: {STREAMS} streams and {NAMED_CLIENTS} clients of named pages while the corpus runs"
    return asking.table(title, ("figure", "quiet", "loud", "difference"), rows)


def _told(cases: list[dict[str, Any]], answers: list[Answer], controls: list[Answer], timeout: float) -> str:
    wrong = [
        f"{case['family']}/{case['name']}: {answer.code}"
        for case, answer in zip(cases, answers, strict=True)
        if answer.code not in case["expect"] or (answer.code == asking.OK and not answer.gives(case["gives"]))
    ]
    bad = [
        f"{case['family']}/{case['name']}: {answer.code}"
        for case, answer in zip(cases, controls, strict=True)
        if not answer.gives(case["control"]["gives"])
    ]
    latest = max(range(len(cases)), key=lambda index: answers[index].seconds)
    late = sorted(answer.seconds - timeout for answer in answers)
    rows = [
        ("hostile pages asked for", str(len(cases))),
        *((f"answers `{code}`", str(count)) for code, count in Counter(it.code for it in answers).most_common()),
        ("answers that the case expects", str(len(cases) - len(wrong))),
        ("the others", _listed(wrong)),
        ("latest answer, after YTDLP_TIMEOUT, ms", f"{late[-1] * 1000:.0f} ({cases[latest]['name']})"),
        ("answers over 100 ms after YTDLP_TIMEOUT", str(sum(it > 0.1 for it in late))),
        ("controls answered well", f"{len(cases) - len(bad)} of {len(cases)}"),
        ("the other controls", _listed(bad)),
    ]
    return asking.table("hostile: what the pages' clients got", ("figure", ""), rows)


def _listed(names: list[str]) -> str:
    more = [f"and {len(names) - LISTED} more"] if len(names) > LISTED else []
    return ", ".join([*names[:LISTED], *more]) or "-"


def _server(loud: Phase, healths: Sequence[dict[str, Any]]) -> str:
    def each(*path: str) -> str:
        return ", ".join(str(functools.reduce(operator.getitem, path, it)) for it in healths)

    ended, exceeded = loud.health["quarantine"]["ended"], loud.health["limits_exceeded"]
    rows = [
        ("uptime after the first quiet phase, after the last loud one, after the controls, s", each("uptime")),
        ("longest hold of the interpreter's lock until then, ms", each("python_lock", "longest_ms")),
        ("limits exceeded", ", ".join(_counts(Counter(exceeded))) or "-"),
        ("helpers ended", ", ".join(_counts(Counter(ended))) or "-"),
        ("helpers seen to end; others that came", f"{loud.seen.ended}; {len(loud.seen.came)}"),
        (
            "from a helper's end until the next process is there, median and longest, ms",
            asking.spread(loud.seen.came),
        ),
        ("until that takes jobs, median and longest, ms", asking.spread(loud.seen.ready)),
    ]
    return asking.table("hostile: the server, one process all along, and its helpers", ("figure", ""), rows)


def _counts(counter: Counter[str], leave: str = "") -> list[str]:
    return [f"{name} {count}" for name, count in counter.most_common() if count and name != leave]
