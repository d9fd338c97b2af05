"""Days lived through with a moved clock, the vendor's moved with it; no test. What comes of them is in `life_table`.

Each day at 11:15:10 Eastern the automation is evaluated, and what it asks for is run, from a sandbox over HTTP.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Self

import dagster as dg
import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, resample
from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs.partitions import file_of
from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource
from mohlcv_dagster.model import bar_files, exchange_calendar, finality
from mohlcv_dagster.model.exchange_calendar import EASTERN
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import Clock
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster.sandbox.pages import MarketPages
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.checks.clean_files import LIFE
from mohlcv_dagster_tests.defs.location import failing_rules, run

RAW_KEY, AGGREGATE_KEY = dg.AssetKey("raw_1s"), dg.AssetKey(["aggregated", "15s"])
LATE = 100
"""Shares of the closing minute that the vendor adds once the day is final."""


@dataclass
class Moment:
    """What time it is, for the vendor, for whoever asks it, and for the automation."""

    now: datetime = datetime(2024, 1, 1, tzinfo=UTC)


MOMENT = Moment()


class MovedMassive(ProviderResource):
    """The vendor of the resource, asked at the moved moment."""

    def create_provider(self) -> MassiveProvider:
        return MassiveProvider("any", self.base_url, clock=Clock(now=lambda: MOMENT.now))


class HalfHours:
    """A market whose every symbol has a bar each half hour of extended hours, and in their last second.

    The bar before the closing bell lacks `LATE` shares until the day is final.
    """

    def days(self, symbol: str, first: date, last: date) -> Iterator[date]:
        return (session.date for session in exchange_calendar.sessions_between(first, last))

    def bars(self, symbol: str, day: date, timeframe: Timeframe, *, adjusted: bool) -> pa.Table:
        session = exchange_calendar.session_on(day)
        assert session is not None
        opens, bell, closes = (
            int(moment.timestamp()) for moment in (session.extended_open, session.regular_close, session.extended_close)
        )
        starts = np.append(np.arange(opens, closes, 1800), closes - 1)
        price = (100.0 + day.day + (starts - opens) / 7200).round(2)
        volume = np.where(starts == bell - 1800, 1000, 10)
        if session.extended_close > finality.final_through(MOMENT.now):
            volume = np.where(starts == bell - 1800, 1000 - LATE, volume)
        bars = bar_table.from_arrays(starts, dict.fromkeys(bar_files.PRICES, price), volume)
        return bars if timeframe.seconds == RAW.seconds else resample.resample(bars, timeframe)


@dataclass(frozen=True)
class Row:
    """What a day did to a partition."""

    day: date
    partition: str
    asked: str
    requests: int
    bars: int
    revised: int
    through: str
    state: str
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        weekday = f"{self.day:%a %Y-%m-%d}"
        cells = (
            self.partition.partition("|")[0],
            self.asked,
            self.requests,
            self.bars,
            self.revised,
            self.through,
            self.state,
        )
        told = ", ".join(f"`{name}`" for name in self.warnings) or "none"
        return f"| {' | '.join(map(str, (weekday, *cells, told)))} |"


class Life:
    """Lives through days; as a context manager.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandbox = Sandbox(HalfHours(), clock=_unix_seconds)
        self.instance = dg.DagsterInstance.ephemeral()
        self._cursor = None

    def __enter__(self) -> Self:
        self.sandbox.__enter__()
        settings = Settings.from_environment({"MOHLCV_TIMEFRAMES": "15s", "MOHLCV_START": "2024-01"})
        massive = MovedMassive(base_url=self.sandbox.url, adjusted=False, concurrency=8, requests_per_minute=None)
        self.location = build(settings, massive=massive, archive=ArchiveResource(data_dir=str(self.folder)))
        return self

    def __exit__(self, *error: object) -> None:
        self.sandbox.close()
        self.instance.dispose()

    def move(self, day: date, clock: time) -> None:
        """To a time of day, Eastern; the sandbox forgets what it encoded of days that are told otherwise now."""
        MOMENT.now = datetime.combine(day, clock, EASTERN).astimezone(UTC)
        self.sandbox._router._pages = MarketPages(HalfHours())

    def fetch(self, partition: str, *assets: str, tags: dict[str, str] | None = None) -> Row:
        """Materialize a partition now."""
        before = self._asked_for_bars()
        result = run(self.location, self.instance, partition, *assets, tags=tags)
        raw = next(
            event.materialization for event in result.get_asset_materialization_events() if event.asset_key == RAW_KEY
        )
        facts = {name: value.value for name, value in raw.metadata.items()}
        names = [rule.name for rule in LIFE]
        failing = [rule for asset, rule, _ in failing_rules(result) if asset == RAW_KEY.to_user_string()]
        return Row(
            day=MOMENT.now.astimezone(EASTERN).date(),
            partition=partition,
            asked=f"from {_moment(facts['topped_up_from'])}" if "topped_up_from" in facts else "all",
            requests=self._asked_for_bars() - before,
            bars=facts["dagster/partition_row_count"],
            revised=facts.get("unsettled_revised", 0),
            through=_moment(facts["complete_through"]),
            state=facts["state"],
            warnings=tuple(rule for rule in failing if rule in names),
        )

    def _asked_for_bars(self) -> int:
        return sum("/aggs/" in request.path for request in self.sandbox.requests)

    def _asked_for(self) -> dict[str, list[str]]:
        """The assets that the automation asks for now, by partition."""
        found = dg.evaluate_automation_conditions(
            self.location,
            self.instance,
            dg.AssetSelection.assets(RAW_KEY, AGGREGATE_KEY),
            evaluation_time=MOMENT.now,
            cursor=self._cursor,
        )
        self._cursor = found.cursor
        asked: dict[str, list[str]] = {}
        for key in (RAW_KEY, AGGREGATE_KEY):
            for partition in sorted(found.get_requested_partitions(key)):
                asked.setdefault(partition, []).append(key.to_user_string())
        return asked

    def day(self, day: date) -> list[Row]:
        """Let the automation do what it does on a day, which is at 11:15 Eastern, and half a minute later."""
        self.move(day, time(11, 15, 10))
        rows = [self.fetch(partition, *assets) for partition, assets in sorted(self._asked_for().items())]
        self.move(day, time(11, 15, 40))
        for partition, assets in self._asked_for().items():
            assert assets == [AGGREGATE_KEY.to_user_string()], "nothing is asked of the vendor twice a day"
            run(self.location, self.instance, partition, *assets)
        return rows

    def through(self, partition: str, first: date, last: date) -> Iterator[Row | date]:
        """Days from `first`, when a user materializes `partition`, to `last`; of a day without requests, the day."""
        self.move(first, time(11, 15))
        yield self.fetch(partition, "raw_1s", "aggregated/15s")
        self._asked_for()  # the automation is turned on
        day = first
        while (day := day + timedelta(days=1)) <= last:
            yield from self.day(day) or [day]

    def stored(self, partition: str, key: dg.AssetKey = RAW_KEY) -> bytes:
        return (self.folder / str(file_of(key, partition).path)).read_bytes()

    def whole(self, symbol: str, month: Month) -> pa.Table:
        """What the market has of a month now, put together by itself."""
        days = exchange_calendar.sessions_overlapping(month)
        table = pa.concat_tables([HalfHours().bars(symbol, each.date, RAW, adjusted=False) for each in days])
        return bar_table.between(table, month.start, min(month.end, MOMENT.now)).combine_chunks()


def _unix_seconds() -> float:
    return MOMENT.now.timestamp()


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%m-%d %H:%M}Z"
