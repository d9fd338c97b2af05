"""A small project to break: a market of few bars, commands for a fork to run, and what is in the data folder."""

import json
import os
import sys
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from mohlcv_dagster.bars import csv_codec, resample
from mohlcv_dagster.bars.history_codec import FormerFile
from mohlcv_dagster.errors import FileError, MohlcvError
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import MINUTE, RAW, Timeframe, parse
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.history import VersionHistory
from mohlcv_dagster.storage.reader import BarReader

SYMBOL = "SPY"
HEADER = "ts_event,open,high,low,close,volume\n"
SECONDS = (0, 59)
MORE_SECONDS = (0, 30, 59)
VOLATILE = frozenset({"fetched_at", "request_ids", "checksum"})
"""What two fetches of the same bars record differently."""


@dataclass(frozen=True)
class FewBars:
    """A market of one symbol that trades at some seconds of each session's first minute.

    Attributes:
        seconds: when.
        is_bad: whether the high of each bar is below its low.
    """

    seconds: tuple[int, ...] = SECONDS
    is_bad: bool = False

    def days(self, symbol: str, first: date, last: date):
        return [each.date for each in exchange_calendar.sessions_between(first, last)] if symbol == SYMBOL else []

    def bars(self, symbol: str, day: date, timeframe, *, adjusted: bool) -> pa.Table:
        opens = exchange_calendar.session_on(day).regular_open
        prices = "10.0,5.0,10.0,10.0,5" if self.is_bad else "10.0,10.0,10.0,10.0,5"
        rows = [f"{opens + timedelta(seconds=second)},{prices}\n" for second in self.seconds]
        seconds = csv_codec.decode((HEADER + "".join(rows)).encode())
        return resample.resample(seconds, MINUTE) if timeframe.seconds == MINUTE.seconds else seconds


@contextmanager
def served(*markets):
    """The addresses of vendors that give these markets, in a process of their own: forks are made of this one."""
    ready, told = os.pipe()
    ends, kept = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(kept)
        sandboxes = [Sandbox(market).__enter__() for market in markets]
        os.write(told, " ".join(each.url for each in sandboxes).encode())
        os.close(told)
        os.read(ends, 1)  # nothing comes: it ends with its parent
        os._exit(0)
    os.close(told)
    with os.fdopen(ready, "rb") as addresses:
        urls = addresses.read().decode().split()
    try:
        yield urls
    finally:
        os.close(kept)
        os.waitpid(pid, 0)


def commands(project, url, *every, parquet=True):
    """A function that runs commands of `mohlcv` in a project, one after the other, until one fails."""

    def work():
        os.chdir(project)
        os.environ |= {
            "MASSIVE_BASE_URL": url,
            "MASSIVE_API_KEY": "any",
            "MOHLCV_PARQUET": str(parquet).lower(),
            "MOHLCV_TIMEFRAMES": "15s,1min",
        }
        return next((code for words in every if (code := _command(words))), 0)

    return work


def _command(words):
    from mohlcv_dagster import cli  # noqa: PLC0415 - it loads in the fork that is the model for the others

    if callable(words):
        return _plain(words)
    sys.argv = ["mohlcv", *words]
    try:
        cli.main()
    except SystemExit as left:
        return left.code or 0
    return 0


def _plain(work):
    try:
        return work()
    except MohlcvError as error:
        sys.stderr.write(f"{error}\n")
        return 1


TIMEFRAMES = (RAW, parse("15s"), MINUTE)


def store(market: FewBars, months: Iterable[Month], timeframes: Iterable[Timeframe] = TIMEFRAMES):
    """What a run does in the data folder, without Dagster: each month is written, checked, resampled and checked."""

    def work():
        from mohlcv_dagster.defs import io_managers  # noqa: PLC0415 - it loads in the fork that is the model for others
        from mohlcv_dagster.model.manifest_entry import RecordedResult  # noqa: PLC0415 - as above
        from mohlcv_dagster.storage import manifest  # noqa: PLC0415 - as above

        archive = Archive("data")
        reader = BarReader(archive)
        for month in months:
            for timeframe in timeframes:
                file = BarFile(SYMBOL, timeframe, month)
                bars = month_of(market, month) if timeframe == RAW else reader.resample(file, None)
                io_managers.store(archive, file, bars, {}, parquet=True)
                found = reader.check(file, None)
                results = [RecordedResult.of(result) for result in found.results]
                manifest.update_checks(archive, file, None, results, [rule.name for rule, _ in found.not_checked])

    return work


