"""A place to strike the whole way of a bar with the sandbox's faults and see what comes of it.

Everything is real: a sandbox over HTTP, the vendor's client, an ephemeral Dagster instance, the graph of `definitions`.
Only waiting is skipped. Each run has a symbol of its own, so that no run meets what another left behind; its partition
holds files from before, so that a change shows. What is expected is the tests' business, how it reads `fault_table`'s.
"""

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Self

import dagster as dg

from mohlcv_dagster.cli import runs
from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs.assets import RETRY_WHEN_UNAVAILABLE
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.sandbox import InjectedFault, ReplayedMarket, Sandbox
from mohlcv_dagster.settings import BASE_URL, DATA_DIR, TIMEFRAMES, Settings
from mohlcv_dagster_tests.defs.impatient import ImpatientMassive, Vendor
from mohlcv_dagster_tests.defs.location import rules_of
from mohlcv_dagster_tests.defs.quiet_market import MONTH, AnySymbol, recorded

WINDOWS = 25  # 21 sessions of 57,600 seconds in pages of 50,000: 24.192
MINUTE = Timeframe(60, "1min")
BEFORE = b"what stood there before\n"

_AT_ONCE = RETRY_WHEN_UNAVAILABLE._replace(delay=0)


@dataclass(frozen=True)
class Observed:
    """What came of one run.

    Attributes:
        succeeded: the run.
        errors: the `error` in the metadata of each step that failed of itself.
        reasons: the sentences the run ended with, names of the moment replaced.
        failed_rules: names of rules that failed, file by file.
        changed: files of the whole data folder that appeared, went or differ, by path; no manifest
            entries, and no history where a raw file is among them.
        wanted: whether the partition's files are those of an undisturbed fetch.
        struck: requests for seconds that met a fault.
        asked: requests for seconds that arrived; those of the checks for minutes are not counted here.
        asked_again: requests that arrived for a window that had been asked for before.
        most_asked: requests for the window asked for most often.
        tried_again: how often the run said that it tries the month again after a while.
        facts: metadata of the raw file's materialization; empty where there was none.
    """

    succeeded: bool
    errors: tuple[str, ...]
    reasons: tuple[str, ...]
    failed_rules: tuple[str, ...]
    changed: frozenset[str]
    wanted: bool
    struck: int
    asked: int
    asked_again: int
    most_asked: int
    tried_again: int
    facts: dict[str, object]


