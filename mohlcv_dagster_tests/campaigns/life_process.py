"""A process of a life: what `mohlcv fetch` does to a month, with the project's parts from decision to checks.

Only Dagster's runner is left out: the steps of a month (`defs.partition_loop`) are driven here, and the events that
they yield are recorded in a real, ephemeral instance as they come. The vendor's answers come from `life_vendor`, below
the official client.
"""

import gzip
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, tzinfo
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

import dagster as dg
import urllib3
from dagster._core.events import AssetMaterializationPlannedData
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from mohlcv_dagster.checks.registry import checks_for
from mohlcv_dagster.cli import runs
from mohlcv_dagster.dagster_patches.unexported import materialization_data
from mohlcv_dagster.defs import io_managers, month_state, partition_loop, records, refresh
from mohlcv_dagster.defs.partitions import asset_key, partition_key
from mohlcv_dagster.defs.progress import RunProgress
from mohlcv_dagster.errors import MohlcvError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.month_decision import Action, Decision, RunOptions, decide
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.providers.massive import transport
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import Clock, RetryPolicy
from mohlcv_dagster.storage import atomic_writes, history
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.reader import BarReader
from mohlcv_dagster_tests.campaigns.life_disk import Moment, World
from mohlcv_dagster_tests.campaigns.life_vendor import Vendor, answer

BASE_URL = "https://api.massive.com"
JOB = "life"
VENDOR_FAULTS = ("429", "500", "403", "reset", "silent", "cut", "cut gzip", "html", "count", "extra day", "NaN")


@dataclass
class Wire:
    """The way to the vendor: the pool of connections asks here.

    Attributes:
        vendor: who answers.
        moment: when.
        draw: which answers are faulty.
        world: told of each request.
        adjusted: whether bars are asked for adjusted for splits.
        faults: how many answers are faulty, from 0 to 1.
    """

    vendor: Vendor
    moment: Moment
    draw: Random
    world: World
    adjusted: bool
    faults: float = 0.0

    def ask(self, deadline: Any, method: str, url: str, **sent: Any) -> tuple[Any, bytes]:
        """One request, as `StrictPool` sends it."""
        path, fields = url.removeprefix(BASE_URL), dict(sent.get("fields") or {})
        fault = self.draw.choice(VENDOR_FAULTS) if self.draw.random() < self.faults else ""
        self.world.trace(f"ask {method} {path} {fault}")
        if fault == "reset":
            raise ProtocolError("the connection broke")
        if fault == "silent":
            self.moment.sleep(transport.SILENCE_SECONDS)
            raise ReadTimeoutError(None, path, "silence")  # type: ignore[arg-type]
        status, body = answer(self.vendor, path, fields, self.moment.now)
        status, body, headers = _spoilt(fault, status, body)
        deadline.received += len(body)
        return urllib3.HTTPResponse(b"", headers, status, preload_content=False), body


