"""The stage `backfill`: through `mohlcv up`, with a real webserver, daemon and code server, by the UI's requests."""

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
from benchmarks.results import MEGABYTE, Row
from benchmarks.stages import OWN, Bench
from benchmarks.trials import Trial
from benchmarks.worker import digest

TIMEOUT: Final = 1800.0
"""Seconds a backfill may take."""
_START_TIMEOUT: Final = 120.0
_POLL_SECONDS: Final = 0.25
_SYMBOLS: Final = 20
_WANTED: Final = {"spy": 15.0, "quiet": 10.0}
_TO_PLAIN: Final = 1.4
"""A backfill of busy months, compared with the plain process over the same months: times as long at the most."""
_EVENT_LOG: Final = 0.15
"""Megabytes of Dagster's databases for a month, at the most."""
_CPU_A_MONTH: Final = 0.20
"""Seconds of CPU of a quiet month in a backfill, without the vendor, at the most."""
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
    """Twelve months of one symbol (twenty symbols where they are quiet), from the launch to the end."""
    symbols = [bench.case.symbol] if bench.size != "quiet" else [f"QT{chr(ord('A') + n)}" for n in range(_SYMBOLS)]
    stage = f"backfill of 12 months × {len(symbols)}"
    for symbol in symbols:
        bench.sandbox.warm(symbol, runs.TWELVE)
    folder = bench.root / "backfill"
    folder.mkdir()
    environment = runs.environment(bench, folder / "home", folder / "data")
    (folder / "home" / "dagster.yaml").unlink()  # `mohlcv up` writes its own
    with up(folder, environment) as (url, pid):
        for symbol in symbols:
            _ask(url, _ADD, where=_REPOSITORY, key=symbol)
        before = trials.cpu_of(pid)
        finished, worked = _launch(url, symbols)
        cpu = trials.cpu_of(pid) - before
    plain = _require_right_files(bench, symbols, folder / "data")
    scripts = _scripts(bench, symbols)
    bench.results.rows += [
        Row(stage, OWN, finished, cpu, 0, 1),
        Row(stage, f"{OWN}, to the end of the last run", worked, 0, 0, 1),
        Row(stage, "the plain process, 12 months of one symbol", plain.seconds, plain.cpu, plain.peak, 1),
        Row(stage, "original", scripts.seconds, 0, scripts.peak, 1),
    ]
    bench.results.times_faster(stage, _WANTED.get(bench.size, 15.0))
    if len(symbols) == 1:
        bench.results.at_most(f"{stage}, to the plain process", _TO_PLAIN, finished / plain.seconds, "times")
    else:
        each = cpu / (12 * len(symbols))
        bench.results.at_most(f"{stage}, CPU a month", _CPU_A_MONTH, each, "s")
    stored = sum(file.stat().st_size for file in (folder / "home" / "history").rglob("*.db*"))
    each = stored / (12 * len(symbols)) / MEGABYTE
    bench.results.at_most(f"{stage}, event log a month", _EVENT_LOG, each, "MB")


def _scripts(bench: Bench, symbols: list[str]) -> Trial:
    """What the original's scripts take for the same files."""
    if bench.size == "quiet":
        folder = str(bench.root / "original_backfill")
        case = replace(bench.case, symbol=symbols[0], months=runs.TWELVE, folder=folder)
        parts = [trials.process("original", script, case) for script in runs.SCRIPTS]
        bench.results.notes.append("The original's backfill: one symbol's 12 months were run, and taken ten times.")
        return Trial(len(symbols) * sum(part.seconds for part in parts), 0, max(part.peak for part in parts))
    one = runs.original(bench)
    started, worked = one.more["started"], one.more["worked"]
    bench.results.notes.append(
        "The original's backfill: its five processes started once, and the work of its one month taken 12 times: "
        f"{started:.1f} + 12 × {worked:.1f} s."
    )
    return Trial(started + 12 * worked, 0, one.peak)


def _require_right_files(bench: Bench, symbols: list[str], data: Path) -> Trial:
    """Require that a symbol's files equal those of the plain function; the run of that function.

    Raises:
        AssertionError: they are not.
    """
    written = replace(bench.case, symbol=symbols[-1], months=runs.TWELVE, folder=str(data))
    expected = replace(written, folder=str(bench.root / "expected"))
    plain = trials.process(OWN, "month", expected)
    digests = [digest(*(path.read_bytes() for path in case.files())) for case in (expected, written)]
    trials.require_same(dict(zip(("the plain function", "the backfill"), digests, strict=True)))
    count = sum(1 for _ in data.rglob("*.csv"))
    if count != len(symbols) * len(written.files()):
        raise AssertionError(f"the backfill left {count} files for {len(symbols)} symbols")
    return plain


def _launch(url: str, symbols: list[str]) -> tuple[float, float]:
    """Launch a backfill for each symbol; seconds until all have completed, and until the last run ended."""
    began, clock = time.perf_counter(), time.time()
    waiting = [_launched(url, [f"{month}|{symbol}" for month in runs.TWELVE]) for symbol in symbols]
    while time.perf_counter() - began < TIMEOUT:
        statuses = {each: _ask(url, _STATUS, id=each)["partitionBackfillOrError"]["status"] for each in waiting}
        if failed := set(statuses.values()) - {"REQUESTED", "CANCELING", "COMPLETED_SUCCESS"}:
            raise AssertionError(f"a backfill ended as {failed}")
        waiting = [each for each, status in statuses.items() if status != "COMPLETED_SUCCESS"]
        if not waiting:
            seconds = time.perf_counter() - began
            return seconds, max(run["endTime"] for run in _ask(url, _ENDED)["runsOrError"]["results"]) - clock
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"the backfill did not complete within {TIMEOUT:g} s")


def _launched(url: str, partitions: list[str]) -> str:
    """The id of a backfill over these partitions."""
    what = {"assetSelection": [{"path": asset.split("/")} for asset in _ASSETS], "partitionNames": partitions}
    launched: dict[str, str] = _ask(url, _LAUNCH, what=what)["launchPartitionBackfill"]
    if "backfillId" not in launched:
        raise RuntimeError(f"the backfill was not launched: {launched}")
    return launched["backfillId"]


@contextmanager
def up(folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """`mohlcv up` in a folder, loaded; its URL and its process."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-c", "from mohlcv_dagster.cli import main; main()", "up", "--port", str(port)]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=folder, env=trials.process_environment(environment), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}/graphql"
            _wait_until_loaded(url, process, folder / "up.log")
            yield url, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(90)


def _wait_until_loaded(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    over = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < over and process.poll() is None:
        with suppress(OSError):
            entries = _ask(url, _LOADED)["workspaceOrError"]["locationEntries"]
            if entries and all(entry["loadStatus"] == "LOADED" for entry in entries):
                return
        time.sleep(_POLL_SECONDS)
    raise RuntimeError(f"the UI did not come up:\n{log.read_text()[-2000:]}")


def _ask(url: str, query: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the query takes
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - http, ours
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        body = json.load(answer)
    if body.get("errors"):
        raise RuntimeError(f"GraphQL answered {body['errors']}")
    data: dict[str, Any] = body["data"]
    return data


BACKFILLS: Final[dict[str, Callable[[Bench], None]]] = {"backfill": backfill}
