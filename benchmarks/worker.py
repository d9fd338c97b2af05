"""One measurement, in this fresh process: a way does a stage on a case; prints wall time, CPU, peak memory and proof.

`python -m benchmarks.worker WAY STAGE CASE [prove]`. Imports are done, and the stage is run once on a tiny month,
before the clock starts; whole jobs (`job`) are the exception: they are timed outside, from the process's start to its
end.
"""

import hashlib
import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.case import TIMEFRAMES, Case

TINY = "TINY"
WITHOUT_CHECKS = ("benchmarks.ways.floor",)
"""Ways that check nothing."""


@dataclass(frozen=True)
class PreparedStage:
    """A stage that is ready to be timed.

    Attributes:
        act: what is timed.
        prove: called with the result of `act` after the clock has stopped; gives what must be equal for every way.
    """

    act: Callable[[], Any]
    prove: Callable[[Any], str] = field(default=lambda _: "")


def fetch(way: Any, case: Case) -> PreparedStage:  # noqa: ANN401 - a module of `ways`
    """Fetch and decode a month."""
    return PreparedStage(lambda: way.fetch(case), lambda bars: digest(way.text(bars)))


def fetch_packed(way: Any, case: Case) -> PreparedStage:  # noqa: ANN401 - as above
    """Download a month without unpacking it."""
    return PreparedStage(lambda: way.fetch_packed(case))


def write(way: Any, case: Case) -> PreparedStage:  # noqa: ANN401 - as above
    """Encode a month and write the whole file."""
    bars = way.load(case.raw())
    at = replace(case, folder=f"{case.folder}.written").raw()
    at.parent.mkdir(parents=True, exist_ok=True)
    return PreparedStage(lambda: way.write(bars, at), lambda _: digest(at.read_bytes()))


def read(way: Any, case: Case) -> PreparedStage:  # noqa: ANN401 - as above
    """Read a month's file."""
    return PreparedStage(lambda: way.read(case.raw()), lambda bars: digest(way.text(bars)))


def aggregate(way: Any, case: Case) -> PreparedStage:  # noqa: ANN401 - as above
    """Make the three aggregates from the raw file, in a folder of its own."""
    copy = replace(case, folder=f"{case.folder}.resampled")
    for path in (copy.raw(), *map(copy.aggregate, TIMEFRAMES)):
        path.parent.mkdir(parents=True, exist_ok=True)
    copy.raw().unlink(missing_ok=True)
    copy.raw().hardlink_to(case.raw())
    return PreparedStage(lambda: way.aggregate(copy), lambda _: digest(*(p.read_bytes() for p in copy.files()[1:])))


def check(way: Any, case: Case) -> PreparedStage:  # noqa: ANN401 - as above
    """Check a month's files; the proof is what was found."""
    if case.symbol == TINY and way.__name__ not in WITHOUT_CHECKS:
        require_detection(way, case)
    act = _checking(way, case)
    return PreparedStage(act, lambda faults: "; ".join(faults) or "no fault")


def require_detection(way: Any, case: Case) -> None:  # noqa: ANN401 - as above
    """Change a volume in a copy of the files, and require that the way's checks find it.

    Raises:
        AssertionError: they do not.
    """
    changed = replace(case, folder=f"{case.folder}.changed")
    shutil.copytree(case.folder, changed.folder, dirs_exist_ok=True)
    at = changed.aggregate("30s")
    head, first, rest = at.read_text().split("\n", 2)
    time_and_prices, volume = first.rsplit(",", 1)
    at.write_text(
        "\n".join([head, f"{time_and_prices},{float(volume) + 1 if '.' in volume else int(volume) + 1}", rest])
    )
    if not _checking(way, changed)():
        raise AssertionError(f"{way.__name__} does not find a volume that was changed in {at}")


def _checking(way: Any, case: Case) -> Callable[[], list[str]]:  # noqa: ANN401 - as above
    if hasattr(way, "recorded"):
        records = way.recorded(case)
        return lambda: list(way.check(case, records))
    return lambda: list(way.check(case))


STAGES = {stage.__name__: stage for stage in (fetch, fetch_packed, write, read, aggregate, check)}


def digest(*contents: bytes) -> str:
    """A digest of these contents, in order."""
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def peak() -> int:
    """Peak memory of this process, bytes; `ru_maxrss` may show its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure(name: str, stage: str, case: Case, *, prove: bool) -> dict[str, Any]:
    """Run a stage and measure it: seconds and bytes."""
    way = importlib.import_module(f"benchmarks.ways.{name}")
    STAGES[stage](way, replace(case, symbol=TINY)).act()
    trial = STAGES[stage](way, case)
    os.sync()  # writes that another way left pending are not to be counted here
    cpu, wall = time.process_time(), time.perf_counter()
    result = trial.act()
    seconds, used = time.perf_counter() - wall, time.process_time() - cpu
    held = peak()
    return {"seconds": seconds, "cpu": used, "peak": held, "proof": trial.prove(result) if prove else ""}


def job(name: str, task: str, case: Case) -> dict[str, Any]:
    """Run a whole job once; with the seconds it worked, without its imports, and what else the way reports."""
    way = importlib.import_module(f"benchmarks.ways.{name}")
    began = time.perf_counter()
    faults = getattr(way, task)(case)
    worked = time.perf_counter() - began
    if faults:
        raise AssertionError(f"{name}.{task} found faults in good files: {faults[:3]}")
    return {"peak": peak(), "more": {"worked": worked, **getattr(way, "REPORT", {})}}


def main(arguments: list[str]) -> None:
    """Measure what the arguments say and print it as a line of JSON, the last on stdout."""
    name, stage, text, *flags = arguments
    case = Case.from_json(text)
    found = measure(name, stage, case, prove="prove" in flags) if stage in STAGES else job(name, stage, case)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