def month_of(market: FewBars, month: Month) -> pa.Table:
    """The bars of a month."""
    days = market.days(SYMBOL, month.start.date(), (month.end - timedelta(days=1)).date())
    return pa.concat_tables([market.bars(SYMBOL, day, RAW, adjusted=False) for day in days])


def launch(first: str, last: str):
    """What a backfill's run does: all assets and checks of a range of months, in one run."""

    def work():
        from dagster import AssetKey  # noqa: PLC0415 - as above
        from dagster._core.storage.tags import (  # noqa: PLC0415 - as above
            ASSET_PARTITION_RANGE_END_TAG,
            ASSET_PARTITION_RANGE_START_TAG,
        )

        from mohlcv_dagster.cli.dagster_home import Home, Paths  # noqa: PLC0415 - as above
        from mohlcv_dagster.definitions import build  # noqa: PLC0415 - as above
        from mohlcv_dagster.project import project_root  # noqa: PLC0415 - as above

        settings = Home.real(project_root()).prepare().settings()
        definitions = build(settings)
        span = {
            ASSET_PARTITION_RANGE_START_TAG: f"{first}|{SYMBOL}",
            ASSET_PARTITION_RANGE_END_TAG: f"{last}|{SYMBOL}",
        }
        assets = ("raw_1s", "aggregated/15s", "aggregated/1min")
        with Paths.of(settings).instance() as (instance, tags):
            instance.add_dynamic_partitions("symbol", [SYMBOL])
            result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance,
                tags={**span, **tags},
                asset_selection=[AssetKey.from_user_string(each) for each in assets],
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        return int(not result.success)

    return work


def what_is_left_open(files):
    """A function that says what a home holds back: runs that never end, places in pools, files without a result."""

    def work():
        import dagster as dg  # noqa: PLC0415 - as above

        from mohlcv_dagster.cli.dagster_home import open_instance  # noqa: PLC0415 - as above
        from mohlcv_dagster.defs.records import FileChecks, latest, of_file  # noqa: PLC0415 - as above

        over = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
        left = []
        with open_instance() as instance:
            left += [f"run {run.run_id} is {run.status}" for run in instance.get_runs() if run.status not in over]
            left += [f"{run_id} has a place" for run_id in instance.event_log_storage.get_concurrency_run_ids()]
            for name, digest in files.items():
                file = BarFile.parse(name)
                recorded = latest(instance, file)
                if recorded is None or recorded.sha256 != digest:
                    left.append(f"{name} is not the recorded one")
                elif of_file(instance, file) != FileChecks():
                    left.append(f"{name}: {of_file(instance, file)}")
        sys.stdout.writelines(f"left: {each}\n" for each in left)
        return 90 if left else 0

    return work


def tree(folder: Path):
    """The bytes of each file under a folder, hidden ones too.

    Of a manifest entry, what it says but for `VOLATILE`; of a former version, which has its times, what it gives back.
    """
    return {str(at.relative_to(folder)): _content(at) for at in sorted(folder.rglob("*")) if at.is_file()}


def _content(at):
    content = at.read_bytes()
    if "history" in at.parts and at.suffix == ".parquet":
        return _version(content)
    if at.suffix != ".json":
        return content
    try:
        told = json.loads(content)
    except ValueError:
        return content
    return {name: value for name, value in told.items() if name not in VOLATILE}


def _version(content):
    try:
        kept = FormerFile.decode(content)
    except FileError:
        return content
    about = kept.version
    told = str(about.file), about.sha256, about.successor, str(about.why), about.changed, about.added, about.removed
    return repr((*told, str(kept.form), kept.content.to_pydict(), bool(kept.entry)))


def keeps(folder: Path, path: str, content: bytes) -> bool:
    """Whether a file of bars has these bytes, or its history gives them back."""
    history, file = VersionHistory(Archive(folder)), BarFile.parse(path)
    return any(history.content(file, each) == content for each in history.versions(file) if not each.is_lost)