class Lab:
    """A sandbox, an instance and a data folder, as a context manager.

    Args:
        folder: empty; everything is written under it.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._market = AnySymbol(ReplayedMarket(recorded(folder / "replay")))
        self._open = ExitStack()
        self._symbols = 0

    def __enter__(self) -> Self:
        self._sandbox = self._open.enter_context(Sandbox(self._market))
        self._instance = self._open.enter_context(dg.DagsterInstance.ephemeral())
        self._undisturbed = [b""]
        calm = self.run([])
        if not calm.succeeded or calm.asked != WINDOWS or calm.asked_again:
            raise AssertionError(f"the undisturbed month went wrong: {calm}")
        self._undisturbed = [self._path(file).read_bytes() for file in _files(self._symbol)]
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def _symbol(self) -> str:
        return f"F{self._symbols}"

    def run(
        self,
        faults: Sequence[InjectedFault],
        vendor: Vendor | None = None,
        symbol: str | None = None,
        *,
        stored: bool = True,
    ) -> Observed:
        """A run under faults, each kept for this run's requests.

        Args:
            faults: in the order they are looked at.
            vendor: how it is asked.
            symbol: a fresh one unless given.
            stored: whether files stand there before.
        """
        self._symbols += 1
        symbol = symbol or self._symbol
        self._sandbox.inject(*(replace(fault, symbol=symbol) for fault in faults))
        for file in _files(symbol) if stored else ():
            self._path(file).parent.mkdir(parents=True, exist_ok=True)
            self._path(file).write_bytes(BEFORE)
        before = self._tree()
        raw = BarFile(symbol, RAW, MONTH)
        outcome = runs.materialize(self._definitions(vendor or Vendor()), self._instance, raw, [RAW, MINUTE])
        return self._observed(outcome, symbol, before)

    def without_vendor(self) -> Observed:
        """A run against a port where nobody listens."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            return self.run([], Vendor(url=f"http://127.0.0.1:{unused.getsockname()[1]}"))

    def dying_vendor(self) -> Observed:
        """A run whose vendor goes away for good when it is asked for the tenth."""
        market = replace(self._market, dying=threading.Event(), dies_on=date(2024, 1, 10))
        with Sandbox(market) as mortal, ExitStack() as stack:
            gone = threading.Thread(target=_close_when, args=(mortal, market.dying), daemon=True)
            gone.start()
            stack.callback(gone.join)
            stack.callback(market.dying.set)
            observed = self.run([], Vendor(url=mortal.url, concurrency=2))
            return replace(observed, asked=len(mortal.requests))

    def _definitions(self, vendor: Vendor) -> dg.Definitions:
        url = vendor.url or self._sandbox.url
        told = {BASE_URL.variable: url, DATA_DIR.variable: str(self._data), TIMEFRAMES.variable: str(MINUTE)}
        massive = ImpatientMassive(
            base_url=url,
            concurrency=vendor.concurrency,
            api_key=vendor.key,
            attempt_seconds=vendor.attempt_seconds,
            tries=vendor.tries,
        )
        return build(Settings.from_environment(told), massive=massive, retry=_AT_ONCE)

    def _observed(self, outcome: runs.FinishedRun, symbol: str, before: dict[str, bytes]) -> Observed:
        after = self._tree()
        changed = {path for path in before | after if before.get(path) != after.get(path)}
        if any(path.startswith("raw_1s/") for path in changed):  # what it was is kept
            changed = {path for path in changed if not path.startswith("history/")}
        entries = self._instance.all_logs(outcome.run_id)
        events = [entry.dagster_event for entry in entries if entry.dagster_event]
        requests = [served for served in self._sandbox.requests if f"/ticker/{symbol}/range/1/second/" in served.path]
        windows = Counter(served.path for served in requests)
        return Observed(
            succeeded=outcome.succeeded,
            errors=tuple(_errors(events)),
            reasons=tuple(neutral(reason, symbol) for reason in outcome.reasons),
            failed_rules=tuple(_failed_rules(events)),
            changed=frozenset(path.replace(symbol, "ABC") for path in changed),
            wanted=[after.get(str(file.path)) for file in _files(symbol)] == self._undisturbed,
            struck=sum(served.fault is not None for served in requests),
            asked=len(requests),
            asked_again=len(requests) - len(windows),
            most_asked=max(windows.values(), default=0),
            tried_again=sum(entry.user_message.startswith("trying again in ") for entry in entries),
            facts=_facts(events),
        )

    def _path(self, file: BarFile) -> Path:
        return self._data / str(file.path)

    def _tree(self) -> dict[str, bytes]:
        files = (path for path in self._data.rglob("*") if path.is_file() and "manifest" not in path.parts)
        return {path.relative_to(self._data).as_posix(): path.read_bytes() for path in files}


def fault(spec: str, times: int | None = None) -> InjectedFault:
    """The fault of a spec, struck so many times, or for ever; an empty page is spared where it would show less."""
    parsed = InjectedFault.parse(spec)
    spared = parsed.kind.rows if parsed.kind.name == "null-when-empty" else max(parsed.kind.rows, 1)
    return replace(parsed, times=times, kind=replace(parsed.kind, rows=spared))


def neutral(text: str, symbol: str) -> str:
    """A message with what differs by run, machine or library replaced, such as marks, ports, lengths and durations."""
    for pattern, instead in (
        (rf"(?:\b|(?<=/)){symbol}(?=X?(?:\b|_))", "ABC"),
        (r"(?<=sandbox-)[0-9a-f]+", "…"),
        (r"(?<=127\.0\.0\.1:)\d+", "8123"),
        (r"\b\d+(?= bytes| more expected)", "…"),
        (r"(?<=times in )\d+(?= s)", "…"),
        (r"(?<=JSON parse error: )[^)]+", "…"),
        (r"\[Errno \d+\] ", ""),
    ):
        text = re.sub(pattern, instead, text)
    return text


def _files(symbol: str) -> list[BarFile]:
    return [BarFile(symbol, timeframe, MONTH) for timeframe in (RAW, MINUTE)]


def _close_when(sandbox: Sandbox, dying: threading.Event) -> None:
    dying.wait()
    sandbox.close()


def _errors(events: Iterable[dg.DagsterEvent]) -> Iterable[str]:
    for event in events:
        if event.is_step_failure and event.step_failure_data.user_failure_data is not None:
            yield str(event.step_failure_data.user_failure_data.metadata["error"].value)


def _failed_rules(events: Iterable[dg.DagsterEvent]) -> Iterable[str]:
    for event in events:
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            table = rules_of(event.asset_check_evaluation_data)
            yield from (rule for rule, row in table.items() if row["result"] in {"warning", "error"})


def _facts(events: Iterable[dg.DagsterEvent]) -> dict[str, object]:
    for event in events:
        if event.is_step_materialization:
            made = event.step_materialization_data.materialization
            if made.asset_key == dg.AssetKey("raw_1s"):
                return {name: value.value for name, value in made.metadata.items()}
    return {}
