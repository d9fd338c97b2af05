"""What `mohlcv metrics` tells Prometheus: the metrics, and how they are read so that a scrape stays cheap.

- Runs are counted by the database.
- Months and failing rules are those of `quality/coverage`, which is read again once it was made anew.
- What was requested is added up from the records of `raw_1s`, of which a scrape reads those that are new.

Nothing here costs what is stored, but the first reading. The sums go on from the event log after a restart.
"""

import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import dagster as dg
import pyarrow.parquet as pq
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mohlcv_dagster.dagster_patches.unexported import MOST_AT_ONCE
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.defs.quality_asset import KEY
from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.model.finality import Finality
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.archive import Archive

OVERLAP: Final = 120.0
"""Seconds in which PostgreSQL may commit a record with a lower number than one that was read; see `quality_history`."""
_COLUMNS: Final = ["month", "status", "state", "errors", "failing"]
_FINALITY: Final[Mapping[str, str]] = {each.value: each.name.lower() for each in Finality}
_SEVERITY: Final = {True: quality_rows.ERROR, False: quality_rows.WARN}


class Kind(StrEnum):
    """The type of a metric, as Prometheus names it."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True)
class Described:
    """A metric.

    Attributes:
        kind: gauge or counter.
        meaning: what it says, and what not; Prometheus and docs/metrics.md show it.
        labels: their names.
    """

    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()


_OF_FETCHES: Final = "of the stored fetches of raw months; of fetches that failed nothing is recorded"
METRICS: Final[Mapping[str, Described]] = {
    "mohlcv_runs": Described(
        Kind.GAUGE,
        "Runs in the home's database, by state; those that are queued are the depth of the queue",
        ("state",),
    ),
    "mohlcv_coverage_made_timestamp_seconds": Described(
        Kind.GAUGE, "When quality/coverage was made, Unix time; the metrics of months are as of then"
    ),
    "mohlcv_months": Described(
        Kind.GAUGE,
        "Months that are stored or were asked for, by status: stored, failed, missing, in progress",
        ("status",),
    ),
    "mohlcv_stored_months": Described(
        Kind.GAUGE, "Months with a raw file, by whether its bars are final: final or provisional", ("finality",)
    ),
    "mohlcv_failing_months": Described(
        Kind.GAUGE,
        "Months in which a rule fails, by rule (such as raw_1s: ohlc_order) and severity",
        ("rule", "severity"),
    ),
    "mohlcv_oldest_provisional_month_age_seconds": Described(
        Kind.GAUGE, "Time since the end of the oldest provisional month; 0 where there is none that has ended"
    ),
    "mohlcv_fetches_total": Described(Kind.COUNTER, "Fetches of raw months that were stored"),
    "mohlcv_requests_total": Described(Kind.COUNTER, f"Requests to the vendor, retries included, {_OF_FETCHES}"),
    "mohlcv_retries_total": Described(Kind.COUNTER, f"Requests that were retries, for whatever reason, {_OF_FETCHES}"),
    "mohlcv_rate_limited_total": Described(
        Kind.COUNTER, f"Requests that the vendor answered with status 429, too many requests, {_OF_FETCHES}"
    ),
    "mohlcv_downloaded_bytes_total": Described(Kind.COUNTER, f"Bytes received, compressed, {_OF_FETCHES}"),
    "mohlcv_fetch_seconds_total": Described(Kind.COUNTER, f"Duration {_OF_FETCHES}"),
}
"""Every metric, by its name."""
_RECORDED: Final = {
    "mohlcv_requests_total": "requests",
    "mohlcv_retries_total": "retries",
    "mohlcv_rate_limited_total": "rate_limited",
    "mohlcv_downloaded_bytes_total": "downloaded_bytes",
    "mohlcv_fetch_seconds_total": "fetch_seconds",
}
"""Under which labels the counters are recorded with a materialization."""


@dataclass
class FetchSums:
    """The counters, added up from the records of `raw_1s` that are new since the last look."""

    totals: Counter[str] = field(default_factory=Counter)
    _cursor: int = 0
    _seen: set[int] = field(default_factory=set)

    def update(self, instance: dg.DagsterInstance, now: float) -> None:
        """Add what is new.

        Args:
            instance: whose event log is read.
            now: Unix seconds; records of the last `OVERLAP` seconds are looked at again the next time.
        """
        after, settled = self._cursor, True
        while True:
            wanted = dg.AssetRecordsFilter(asset_key(RAW), after_storage_id=after)
            records = instance.fetch_materializations(wanted, limit=MOST_AT_ONCE, ascending=True).records
            for record in records:
                after = record.storage_id
                self._add(record)
                settled = settled and record.timestamp < now - OVERLAP
                if settled:
                    self._cursor = after
            if len(records) < MOST_AT_ONCE:
                break
        self._seen = {each for each in self._seen if each > self._cursor}

    def _add(self, record: dg.EventLogRecord) -> None:
        made = record.asset_materialization
        if record.storage_id in self._seen or made is None:
            return
        self._seen.add(record.storage_id)
        facts = {name: made.metadata[label].value for name, label in _RECORDED.items() if label in made.metadata}
        if not facts:
            return  # registered by `mohlcv adopt`: nothing was fetched
        self.totals["mohlcv_fetches_total"] += 1
        for name, value in facts.items():
            if isinstance(value, (int, float)):
                self.totals[name] += value  # type: ignore[assignment]


@dataclass(frozen=True)
class MonthCounts:
    """What the rows of `quality/coverage` come to.

    Attributes:
        made: when the table was made, Unix seconds.
        status: how many months, by status.
        finality: how many stored months, by state.
        failing: how many months, by rule and severity.
        oldest_provisional: the first month that is stored and provisional.
    """

    made: float
    status: Mapping[str, int]
    finality: Mapping[str, int]
    failing: Mapping[tuple[str, str], int]
    oldest_provisional: Month | None

    @classmethod
    def of(cls, table: bytes, made: float) -> "MonthCounts":
        """The counts of the rows in the bytes of the table."""
        rows = pq.read_table(io.BytesIO(table), columns=_COLUMNS).to_pylist()
        provisional = [row["month"] for row in rows if row["state"] == Finality.PROVISIONAL]
        return cls(
            made,
            Counter(row["status"] for row in rows),
            Counter(_FINALITY[row["state"]] for row in rows if row["state"] in _FINALITY),
            Counter(
                (rule, _SEVERITY[place < row["errors"]]) for row in rows for place, rule in enumerate(row["failing"])
            ),
            Month.parse(min(provisional)) if provisional else None,
        )


class HomeCollector(Collector):
    """Reads the metrics of a home for the client of Prometheus, one scrape at a time.

    Args:
        instance: whose runs and records are read.
        archive: where `quality/coverage` is.
        clock: Unix seconds.
    """

    def __init__(self, instance: dg.DagsterInstance, archive: Archive, clock: Callable[[], float] = time.time) -> None:
        self._instance, self._archive, self._clock = instance, archive, clock
        self._sums = FetchSums()
        self._months: tuple[int, MonthCounts] | None = None
        self._scrape = threading.Lock()

    def describe(self) -> Iterator[Metric]:
        """Every metric without values: nothing is read for it."""
        return iter([_family(name) for name in METRICS])

    def collect(self) -> Iterator[Metric]:
        """Every metric that has a value.

        Raises:
            FileError: the disk refused to give the table.
        """
        with self._scrape:
            now = self._clock()
            self._sums.update(self._instance, now)
            found = [_family("mohlcv_runs", *self._runs().items())]
            if (months := self._read_months()) is not None:
                found += _of_months(months, now)
            found += [
                _family(name, ((), self._sums.totals[name]))
                for name, each in METRICS.items()
                if each.kind is Kind.COUNTER
            ]
        return iter(found)

    def _runs(self) -> dict[tuple[str, ...], float]:
        return {
            (status.value.lower(),): self._instance.get_runs_count(dg.RunsFilter(statuses=[status]))
            for status in dg.DagsterRunStatus
            if status is not dg.DagsterRunStatus.MANAGED
        }

    def _read_months(self) -> MonthCounts | None:
        """What the table says; `None` where it was not made yet."""
        newest = self._instance.fetch_materializations(KEY, limit=1).records
        if not newest:
            return None
        number, made = newest[0].storage_id, newest[0].timestamp
        if self._months is None or self._months[0] != number:
            table = self._archive.read_path(quality_rows.PATH)
            if table is None:
                return None
            self._months = number, MonthCounts.of(table, made)
        return self._months[1]


def _of_months(months: MonthCounts, now: float) -> list[Metric]:
    oldest = months.oldest_provisional
    age = max(now - oldest.end.timestamp(), 0.0) if oldest else 0.0
    statuses = {(status.value,): months.status.get(status.value, 0) for status in quality_rows.MonthStatus}
    finality = {(each,): months.finality.get(each, 0) for each in _FINALITY.values()}
    return [
        _family("mohlcv_coverage_made_timestamp_seconds", ((), months.made)),
        _family("mohlcv_months", *statuses.items()),
        _family("mohlcv_stored_months", *finality.items()),
        _family("mohlcv_failing_months", *months.failing.items()),
        _family("mohlcv_oldest_provisional_month_age_seconds", ((), age)),
    ]


def _family(name: str, *values: tuple[tuple[str, ...], float]) -> Metric:
    """A metric with its values by those of its labels."""
    described = METRICS[name]
    kind = CounterMetricFamily if described.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(name, f"{described.meaning}.", labels=described.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family
