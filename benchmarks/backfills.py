"""Backfills through `mohlcv up`: a real webserver, daemon and code server, asked as the UI asks. Nothing is patched."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks import runs, trials
from benchmarks.figures import Row
from benchmarks.stages import OWN, Bench
from benchmarks.trials import Trial
from benchmarks.worker import digest

PATIENCE: Final = 1800.0
"""Seconds a backfill may take."""
_STARTED_WITHIN: Final = 120.0
_LOOK_EVERY: Final = 0.25
_SYMBOLS: Final = 10
_WANTED: Final = {"spy": 15.0, "quiet": 10.0}
_ASSETS: Final = ("raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min")
_REPOSITORY: Final = {"repositoryName": "__repository__", "repositoryLocationName": "mohlcv_dagster.definitions"}

_LOADED: Final = "{workspaceOrError{...on Workspace{locationEntries{loadStatus}}}}"
_ADD: Final = """mutation($where: RepositorySelector!, $key: String!) {addDynamicPartition(
  partitionKey: $key, partitionsDefName: "symbol", repositorySelector: $where) {__typename}}"""
_LAUNCH: Final = """mutation($what: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $what) {
  __typename ...on LaunchBackfillSuccess {backfillId} ...on PythonError {message}}}"""
_STATUS: Final = """query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {...on PartitionBackfill {status}}}"""
_ENDED: Final = "{runsOrError(limit: 1000) {...on Runs {results {endTime}}}}"


def backfill(bench: Bench) -> None:
    """Twelve months of one symbol (ten symbols where they are quiet), from the launch to the end."""
    symbols = [bench.case.symbol] if bench.size != "quiet" else [f"QT{chr(ord('A') + n)}" for n in range(_SYMBOLS)]
    stage = f"backfill of 12 months × {len(symbols)}"
    for symbol in symbols:
        bench.served.warm(symbol, runs.TWELVE)
    folder = bench.root / "backfill"
    folder.mkdir()
    environment = runs.environment(bench, folder / "home", folder / "data")
    (folder / "home" / "dagster.yaml").unlink()  # `mohlcv up` writes its own
    with _up(folder, environment) as url:
        for symbol in symbols:
            _ask(url, _ADD, where=_REPOSITORY, key=symbol)
        partitions = [f"{month}|{symbol}" for month in runs.TWELVE for symbol in symbols]
        finished, worked = _launch(url, partitions)
    _demand_right(bench, symbols, folder / "data")
    scripts = _scripts(bench, symbols)
    bench.results.rows += [
        Row(stage, OWN, finished, 0, 0, 1),
        Row(stage, f"{OWN}, to the end of the last run", worked, 0, 0, 1),
        Row(stage, "original", scripts.seconds, 0, scripts.peak, 1),
    ]
    bench.results.times_faster(stage, _WANTED.get(bench.size, 15.0))


def _scripts(bench: Bench, symbols: list[str]) -> Trial:
    """What the original's scripts take for the same files."""
    if bench.size == "quiet":
        folder = str(bench.root / "original_backfill")
        case = replace(bench.case, symbol=symbols[0], months=runs.TWELVE, folder=folder)
        parts = [trials.process("original", script, case) for script in runs.SCRIPTS]
        bench.results.notes.append("The original's backfill: one symbol's 12 months were run, and taken ten times.")
        return Trial(len(symbols) * sum(part.seconds for part in parts), 0, max(part.peak for part in parts))
    one = runs.original(bench)
    started, worked = one.told["started"], one.told["worked"]
    bench.results.notes.append(
        "The original's backfill: its five processes started once, and the work of its one month taken 12 times: "
        f"{started:.1f} + 12 × {worked:.1f} s."
    )
    return Trial(started + 12 * worked, 0, one.peak)


def _demand_right(bench: Bench, symbols: list[str], data: Path) -> None:
    """Demand that a symbol's files are those of the plain function, which gave the original's bytes.

    Raises:
        AssertionError: they are not.
    """
    written = replace(bench.case, symbol=symbols[-1], months=runs.TWELVE, folder=str(data))
    due = replace(written, folder=str(bench.root / "due"))
    trials.process(OWN, "month", due)
    marks = [digest(*(path.read_bytes() for path in case.files())) for case in (due, written)]
    trials.same(dict(zip(("the plain function", "the backfill"), marks, strict=True)))
    count = sum(1 for _ in data.rglob("*.csv"))
    if count != len(symbols) * len(written.files()):
        raise AssertionError(f"the backfill left {count} files for {len(symbols)} symbols")


def _launch(url: str, partitions: list[str]) -> tuple[float, float]:
    """Seconds from the launch until the backfill says it is over, and until its last run ended."""
    began, clock = time.perf_counter(), time.time()
    what = {"assetSelection": [{"path": asset.split("/")} for asset in _ASSETS], "partitionNames": sorted(partitions)}
    launched = _ask(url, _LAUNCH, what=what)["launchPartitionBackfill"]
    if "backfillId" not in launched:
        raise RuntimeError(f"the backfill was not launched: {launched}")
    while time.perf_counter() - began < PATIENCE:
        told = _ask(url, _STATUS, id=launched["backfillId"])
        status = told["partitionBackfillOrError"]["status"]
        if status not in ("REQUESTED", "CANCELING"):
            seconds = time.perf_counter() - began
            if status != "COMPLETED_SUCCESS":
                raise AssertionError(f"the backfill ended as {status}")
            return seconds, max(run["endTime"] for run in _ask(url, _ENDED)["runsOrError"]["results"]) - clock
        time.sleep(_LOOK_EVERY)
    raise TimeoutError(f"the backfill was not over after {PATIENCE:g} s")


@contextmanager
def _up(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """`mohlcv up` in a folder, loaded; its URL."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-c", "from mohlcv_dagster.cli import main; main()", "up", "--port", str(port)]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=folder, env=trials.surroundings(environment), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}/graphql"
            _wait_until_loaded(url, process, folder / "up.log")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(90)


def _wait_until_loaded(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    over = time.monotonic() + _STARTED_WITHIN
    while time.monotonic() < over and process.poll() is None:
        with suppress(OSError):
            entries = _ask(url, _LOADED)["workspaceOrError"]["locationEntries"]
            if entries and all(entry["loadStatus"] == "LOADED" for entry in entries):
                return
        time.sleep(_LOOK_EVERY)
    raise RuntimeError(f"the UI did not come up:\n{log.read_text()[-2000:]}")


def _ask(url: str, query: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the query takes
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - http, ours
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        told = json.load(answer)
    if told.get("errors"):
        raise RuntimeError(f"GraphQL said {told['errors']}")
    data: dict[str, Any] = told["data"]
    return data


BACKFILLS: Final[dict[str, Callable[[Bench], None]]] = {"backfill": backfill}