def _spoilt(fault: str, status: int, body: bytes) -> tuple[int, bytes, dict[str, str]]:
    if fault.isdecimal():
        return int(fault), b'{"status":"ERROR","error":"of the life"}', {"Retry-After": "1"} if fault == "429" else {}
    if fault == "cut gzip":
        return status, gzip.compress(body, mtime=0)[:-5], {"Content-Encoding": "gzip"}
    spoilt = {
        "cut": body[: len(body) * 2 // 3],
        "html": b"<html>gateway</html>",
        "count": body.replace(b'"resultsCount":', b'"resultsCount":1'),
        "extra day": body.replace(b'"t":1', b'"t":2', 1),
        "NaN": body.replace(b'"v":', b'"v":NaN,"w":', 1),
    }
    return status, spoilt.get(fault, body), {}


class Process:
    """Fetches months into an archive. What it keeps in memory ends with it.

    Args:
        world: its disk.
        instance: remembers what was done.
        wire: to the vendor.
        timeframes: the aggregates.
        number: of the process, for the ids of its runs.
    """

    def __init__(
        self,
        world: World,
        instance: dg.DagsterInstance,
        wire: Wire,
        timeframes: tuple[Timeframe, ...],
        number: int,
    ) -> None:
        self.world, self.instance, self.wire = world, instance, wire
        self.timeframes, self.number = timeframes, number
        atomic_writes._leftovers.clear()  # what a new process knows of the folders
        self.archive = Archive(world.root)
        self.reader = BarReader(self.archive)
        self._runs = 0

    def provider(self) -> MassiveProvider:
        """The vendor, by the official client."""
        moment, draw = self.wire.moment, self.wire.draw
        clock = Clock(lambda: moment.now, moment.seconds, moment.sleep, draw.random)
        # fewer tries than by default, so that a fault is now and then the end of a fetch
        policy = RetryPolicy(tries=3, page_tries=2)
        return MassiveProvider("x", BASE_URL, adjusted=self.wire.adjusted, concurrency=1, clock=clock, retry=policy)

    def decision(self, file: BarFile, *, force: bool = False) -> Decision:
        """What is to be done about a month, as `mohlcv fetch` decides it."""
        state = month_state.for_files(self.instance, self.archive, [file])[file]
        now = self.wire.moment.now
        return decide(state, now=now, vendor="massive.com", adjusted=self.wire.adjusted, force=force)

    def fetch(self, file: BarFile, options: RunOptions) -> str:
        """Do to a month what is decided; the action, or the error that ended it."""
        decision = self.decision(file, force=options.force)
        if decision.action is Action.RECORD:
            self._record(file)
            decision = self.decision(file)
        self.world.trace(f"{self.number} {file} {decision.sentence}")
        if decision.action is Action.SKIP:
            return decision.action
        made = () if decision.action is Action.CHECK else (RAW, *self.timeframes)
        return self._steps(file, made, options) or decision.action

    def aggregate(self, file: BarFile) -> str:
        """Resample a month that is stored."""
        return self._steps(file, self.timeframes, RunOptions()) or "resampled"

    def _record(self, file: BarFile) -> None:
        home: Any = SimpleNamespace(recording_lock=lambda _: nullcontext())
        runs.record(home, self.instance, self.archive, [file], parquet=False)

    def _steps(self, file: BarFile, made: tuple[Timeframe, ...], options: RunOptions) -> str:
        """The steps of a month in a run of their own; why it failed, or nothing."""
        checked = made or (RAW,)
        keys = [asset_key(each) for each in checked]
        asks = bool(made)
        names = {
            dg.AssetCheckKey(asset_key(each), check.name)
            for each in checked
            for check in checks_for(each)
            if asks or not check.asks_vendor
        }
        context: Any = SimpleNamespace(
            instance=self.instance,
            log=logging.getLogger("life"),
            selected_asset_keys=set(keys) if made else set(),
            selected_asset_check_keys=names,
        )
        files: Any = SimpleNamespace(open=lambda: self.archive, reader=lambda: self.reader, parquet=False, history=True)
        progress = RunProgress("life", 1, lambda _: None, lambda _: None, lambda: 0.0)
        vendor: Any = SimpleNamespace(create_provider=self.provider)
        with ExitStack() as stack:
            steps = partition_loop._MonthSteps(
                context, vendor, files, io_managers.BarsCsvIOManager(files), progress, options, keys, {}, stack
            )
            return self._recorded(file, keys if made else [], steps.run(partition_key(file.symbol, file.month)))

    def _recorded(self, file: BarFile, made: list[dg.AssetKey], events: Iterator[Any]) -> str:
        """Record the events of a run as Dagster does: what is planned, what comes, how it ends."""
        self._runs += 1
        run_id = str(UUID(int=self.number << 64 | self._runs))
        run = dg.DagsterRun(job_name=JOB, run_id=run_id, status=dg.DagsterRunStatus.NOT_STARTED)
        self.instance.add_run(run)
        kinds = dg.DagsterEventType
        partition = partition_key(file.symbol, file.month)
        for key in made:
            self._report(kinds.ASSET_MATERIALIZATION_PLANNED, AssetMaterializationPlannedData(key, partition), run_id)
        self._report(kinds.RUN_START, None, run_id)
        failure = ""
        try:
            for event in events:
                self.world.point("record", type(event).__name__)
                if isinstance(event, dg.AssetMaterialization):
                    self._report(kinds.ASSET_MATERIALIZATION, materialization_data(event), run_id)
                else:
                    self._report(kinds.ASSET_CHECK_EVALUATION, event, run_id)
        except MohlcvError as error:
            failure = f"{type(error).__name__}: {error}"
        self.world.point("end")
        self._report(kinds.RUN_FAILURE if failure else kinds.RUN_SUCCESS, None, run_id)
        return failure

    def _report(self, kind: dg.DagsterEventType, what: Any, run_id: str) -> None:
        event = dg.DagsterEvent(event_type_value=kind.value, job_name=JOB, event_specific_data=what)
        self.instance.report_dagster_event(event, run_id=run_id)


def _clock(moment: Moment) -> type[datetime]:
    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return moment.now.astimezone(tz)

    return Moved


@contextmanager
def in_force(wire: Wire) -> Iterator[None]:
    """The wire and its moment in place of the network and of the machine's clock, for Dagster too."""
    moved = _clock(wire.moment)
    with (
        mock.patch.object(transport.StrictPool, "_ask", wire.ask),
        mock.patch.object(refresh, "datetime", moved),
        mock.patch.object(records, "datetime", moved),
        mock.patch.object(history, "datetime", moved),
        mock.patch("dagster._time._mockable_get_current_datetime", wire.moment.get),
        mock.patch("dagster._time._mockable_get_current_timestamp", wire.moment.seconds),
    ):
        yield
