"""The stages of a month, each timed inside fresh processes. Whole jobs are in `runs`."""

import compileall
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import trials
from benchmarks.case import Case
from benchmarks.results import Results
from benchmarks.sandbox_process import SandboxProcess
from benchmarks.trials import Trial
from benchmarks.worker import TINY

OWN: Final = "ours"
LIBRARIES: Final = ("vectorised", *(("polars_best",) if find_spec("polars") else ()))
"""The best one-library ways: pandas always, Polars where it is installed."""
LATENCIES: Final = (0.05, 0.15)
ROOM_FOR_LATENCY: Final = 1.5


@dataclass
class Bench:
    """What every stage of a run works with.

    Attributes:
        sandbox: the vendor, its caches filled.
        case: the month, its files made.
        runs: how often each way is run.
        root: a folder for everything that is written.
        latency: seconds each request waits, in every stage.
        store: what the homes of the stage `pages` have their records in, `sqlite` or `postgresql`.
        original: the original's whole job, run once; `None` until it has been.
    """

    sandbox: SandboxProcess
    case: Case
    runs: int
    size: str
    root: Path
    results: Results
    latency: float = 0.0
    store: str = "sqlite"
    original: Trial | None = None

    def prepare(self) -> None:
        """Make the byte code of all that is installed, and the files of the month and of a tiny one."""
        compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)
        for case in (replace(self.case, symbol=TINY), self.case):
            self.sandbox.warm(case.symbol, case.months)
            trials.process(OWN, "month", case)
        self.sandbox.delay(self.latency)
        if "polars_best" not in LIBRARIES:
            self.results.notes.append(
                "Polars is not installed here: skipped (`uv run --with polars …` measures it too)."
            )


def drain(bench: Bench) -> None:
    """Download only: the time that the bytes take, and the CPU of the sandbox."""
    before = bench.sandbox.cpu
    for stage, sort in (("drained, packed", "fetch_packed"), ("drained, unpacked", "fetch")):
        found = trials.in_turn({"floor": _stage("floor", sort, bench.case)}, bench.runs)
        bench.results.add(stage, found)
    spent = (bench.sandbox.cpu - before) / (2 * bench.runs)
    bench.results.notes.append(f"The sandbox, alone: {spent:.2f} s of its own CPU to serve the month once.")


def fetch(bench: Bench) -> None:
    """Fetch and decode, without latency and with two."""
    stage = "fetch + decode"
    ways = {"floor": _stage("floor", "fetch", bench.case)}
    ways |= {way: _stage(way, "fetch", bench.case) for way in (OWN, *LIBRARIES, "original")}
    found = trials.in_turn(ways, bench.runs, once=("original",))
    bench.results.add(stage, found)
    bench.results.times_faster(stage, 90)
    fastest, floor = found[OWN].seconds, found["floor"].seconds
    bench.results.at_most(f"{stage}, to the drained bytes", 8, fastest / floor, "times")
    for latency in LATENCIES:
        bench.sandbox.delay(latency)
        delayed = f"{stage}, {latency * 1000:.0f} ms a request"
        late = trials.in_turn({way: _stage(way, "fetch", bench.case) for way in ("floor", OWN)}, bench.runs)
        bench.sandbox.delay(bench.latency)
        bench.results.add(delayed, late)
        bench.results.at_most(delayed, ROOM_FOR_LATENCY * fastest + 2 * latency, late[OWN].seconds, "s")


def write(bench: Bench) -> None:
    """CSV encode and whole-file write."""
    _compare(bench, "encode + write", "write", 18)


def read(bench: Bench) -> None:
    """CSV read."""
    _compare(bench, "read", "read", 35)


def aggregate(bench: Bench) -> None:
    """Three aggregates from the raw file, written."""
    _compare(bench, "three aggregates", "aggregate", 25)


def check(bench: Bench) -> None:
    """All checks of a month."""
    _compare(bench, "all checks", "check", 20)


def _compare(bench: Bench, stage: str, sort: str, wanted: float) -> None:
    ways = {way: _stage(way, sort, bench.case) for way in ("floor", OWN, *LIBRARIES, "original")}
    bench.results.add(stage, trials.in_turn(ways, bench.runs))
    bench.results.times_faster(stage, wanted)


def _stage(way: str, sort: str, case: Case) -> Callable[[bool], Trial]:
    """A trial of a way; the floor makes nothing, so it proves nothing."""

    def run(prove: bool) -> Trial:  # noqa: FBT001 - called by `in_turn` alone
        return trials.stage(way, sort, case, prove=prove and way != "floor")

    return run


STAGES: Final[dict[str, Callable[[Bench], None]]] = {
    each.__name__: each for each in (drain, fetch, write, read, aggregate, check)
}
